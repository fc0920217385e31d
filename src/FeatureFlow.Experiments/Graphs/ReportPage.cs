using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace FeatureFlow.Experiments;

/// <summary>
/// A page that is complete in itself: parts are added, one idea each, and come out as one file. Its policy allows exactly its own style and
/// script (by hash) and no address at all, so that nothing a description holds can run, load or send.
/// </summary>
internal sealed partial class ReportPage(string title)
{
    private readonly StringBuilder _style = new(), _script = new(), _body = new(), _data = new();

    /// <summary>Adds a style sheet of the page's resources.</summary>
    public ReportPage Style(string css)
    {
        _style.Append(css);
        return this;
    }

    /// <summary>Adds to the one script; what earlier parts declare is in scope.</summary>
    public ReportPage Script(string js)
    {
        _script.Append(js);
        return this;
    }

    /// <summary>Adds to the page's body. The caller escapes.</summary>
    public ReportPage Body(string html)
    {
        _body.Append(html);
        return this;
    }

    /// <summary>Adds a data block that scripts find under <paramref name="id"/>.</summary>
    public ReportPage Data(string id, string json)
    {
        _data.Put($"<script type=\"application/json\" id=\"{id}\">{Inert(json)}</script>\n");
        return this;
    }

    /// <summary>The page.</summary>
    public string Render()
    {
        var (style, script) = ($"{_style}", $"{_script}");
        var parts = new Dictionary<string, string>
        {
            ["title"] = GraphText.Xml(GraphText.OneLine(title)),
            ["generator"] = $"{Generator.Current.Name} {Generator.Current.Version}",
            ["style"] = style,
            ["style-hash"] = Hash(style),
            ["script"] = script,
            ["script-hash"] = Hash(script),
            ["body"] = $"{_body}",
            ["data"] = $"{_data}",
        };
        return Hole().Replace(Resource("report.html"), m => parts[m.Groups[1].Value]);
    }

    /// <summary>A file of this folder, as it is.</summary>
    public static string Resource(string name)
    {
        using var stream = typeof(ReportPage).Assembly.GetManifestResourceStream($"FeatureFlow.Experiments.Graphs.Report.{name}")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().ReplaceLineEndings("\n"); // hashes must not depend on how the sources were checked out
    }

    /// <summary>The colours of both themes: the reader's preference, unless the page's button chose; paper is always light.</summary>
    public static string Themes(Func<bool, string>? variables = null)
    {
        variables ??= GraphPalette.Variables;
        var (light, dark) = (variables(false), variables(true));
        return $"\n:root{{color-scheme:light;{light}}}\n" +
            $"@media screen{{:root[data-theme=dark]{{color-scheme:dark;{dark}}}}}\n" +
            $"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}\n";
    }

    // inside strings of JSON only; a script element ends at the first </script, whatever its type
    private static string Inert(string json) => json
        .Replace("<", "\\u003C", StringComparison.Ordinal).Replace(">", "\\u003E", StringComparison.Ordinal).Replace("&", "\\u0026", StringComparison.Ordinal)
        .Replace("\u2028", "\\u2028", StringComparison.Ordinal).Replace("\u2029", "\\u2029", StringComparison.Ordinal);

    private static string Hash(string text) => $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)))}'";

    [GeneratedRegex(@"\{\{([a-z-]+)\}\}")]
    private static partial Regex Hole();
}
