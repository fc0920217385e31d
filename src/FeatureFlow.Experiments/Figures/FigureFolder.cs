using FeatureFlow.Models;

namespace FeatureFlow.Experiments.Figures;

/// <summary>A report whose figures are files as well: <c>figures/NAME.svg</c>.</summary>
internal sealed class FigureFolder(Report report, RunOutputs outputs)
{
    /// <summary>Shows a figure and writes it; one in which nothing is drawn is left out.</summary>
    public void Add(string name, Figure figure)
    {
        if (figure.Panels.Count == 0 || figure.Panels.All(p => p.Series.All(IsEmpty))) return;
        report.Figure(figure);
        AtomicFile.WriteText(outputs.Add($"figures/{name}.svg"), figure.Svg());
    }

    private static bool IsEmpty(Series series) => series switch
    {
        LineSeries line => line.Dots.Count == 0,
        ScatterSeries scatter => scatter.Dots.Count == 0,
        BarSeries bars => bars.Bars.Count == 0,
        BoxSeries boxes => boxes.Boxes.Count == 0,
        HistogramSeries histogram => histogram.Heights.Count == 0,
        _ => false,
    };
}
