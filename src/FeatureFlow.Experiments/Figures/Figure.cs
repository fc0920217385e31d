using FeatureFlow.Flow;
using FeatureFlow.Models;

namespace FeatureFlow.Experiments.Figures;

/// <summary>
/// A picture of data: one panel, or several side by side that share the colours of their series. Drawn as SVG, light and dark, every mark with its
/// numbers as a tooltip and the whole with a title and a description for those who do not see it.
/// </summary>
/// <param name="Title">What it shows.</param>
/// <param name="Panels">At least one.</param>
public sealed record Figure(string Title, IReadOnlyList<Panel> Panels)
{
    /// <summary>A figure of one panel.</summary>
    public Figure(string title, Panel panel)
        : this(title, [panel])
    {
    }

    /// <summary>More about it: how it was made, what the marks are. Shown below, and read out.</summary>
    public string Note { get; init; } = "";

    /// <summary>Panels side by side; 0 chooses.</summary>
    public int Columns { get; init; }

    /// <summary>Pixels across.</summary>
    public double Width { get; init; } = 760;

    /// <summary>Height of a panel's plot in pixels; 0 chooses.</summary>
    public double PlotHeight { get; init; }

    /// <summary>A file of its own.</summary>
    public string Svg() => FigureSvg.Render(this);

    /// <summary>Writes it, whole or not at all.</summary>
    /// <exception cref="FeatureFlowException">FF2030: the file cannot be written.</exception>
    public void Write(string path) => AtomicFile.WriteText(path, Svg());
}

/// <summary>One pair of axes and what is drawn on it.</summary>
/// <param name="X">Across.</param>
/// <param name="Y">Up.</param>
/// <param name="Series">What is drawn, the first at the bottom.</param>
public sealed record Panel(Axis X, Axis Y, IReadOnlyList<Series> Series)
{
    /// <summary>Its heading, or null.</summary>
    public string? Title { get; init; }

    /// <summary>Bars stand on each other instead of side by side.</summary>
    public bool Stacked { get; init; }

    /// <summary>Lines across or up at a value, with a label.</summary>
    public IReadOnlyList<Guide> Guides { get; init; } = [];
}

/// <summary>An axis.</summary>
/// <param name="Label">What it measures, with its unit.</param>
public sealed record Axis(string Label)
{
    /// <summary>Its lower end; null for that of the data.</summary>
    public double? Min { get; init; }

    /// <summary>Its upper end; null for that of the data.</summary>
    public double? Max { get; init; }

    /// <summary>Logarithmic; values that are not positive are not drawn.</summary>
    public bool Log { get; init; }

    /// <summary>Ticks at whole numbers only: layers, counts.</summary>
    public bool Whole { get; init; }

    /// <summary>Categories in their order; null to take them as they come. Only where bars, boxes or heat maps are drawn.</summary>
    public IReadOnlyList<string>? Categories { get; init; }
}

/// <summary>A dashed line at a value of one axis.</summary>
/// <param name="Value">Where.</param>
/// <param name="Label">What it says.</param>
/// <param name="Vertical">At a value of x instead of y.</param>
public sealed record Guide(double Value, string Label, bool Vertical = false);

/// <summary>Something drawn. Series of one name have one colour in all panels, and one entry in the legend.</summary>
/// <param name="Name">Its name in the legend.</param>
public abstract record Series(string Name);

/// <summary>A point, with an interval around y where there is one.</summary>
/// <param name="X">Across.</param>
/// <param name="Y">Up; NaN breaks a line.</param>
/// <param name="Low">Lower end of the interval.</param>
/// <param name="High">Upper end.</param>
/// <param name="Note">More for the tooltip.</param>
public readonly record struct Dot(double X, double Y, double? Low = null, double? High = null, string? Note = null)
{
    /// <summary>An estimate with its interval, where it has one.</summary>
    public static Dot Of(double x, Interval interval, string? note = null) =>
        interval.Known ? new Dot(x, interval.Value, interval.Low, interval.High, note) : new Dot(x, interval.Value, Note: note);
}

/// <summary>Points joined by a line; intervals as a band behind it.</summary>
/// <param name="Name">Name.</param>
/// <param name="Dots">In the order in which they are joined.</param>
public sealed record LineSeries(string Name, IReadOnlyList<Dot> Dots) : Series(Name)
{
    /// <summary>Goes on level until the next point: cumulative distributions.</summary>
    public bool Steps { get; init; }

    /// <summary>No marks at the points.</summary>
    public bool Plain { get; init; }

    /// <summary>Intervals as bars at the points instead of a band.</summary>
    public bool Whiskers { get; init; }
}

/// <summary>Points on their own; intervals as bars.</summary>
public sealed record ScatterSeries(string Name, IReadOnlyList<Dot> Dots) : Series(Name);

/// <summary>A bar over a category.</summary>
public readonly record struct Bar(string Category, double Value, double? Low = null, double? High = null, string? Note = null)
{
    /// <summary>An estimate with its interval, where it has one.</summary>
    public static Bar Of(string category, Interval interval) => interval.Known ? new Bar(category, interval.Value, interval.Low, interval.High) : new Bar(category, interval.Value);
}

/// <summary>Bars over categories; several series stand side by side, or on each other where the panel says so.</summary>
public sealed record BarSeries(string Name, IReadOnlyList<Bar> Bars) : Series(Name);

/// <summary>How many values lie in each of some ranges that follow each other.</summary>
/// <param name="Name">Name.</param>
/// <param name="Edges">One more than there are heights, rising.</param>
/// <param name="Heights">Counts or shares.</param>
public sealed record HistogramSeries(string Name, IReadOnlyList<double> Edges, IReadOnlyList<double> Heights) : Series(Name);

/// <summary>Five numbers of a distribution over a category.</summary>
public readonly record struct Box(string Category, double Low, double Q1, double Median, double Q3, double High, int Count = 0);

/// <summary>Boxes over categories: quartiles, median, and whiskers.</summary>
public sealed record BoxSeries(string Name, IReadOnlyList<Box> Boxes) : Series(Name);

/// <summary>Values of pairs of categories as colours. A panel of it holds nothing else.</summary>
/// <param name="Name">What the values are.</param>
/// <param name="Rows">Categories from top to bottom.</param>
/// <param name="Columns">Categories from left to right.</param>
/// <param name="Values">[row, column]; NaN where there is none.</param>
public sealed record HeatSeries(string Name, IReadOnlyList<string> Rows, IReadOnlyList<string> Columns, double[,] Values) : Series(Name)
{
    /// <summary>Value of the palest colour; null for the least.</summary>
    public double? Min { get; init; }

    /// <summary>Value of the strongest colour; null for the largest.</summary>
    public double? Max { get; init; }

    /// <summary>Orange through grey to blue instead of pale to strong: for values with a middle.</summary>
    public bool Diverging { get; init; }

    /// <summary>How a value is written in its cell and in the tooltip.</summary>
    public string Format { get; init; } = "0.##";
}
