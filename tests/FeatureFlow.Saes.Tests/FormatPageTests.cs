using FeatureFlow.Testing;

namespace FeatureFlow.Saes.Tests;

/// <summary>docs/formats.md says what the code does.</summary>
public sealed class FormatPageTests
{
    private static readonly string[] s_page = File.ReadAllLines(Path.Combine(Repository.Root, "docs", "formats.md"));

    [Fact]
    public void Hooks_of_the_table_are_read_as_it_says()
    {
        var rows = Rows("| hook | site | layer |");
        Assert.InRange(rows.Count, 10, 100);
        Assert.All(rows, row => Assert.Equal((Sites.Parse(row[1]), int.Parse(row[2], System.Globalization.CultureInfo.InvariantCulture)), HookNames.Parse(row[0].Trim('`'))));
        Assert.All(rows.Where(r => r[0] != "`hook_embed`"), row => Assert.Equal((Site.Tc, 5), HookNames.Parse(row[0].Trim('`'), transcoder: true)));
        Assert.Equal((null, 5), HookNames.Parse("blocks.5.hook_resid_mid"));
        Assert.Equal((null, null), HookNames.Parse(null));
    }

    [Fact]
    public void Every_format_is_in_the_first_table()
    {
        var formats = Rows("| format | recognised by | made by |").Select(r => r[0].Split('`')[1]).ToHashSet();
        var inCode = Directory.EnumerateFiles(Path.Combine(Repository.Root, "src", "FeatureFlow.Saes", "Formats"), "*Format.cs")
            .Select(f => File.ReadAllLines(f).Single(l => l.Contains(" Format = \"", StringComparison.Ordinal)).Split('"')[1]);
        Assert.Equal(inCode.Order(StringComparer.Ordinal), formats.Order(StringComparer.Ordinal));
    }

    private static List<string[]> Rows(string header) =>
        [.. s_page.SkipWhile(l => l != header).Skip(2).TakeWhile(l => l.StartsWith('|')).Select(l => l.Trim('|').Split('|', StringSplitOptions.TrimEntries))];
}
