using System.Text;

namespace FeatureFlow.Experiments.Figures;

/// <summary>
/// Colours of figures, those of graph pictures where they mean the same. Series differ in colour, in the shape of their marks and in the dashes of their
/// lines, so that no reader needs the colour.
/// </summary>
internal static class FigurePalette
{
    // told apart with any colour vision in this order; light ones on dark paper
    private static readonly Tone[] Series =
    [
        new("#2b69bd", "#7db4f8"), new("#b8590a", "#f5a855"), new("#1c7a56", "#62c79b"), new("#7345b8", "#bd9cf5"),
        new("#b02a4c", "#f58da2"), new("#0d7585", "#5fc6d4"), new("#7a5a16", "#d3b46c"), new("#66727e", "#a3afbb"),
        new("#18212b", "#e8edf3"),
    ];

    // pale to strong
    private static readonly Tone[] Heat =
    [
        new("#f1f5fb", "#18202a"), new("#dbe7f6", "#1b2d45"), new("#bfd5f0", "#1f3c61"), new("#9dbfe6", "#264d7e"),
        new("#78a5d9", "#2f609d"), new("#548ac9", "#3d76bb"), new("#376fb3", "#558fd4"), new("#235693", "#78ace9"), new("#143d70", "#a5cbfb"),
    ];

    /// <summary>Number of series colours; more series begin again.</summary>
    public static int Count => Series.Length;

    /// <summary>Number of steps of a heat map.</summary>
    public static int HeatSteps => Heat.Length;

    /// <summary>Dashes of a series' line.</summary>
    public static string Dashes(int series) => (series % 4) switch { 1 => "7 3", 2 => "2.5 2.5", 3 => "9 3 2 3", _ => "" };

    /// <summary>CSS custom properties of one theme: those of graph pictures, and ours.</summary>
    public static string Variables(bool dark)
    {
        var css = new StringBuilder(GraphPalette.Variables(dark));
        for (var i = 0; i < Series.Length; i++) css.Put($"--c{i}:{Of(Series[i], dark)};");
        for (var i = 0; i < Heat.Length; i++) css.Put($"--q{i}:{Of(Heat[i], dark)};");
        return css.ToString();
    }

    /// <summary>The rules that draw figures. Every colour is given plainly first, for programs that know no custom properties.</summary>
    public static string Css()
    {
        var css = new StringBuilder();
        css.Put($".paper{{{Plain("fill", GraphPalette.Paper, "paper")}}}\n");
        css.Put($".plot text{{font-family:'Segoe UI',system-ui,-apple-system,'Helvetica Neue',Arial,sans-serif;font-size:11px;font-variant-numeric:tabular-nums;{Plain("fill", GraphPalette.Ink, "ink")}}}");
        css.Put($".plot .muted{{{Plain("fill", GraphPalette.Muted, "muted")}}}.plot .head{{font-size:15px;font-weight:650}}.plot .sub{{font-size:12px;font-weight:650}}.plot .cell{{font-size:10px}}\n");
        css.Put($".plot .grid{{fill:none;stroke-width:1;{Plain("stroke", GraphPalette.Rule, "rule")}}}.plot .axis{{fill:none;stroke-width:1;{Plain("stroke", GraphPalette.Muted, "muted")}}}");
        css.Put($".plot .guide{{fill:none;stroke-width:1.2;stroke-dasharray:5 4;{Plain("stroke", GraphPalette.Muted, "muted")}}}.plot .none{{{Plain("fill", GraphPalette.Band, "band")}}}.plot .light{{{Plain("fill", GraphPalette.Paper, "paper")}}}\n");
        for (var i = 0; i < Series.Length; i++)
            css.Put($".l{i}{{fill:none;stroke-width:1.8;stroke-linejoin:round;{Plain("stroke", Series[i], $"c{i}")}}}.w{i}{{fill:none;stroke-width:1.3;{Plain("stroke", Series[i], $"c{i}")}}}.p{i}{{{Plain("fill", Series[i], $"c{i}")}}}.b{i}{{fill-opacity:.17;{Plain("fill", Series[i], $"c{i}")}}}");
        css.Append('\n');
        for (var i = 0; i < Heat.Length; i++) css.Put($".q{i}{{{Plain("fill", Heat[i], $"q{i}")}}}");
        return css.Append('\n').ToString();
    }

    /// <summary>The rules of graph pictures whose nodes are coloured by steps of the heat map.</summary>
    public static string MarkCss() => $".n .m{{stroke-width:1.4;{Plain("stroke", GraphPalette.Muted, "muted")}}}.fig .light{{{Plain("fill", GraphPalette.Paper, "paper")}}}.off{{opacity:.45}}\n";

    /// <summary>The class that fills with a colour of graph pictures' ten steps; for files of their own their rules are needed too.</summary>
    public static string StepCss()
    {
        var css = new StringBuilder();
        for (var i = 0; i < 10; i++) css.Put($".f{i}{{{Plain("fill", GraphPalette.Edge((i + 0.5) / 10), $"s{i}")}}}");
        return css.Append('\n').ToString();
    }

    private static string Of(Tone tone, bool dark) => dark ? tone.Dark : tone.Light;

    private static string Plain(string property, Tone tone, string name) => $"{property}:{tone.Light};{property}:var(--{name});";
}
