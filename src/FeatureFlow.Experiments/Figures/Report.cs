using System.Globalization;
using System.Text;
using FeatureFlow.Flow;
using FeatureFlow.Models;

namespace FeatureFlow.Experiments.Figures;

/// <summary>
/// A page of results, complete in itself: sections with text, figures, tables, texts side by side, a flow graph, and where it all came from. It loads nothing and
/// runs only the switch between light and dark; whatever texts hold is shown as text.
/// </summary>
/// <param name="title">Title of the page.</param>
public sealed class Report(string title)
{
    private const int MostRows = 500;

    private readonly StringBuilder _body = new();
    private readonly List<string> _sections = [];
    private int _figures;
    private bool _open;

    /// <summary>Begins a section.</summary>
    public Report Section(string heading)
    {
        Close();
        _sections.Add(heading);
        _body.Put($"<section id=\"s{_sections.Count}\" aria-labelledby=\"s{_sections.Count}h\">\n<h2 id=\"s{_sections.Count}h\">{Text(heading)}</h2>\n");
        _open = true;
        return this;
    }

    /// <summary>A paragraph of plain text.</summary>
    public Report Paragraph(string text)
    {
        _body.Put($"<p class=\"prose\">{Text(text)}</p>\n");
        return this;
    }

    /// <summary>A figure with its title as caption and its note below.</summary>
    public Report Figure(Figure figure)
    {
        var prefix = $"f{++_figures}-";
        _body.Put($"<figure>\n<figcaption>{Text(figure.Title)}</figcaption>\n{FigureSvg.Fragment(figure, prefix)}");
        if (figure.Note.Length > 0) _body.Put($"<p class=\"note\">{Text(figure.Note)}</p>\n");
        _body.Append("</figure>\n");
        return this;
    }

    /// <summary>A table; of a long one the first 500 rows, and a word on the others.</summary>
    /// <param name="caption">What it shows.</param>
    /// <param name="columns">Its columns; those in which no row has anything are left out.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="file">The file that has all of them, named where some are left out, or null.</param>
    public Report Table<T>(string caption, TableColumns<T> columns, IReadOnlyCollection<T> rows, string? file = null)
    {
        var values = rows.Take(MostRows).Select(columns.Values).ToList();
        int[] used = [.. Enumerable.Range(0, columns.Names.Count).Where(c => values.Count == 0 || values.Exists(v => v[c] is not null))];
        string Kind(int c) => Numeric(c) ? " class=\"number\"" : values.Exists(v => v[c] is string { Length: > 32 }) ? " class=\"text\" dir=\"auto\"" : " dir=\"auto\"";
        bool Numeric(int c) => values.TrueForAll(v => v[c] is null or int or long or double);
        _body.Put($"<div class=\"scroll\"><table><caption>{Text(caption)}</caption><thead><tr>");
        foreach (var c in used) _body.Put($"<th scope=\"col\"{(Numeric(c) ? " class=\"number\"" : "")}>{Text(columns.Names[c])}</th>");
        _body.Append("</tr></thead><tbody>\n");
        foreach (var row in values)
        {
            _body.Append("<tr>");
            foreach (var c in used) _body.Put($"<td{Kind(c)}>{Text(Cell(row[c]))}</td>");
            _body.Append("</tr>\n");
        }

