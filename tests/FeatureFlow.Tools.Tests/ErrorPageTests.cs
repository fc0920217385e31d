using System.Text;
using System.Text.RegularExpressions;
using FeatureFlow.Testing;

namespace FeatureFlow.Tools.Tests;

/// <summary>docs/errors.md lists every code, made from the one file of messages of each project.</summary>
public sealed partial class ErrorPageTests
{
    [Fact]
    public void Every_code_is_listed_and_means_one_thing()
    {
        var rows = new SortedDictionary<string, (string Kind, string Text)>(StringComparer.Ordinal);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*Errors*.cs", SearchOption.AllDirectories).Where(f => !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)))
        {
            foreach (Match match in Message().Matches(File.ReadAllText(file)))
            {
                var code = match.Groups["code"].Value;
                Assert.False(rows.ContainsKey(code), $"{code} is used twice ({Path.GetFileName(file)}).");
                rows[code] = (match.Groups["name"].Value, match.Groups["text"].Value);
            }
        }

        Assert.True(rows.Count > 60, $"only {rows.Count} messages found");
        var page = new StringBuilder("""
            # Error codes

            Every error is one sentence with a code, `file(line,col): error FFnnnn: text`, on standard error; in PowerShell the code leads the error's id. The
            exit code says what to do: 2 correct the command or the file, 3 look at the input, 4 a check of a result failed, 75 try again later. Codes
            are never reused. What stands in braces is filled in. This page is made from the sources.

            | code | text |
            | --- | --- |

            """);
        foreach (var (code, (_, text)) in rows) page.Append("| " + code + " | " + Plain(text) + " |\n");
        Golden.CheckFile(Path.Combine(Repository.Root, "docs", "errors.md"), page.ToString());
    }

    // {expressions} shortened to their last plain name
    private static string Plain(string text) => Hole().Replace(text, m => "{…}").Replace("\\\"", "\"", StringComparison.Ordinal).Replace("|", "\\|", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal);

    [GeneratedRegex("""public static \S+ (?<name>\w+)\([^;]*?"(?<code>FF\d{4})",\s*(?:Invariant\(|Sentence\(|\$?)*(?:\$?"(?<text>(?:[^"\\]|\\.)*)"|(?<text>\w+))""", RegexOptions.Singleline)]
    private static partial Regex Message();

    [GeneratedRegex("""\{(?:[^{}]|\{[^{}]*\})*\}""")]
    private static partial Regex Hole();
}
