using System.Text.RegularExpressions;
using FeatureFlow.Testing;

namespace FeatureFlow.PowerShell.Tests.Help;

/// <summary>A section of a page: its title, its own text, the sections below it.</summary>
internal sealed record HelpSection(string Title, string Text, IReadOnlyList<HelpSection> Parts)
{
    public HelpSection? Find(string title) => Parts.FirstOrDefault(p => p.Title == title);
}

/// <summary>A page of docs/cmdlets in its fixed form: title, synopsis, and the sections of Get-Help in their order.</summary>
internal static partial class HelpPage
{
    public static IReadOnlyList<string> Order { get; } = ["Syntax", "Description", "Examples", "Parameters", "Input", "Output", "See also"];

    public static string Folder { get; } = Path.Combine(Repository.Root, "docs", "cmdlets");

    public static string FileOf(string name) => Path.Combine(Folder, name + ".md");

    /// <summary>Reads a page.</summary>
    public static HelpSection Read(string name) => Section(File.ReadAllText(FileOf(name)).ReplaceLineEndings("\n"), 1);

    /// <summary>The page with what the source knows better: syntax, and the line under each parameter.</summary>
    public static string Written(string text, CmdletFacts facts)
    {
        var order = Section(text, 1).Find("Parameters")!.Parts.Select(p => p.Title.TrimStart('-')).ToList();
        text = SyntaxSection().Replace(text, _ => $"## Syntax\n\n```text\n{string.Join("\n\n", facts.Syntax(order))}\n```\n\n## ");
        foreach (var parameter in facts.All)
        {
            text = Regex.Replace(text, $@"(?m)^### -{parameter.Name}\n\n(> .*\n\n)?", _ => $"### -{parameter.Name}\n\n{parameter.Line}\n\n");
        }

        return text;
    }

    /// <summary>Paragraphs without markup, each on one line.</summary>
    public static IEnumerable<string> Paragraphs(string text) =>
        text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Where(p => !p.StartsWith("> ", StringComparison.Ordinal)).Select(Plain);

    /// <summary>The code of the first fence.</summary>
    public static string? Code(string text) => Fence().Match(text) is { Success: true } m ? m.Groups[1].Value.TrimEnd() : null;

    public static string WithoutCode(string text) => Fence().Replace(text, "").Trim();

    public static string Plain(string markdown) => Link().Replace(markdown.Replace('\n', ' '), "$1").Replace("`", "", StringComparison.Ordinal);

    private static HelpSection Section(string text, int level)
    {
        var mark = new string('#', level) + " ";
        var title = text[mark.Length..text.IndexOf('\n', StringComparison.Ordinal)];
        var below = Regex.Split(text[(text.IndexOf('\n', StringComparison.Ordinal) + 1)..], $@"(?m)(?=^{new string('#', level + 1)} )");
        return new HelpSection(title.Trim(), below[0].Trim(), [.. below.Skip(1).Select(b => Section(b, level + 1))]);
    }

    [GeneratedRegex(@"## Syntax\n\n(```text\n(.|\n)*?```\n\n)?## ")]
    private static partial Regex SyntaxSection();

    [GeneratedRegex(@"```\w*\n((?:.|\n)*?)```")]
    private static partial Regex Fence();

    [GeneratedRegex(@"\[([^\]]+)\]\([^)]+\)")]
    private static partial Regex Link();
}
