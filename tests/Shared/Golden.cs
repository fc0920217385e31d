using System.Text;

namespace FeatureFlow.Testing;

/// <summary>
/// What people see, kept under tests/golden/&lt;project&gt; and compared byte for byte. <c>FEATUREFLOW_UPDATE_GOLDEN=1</c> rewrites them: read
/// the diff before committing it.
/// </summary>
public static class Golden
{
    private static bool Update => Environment.GetEnvironmentVariable("FEATUREFLOW_UPDATE_GOLDEN") == "1";

    /// <summary>Compares text with tests/golden/<paramref name="name"/>, a path with forward slashes that starts with the project.</summary>
    public static void Check(string name, string actual) => CheckFile(Path.Combine([Repository.Root, "tests", "golden", .. name.Split('/')]), actual);

    /// <summary>Compares text with any file of the repository that is made by its own code.</summary>
    public static void CheckFile(string path, string actual)
    {
        if (Update)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual, new UTF8Encoding(false));
            return;
        }

        Assert.True(File.Exists(path), $"{path} is missing; run the tests once with FEATUREFLOW_UPDATE_GOLDEN=1 and read what it wrote.");
        var expected = File.ReadAllText(path);
        if (expected == actual) return;
        var line = expected.Split('\n').Zip(actual.Split('\n')).TakeWhile(p => p.First == p.Second).Count();
        Assert.Fail($"{path} differs from line {line + 1} on.\nexpected: {Line(expected, line)}\nactual:   {Line(actual, line)}\nFEATUREFLOW_UPDATE_GOLDEN=1 rewrites it.");
    }

    /// <summary>Compares text with the part of a page between <c>&lt;!-- generated: name --&gt;</c> and <c>&lt;!-- end --&gt;</c>.</summary>
    public static void CheckSection(string path, string name, string actual)
    {
        var page = File.ReadAllText(path);
        var start = page.IndexOf($"<!-- generated: {name} -->\n", StringComparison.Ordinal);
        Assert.True(start >= 0, $"{path} has no section '{name}'.");
        start = page.IndexOf('\n', start) + 1;
        var end = page.IndexOf("<!-- end -->", start, StringComparison.Ordinal);
        CheckFile(path, $"{page[..start]}{actual}{page[end..]}");
    }

    private static string Line(string text, int line) => text.Split('\n').ElementAtOrDefault(line) is { } l ? l[..Math.Min(l.Length, 300)] : "(end of file)";
}
