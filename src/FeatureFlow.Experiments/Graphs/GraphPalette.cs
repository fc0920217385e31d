using System.Text;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>The horizontal band of the picture that a site is drawn in, top to bottom.</summary>
internal enum Lane
{
    /// <summary>att, att_z.</summary>
    Attention,

    /// <summary>res, res_pre.</summary>
    Residual,

    /// <summary>mlp, tc.</summary>
    Mlp,
}

/// <summary>A colour in both themes, as <c>#rrggbb</c>.</summary>
internal readonly record struct Tone(string Light, string Dark);

/// <summary>
/// Colours and widths of graph pictures. Similarity runs from orange (weak) through grey to blue (strong), which readers with any colour
/// vision tell apart; classes carry their letter besides their colour, sites their shape and lane.
/// </summary>
internal static class GraphPalette
{
    public static Tone Paper { get; } = new("#ffffff", "#10151c");

    public static Tone Ink { get; } = new("#18212b", "#e8edf3");

    public static Tone Muted { get; } = new("#566370", "#9aa7b4");

    public static Tone Band { get; } = new("#f4f6f9", "#161d26");

    public static Tone Rule { get; } = new("#cbd3dc", "#364250");

    // ten steps of cosine, [0, 0.1) to [0.9, 1]; the middle is Feature Flow's residual threshold for steering, 0.5
    private static readonly Tone[] Steps =
    [
        new("#b4530a", "#f59b4c"), new("#c4661f", "#eb9450"), new("#d07d3f", "#d88d57"), new("#d29a70", "#bd8965"), new("#bdb1a8", "#93857c"),
        new("#a5b3c3", "#75869b"), new("#7c9fcb", "#6f95c6"), new("#4f85cb", "#6ca3e6"), new("#2b69bd", "#7db4f8"), new("#174c94", "#9cc8ff"),
    ];

    private static readonly (Tone Fill, Tone Line) Module = (new("#ffffff", "#1a222c"), new("#7c8894", "#7f8d9b"));

    private static readonly Dictionary<FeatureClass, (Tone Fill, Tone Line)> Classes = new()
    {
        [FeatureClass.A] = (new("#e2edfb", "#14294a"), new("#2b69bd", "#7db4f8")),
        [FeatureClass.B] = (new("#eee6fa", "#2b2046"), new("#7345b8", "#bd9cf5")),
        [FeatureClass.C] = (new("#fdead6", "#40290f"), new("#b8590a", "#f5a855")),
        [FeatureClass.D] = (new("#eceff2", "#252d37"), new("#66727e", "#a3afbb")),
    };

    /// <summary>What the classes are called (docs/concepts.md).</summary>
    public static IReadOnlyDictionary<FeatureClass, string> ClassNames { get; } = new Dictionary<FeatureClass, string>
    {
        [FeatureClass.A] = "translated", [FeatureClass.B] = "processed", [FeatureClass.C] = "newborn", [FeatureClass.D] = "unexplained",
    };

    /// <summary>The lane of a site.</summary>
    public static Lane Lane(string site) => site switch
    {
        "att" or "att_z" => Experiments.Lane.Attention,
        "mlp" or "tc" => Experiments.Lane.Mlp,
        _ => Experiments.Lane.Residual,
    };

    /// <summary>The step of a cosine, 0 to 9.</summary>
    public static int Step(double similarity) => double.IsNaN(similarity) ? 0 : (int)Math.Clamp(Math.Floor(similarity * 10), 0, 9);

    /// <summary>Colour of an edge.</summary>
    public static Tone Edge(double similarity) => Steps[Step(similarity)];

    /// <summary>Width of an edge in pixels, 1 at cosine 0 to 6 at cosine 1, to a tenth.</summary>
    public static double Width(double similarity) => double.IsNaN(similarity) ? 1 : Math.Round(1 + (5 * Math.Pow(Math.Clamp(similarity, 0, 1), 1.5)), 1);

