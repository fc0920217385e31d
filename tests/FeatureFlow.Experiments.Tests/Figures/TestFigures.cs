using FeatureFlow.Experiments.Figures;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Tests.Figures;

/// <summary>One figure of every kind, from made-up data.</summary>
internal static class TestFigures
{
    private static IReadOnlyList<string> Groups { get; } = ["From RES", "From MLP", "From ATT", "From RES & MLP", "From RES & ATT", "From MLP & ATT", "From all", "From nowhere"];

    private static IReadOnlyList<string> Layers { get; } = [.. Enumerable.Range(0, 12).Select(l => $"{l}")];

    public static IReadOnlyDictionary<string, Figure> All { get; } = new Dictionary<string, Figure>
    {
        ["lines"] = new("Total score against layer", new Panel(new Axis("layer") { Whole = true }, new Axis("total score") { Min = 0, Max = 1 },
        [
            new LineSeries("single", Curve(0.2, 0)), new LineSeries("cumulative", Curve(0.35, 1)),
            new LineSeries("budget", [.. Curve(0.28, 2).Select((d, i) => i == 4 ? d with { Y = double.NaN, Low = null, High = null } : d)]) { Whiskers = true },
        ])
        { Guides = [new Guide(0.12, "unsteered"), new Guide(6, "picked here", Vertical: true)] })
        { Note = "Means over 40 samples; bands are 95 % bootstrap intervals." },
        ["scatter"] = new("Similarity against norm", new Panel(new Axis("decoder norm") { Log = true }, new Axis("cosine"),
        [
            new ScatterSeries("res", Cloud(1, 120)), new ScatterSeries("mlp", [new Dot(0.02, 0.4, 0.3, 0.55, "a <b> & \"c\""), new Dot(3, -0.2), new Dot(-1, 0.1)]),
        ])),
        ["bars"] = new("Scores by schedule", [new Panel(new Axis("schedule"), new Axis("total"),
        [
            new BarSeries("activate", [new Bar("constant", 0.4, 0.33, 0.46), new Bar("exponential", 0.52, 0.47, 0.6), new Bar("linear", 0.31, 0.2, 0.4)]),
            new BarSeries("deactivate", [new Bar("constant", 0.6, 0.5, 0.7), new Bar("linear", -0.1)]),
        ]) { Title = "side by side" },
        new Panel(new Axis("layer"), new Axis("share of features"),
        [
            .. "ABCD".Select((c, i) => new BarSeries($"class {c}", [.. Enumerable.Range(0, 12).Select(l => new Bar($"{l}", (1 + ((l + i) % 4)) / 10.0))])),
        ]) { Title = "stacked", Stacked = true }]),
        ["distributions"] = new("Similarity by group", [
            new Panel(new Axis("score"), new Axis("features"), [Distribution.Histogram("From RES", Sample(2, 0.6), Distribution.Edges([0, 1], 20)), Distribution.Histogram("From MLP", Sample(3, 0.4), Distribution.Edges([0, 1], 20))]) { Title = "histogram" },
            new Panel(new Axis("score"), new Axis("share up to") { Min = 0, Max = 1 }, [Distribution.Cumulative("From RES", Sample(2, 0.6)), Distribution.Cumulative("From MLP", Sample(3, 0.4))]) { Title = "cumulative" },
            new Panel(new Axis("group"), new Axis("score"), [new BoxSeries("From RES", [Distribution.Box("layer 6", Sample(2, 0.6)), Distribution.Box("layer 12", Sample(4, 0.5))]), new BoxSeries("From MLP", [Distribution.Box("layer 6", Sample(3, 0.4)), Distribution.Box("layer 12", Sample(5, 0.3))])]) { Title = "boxes" },
        ]),
        ["heat"] = new("Groups appear as", [
            new Panel(new Axis("appears as"), new Axis("group"), [new HeatSeries("probability", Groups, Groups, Matrix(8, (r, c) => r == c ? 1 : 1.0 / (1 + r + c)))]) { Title = "probability" },
            new Panel(new Axis("to layer"), new Axis("from layer"), [new HeatSeries("score", Layers, Layers, Matrix(12, (r, c) => c < r ? double.NaN : Math.Cos(0.3 * (c - r)))) { Diverging = true, Min = -1, Max = 1 }]) { Title = "diverging" },
        ]) { PlotHeight = 260 },
        ["multiples"] = new("Every coefficient", [.. Enumerable.Range(1, 6).Select(s => new Panel(new Axis("layer") { Whole = true }, new Axis("score") { Min = 0, Max = 1 }, [new LineSeries("constant", Curve(0.1 * s, s)), new LineSeries("exponential", Curve(0.6 - (0.05 * s), s + 9)), .. s == 1 ? [] : new Series[] { new LineSeries("linear", Curve(0.3, s + 20)) }]) { Title = $"coefficient {s}" })]),
        ["nothing"] = new("Nothing at all <>&", new Panel(new Axis("x"), new Axis("y"), [new LineSeries("", []), new ScatterSeries("one", [new Dot(5, 5)])])),
    };

    private static Dot[] Curve(double peak, int seed)
    {
        var random = new Prng((ulong)seed, 77);
        return [.. Enumerable.Range(0, 12).Select(l =>
        {
            var y = peak + (0.3 * Math.Exp(-(l - 5.0) * (l - 5.0) / 12)) + (0.03 * random.NextGaussian());
            return Dot.Of(l, new Interval(y, y - 0.05, y + 0.06, 40));
        })];
    }

    private static Dot[] Cloud(ulong seed, int count)
    {
        var random = new Prng(seed);
        return [.. Enumerable.Range(0, count).Select(_ => new Dot(Math.Round(Math.Exp(2 * random.NextGaussian()), 4), Math.Round(0.5 + (0.2 * random.NextGaussian()), 4)))];
    }

    private static double[] Sample(ulong seed, double centre)
    {
        var random = new Prng(seed);
        return [.. Enumerable.Range(0, 900).Select(_ => Math.Clamp(centre + (0.15 * random.NextGaussian()), 0, 1))];
    }

    private static double[,] Matrix(int size, Func<int, int, double> value)
    {
        var matrix = new double[size, size];
        for (var r = 0; r < size; r++)
        {
            for (var c = 0; c < size; c++) matrix[r, c] = value(r, c);
        }

        return matrix;
    }
}