        _body.Append("</tbody></table></div>\n");
        if (rows.Count > MostRows) _body.Put($"<p class=\"note\">The first {MostRows} of {rows.Count} rows{(file is null ? "" : $"; {Text(file)} has all of them")}.</p>\n");
        return this;
    }

    /// <summary>Texts side by side: what was written one way and another.</summary>
    /// <param name="columns">Heading of each column.</param>
    /// <param name="rows">For each row a label, and a text with a remark (a score) for each column.</param>
    public Report Texts(IReadOnlyList<string> columns, IEnumerable<(string Label, IReadOnlyList<(string Text, string Remark)> Texts)> rows)
    {
        _body.Append("<div class=\"scroll side\"><table><thead><tr><td></td>");
        foreach (var column in columns) _body.Put($"<th scope=\"col\">{Text(column)}</th>");
        _body.Append("</tr></thead><tbody>\n");
        foreach (var (label, texts) in rows)
        {
            _body.Put($"<tr><th scope=\"row\">{Text(label)}</th>");
            foreach (var (text, remark) in texts) _body.Put($"<td dir=\"auto\"><p>{Text(text)}</p>{(remark.Length > 0 ? $"<small>{Text(remark)}</small>" : "")}</td>");
            _body.Append("</tr>\n");
        }

        _body.Append("</tbody></table></div>\n");
        return this;
    }

    /// <summary>The picture of a flow graph.</summary>
    public Report Graph(FlowGraph graph) => Graph(graph, $"Flow graph of {graph.Seed}", "", null);

    /// <summary>The picture of a flow graph, some of its nodes coloured.</summary>
    internal Report Graph(FlowGraph graph, string caption, string note, IReadOnlyDictionary<string, NodeMark>? marks)
    {
        _body.Put($"<figure class=\"wide\"><figcaption>{Text(caption)}</figcaption><div class=\"pan\" role=\"region\" aria-label=\"Flow graph, scrollable\" tabindex=\"0\">\n{GraphSvg.Fragment(graph, $"g{++_figures}-", marks)}</div>");
        if (note.Length > 0) _body.Put($"<p class=\"note\">{Text(note)}</p>");
        _body.Append("</figure>\n");
        return this;
    }

    /// <summary>Names and values: settings, versions, files.</summary>
    public Report Facts(IEnumerable<(string Name, string Value)> facts)
    {
        _body.Append("<dl class=\"known\">");
        foreach (var (name, value) in facts) _body.Put($"<dt>{Text(name)}</dt><dd>{Text(value)}</dd>");
        _body.Append("</dl>\n");
        return this;
    }

    /// <summary>Longer text as it stands, such as the resolved settings, folded away.</summary>
    public Report Listing(string caption, string text)
    {
        _body.Put($"<details><summary>{Text(caption)}</summary><pre>{Text(text)}</pre></details>\n");
        return this;
    }

    /// <summary>The page.</summary>
    public string Render()
    {
        Close();
        var contents = new StringBuilder();
        if (_sections.Count > 2)
        {
            contents.Append("<nav aria-label=\"Sections\"><ul>");
            for (var i = 0; i < _sections.Count; i++) contents.Put($"<li><a href=\"#s{i + 1}\">{Text(_sections[i])}</a></li>");
            contents.Append("</ul></nav>\n");
        }

        return new ReportPage(title)
            .Style(ReportPage.Themes(FigurePalette.Variables)).Style(GraphPalette.FigureCss()).Style(FigurePalette.Css()).Style(FigurePalette.StepCss()).Style(FigurePalette.MarkCss())
            .Style(ReportPage.Resource("report.css")).Style(ReportPage.Resource("figures.css"))
            .Body(contents.ToString()).Body(_body.ToString())
            .Script(ReportPage.Resource("page.js")).Script("\ndocument.documentElement.classList.add('scripts');\ntheme();\ndocument.documentElement.dataset.ready = 'true';\n")
            .Render();
    }

    /// <summary>Writes it, whole or not at all.</summary>
    /// <exception cref="FeatureFlowException">FF2030: the file cannot be written.</exception>
    public void Write(string path) => AtomicFile.WriteText(path, Render());

    private void Close()
    {
        if (_open) _body.Append("</section>\n");
        _open = false;
    }

    private static string Cell(object? value) => value switch
    {
        null => "",
        double d => d == Math.Floor(d) && Math.Abs(d) < 1e9 ? d.ToString("0", CultureInfo.InvariantCulture) : d.ToString(Math.Abs(d) is >= 1e-3 and < 1e6 ? "0.####" : "0.###e0", CultureInfo.InvariantCulture),
        bool b => b ? "yes" : "no",
        IFormattable f => f.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };

    private static string Text(string text) => GraphText.Xml(text);
}