    /// <summary>Width of an edge of a graph: by its cosine; where texts have tried the edges, by the mean activation change.</summary>
    public static double Width(FlowGraph graph, FlowEdge edge) => !graph.Verified ? Width(edge.Similarity) : Width(edge.Evidence?.Change?.Value ?? 0);

    /// <summary>True for edges of a verified graph that no text could try.</summary>
    public static bool Untried(FlowGraph graph, FlowEdge edge) => graph.Verified && edge.Evidence?.Change is null;

    /// <summary>Fill and outline of a node.</summary>
    public static (Tone Fill, Tone Line) Node(FlowNode node) => node.Class is { } c ? Classes[c] : Module;

    /// <summary>The group a node's colours come from: <c>A</c> to <c>D</c>, or <c>M</c> for what has no class.</summary>
    public static string NodeName(FlowNode node) => node.Class?.ToString() ?? "M";

    /// <summary>CSS custom properties of one theme.</summary>
    public static string Variables(bool dark)
    {
        var css = new StringBuilder();
        foreach (var (name, tone) in All()) css.Put($"--{name}:{(dark ? tone.Dark : tone.Light)};");
        return css.ToString();
    }

    /// <summary>The rules that draw a figure. Every colour is given plainly first, for programs that know no custom properties.</summary>
    public static string FigureCss()
    {
        var css = new StringBuilder();
        css.Put($".paper{{{Paint("fill", "paper")}}}.band{{{Paint("fill", "band")}}}.rule{{fill:none;stroke-dasharray:1.5 4;{Paint("stroke", "rule")}}}\n");
        css.Put($".fig text{{font-family:'Segoe UI',system-ui,-apple-system,'Helvetica Neue',Arial,sans-serif;font-size:11px;{Paint("fill", "ink")}}}.fig .muted{{{Paint("fill", "muted")}}}\n");
        css.Append(".fig .head{font-size:17px;font-weight:650}.fig .lane{font-size:11px;letter-spacing:.06em}.fig .strong{font-weight:650}\n");
        css.Append(".n text{text-anchor:middle;unicode-bidi:plaintext}.fig .i{font-family:ui-monospace,'Cascadia Mono',Consolas,Menlo,'DejaVu Sans Mono',monospace;font-size:12px;font-weight:600}.fig .d{font-size:10px}.fig .k{font-size:10px;font-weight:700}\n");
        css.Put($".e{{fill:none;stroke-linecap:round}}.u{{stroke-dasharray:1.5 5}}.n .b{{stroke-width:1.4;{Paint("fill", "M-fill")}{Paint("stroke", "M-line")}}}.n .ring{{fill:none;stroke-width:2;{Paint("stroke", "ink")}}}.pre .b{{stroke-dasharray:3 2}}\n");
        css.Put($".wide{{{Paint("fill", "muted")}}}");
        for (var i = 0; i < Steps.Length; i++) css.Put($".s{i}{{{Paint("stroke", $"s{i}")}}}.f{i}{{{Paint("fill", $"s{i}")}}}");
        css.Append('\n');
        foreach (var c in Classes.Keys) css.Put($".{c} .b{{{Paint("fill", $"{c}-fill")}{Paint("stroke", $"{c}-line")}}}.fig .{c} .k{{{Paint("fill", $"{c}-line")}}}");
        return css.Append('\n').ToString();
    }

    private static string Paint(string property, string name) => $"{property}:{All().First(a => a.Name == name).Tone.Light};{property}:var(--{name});";

    private static IEnumerable<(string Name, Tone Tone)> All()
    {
        yield return ("paper", Paper);
        yield return ("ink", Ink);
        yield return ("muted", Muted);
        yield return ("band", Band);
        yield return ("rule", Rule);
        for (var i = 0; i < Steps.Length; i++) yield return ($"s{i}", Steps[i]);
        yield return ("M-fill", Module.Fill);
        yield return ("M-line", Module.Line);
        foreach (var (c, (fill, line)) in Classes)
        {
            yield return ($"{c}-fill", fill);
            yield return ($"{c}-line", line);
        }
    }
}
