using System.Xml.Linq;
using FeatureFlow.Experiments.Figures;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Figures;

public sealed class FigureTests
{
    public static TheoryData<string> Names => [.. TestFigures.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Pictures_are_those_of_the_golden_files(string name) => Golden.Check($"FeatureFlow.Experiments/figures/{name}.svg", TestFigures.All[name].Svg());

    [Theory]
    [MemberData(nameof(Names))]
    public void Pictures_are_well_formed_titled_and_stay_inside(string name)
    {
        var figure = TestFigures.All[name];
        var svg = XDocument.Parse(figure.Svg()).Root!;
        XNamespace ns = "http://www.w3.org/2000/svg";
        Assert.Equal(figure.Title, svg.Element(ns + "title")!.Value);
        Assert.All(figure.Panels.SelectMany(p => p.Series).Select(s => s.Name).Where(n => n.Length > 0), n => Assert.Contains(n, svg.Element(ns + "desc")!.Value));
        Assert.DoesNotContain("NaN", figure.Svg().Replace(svg.Element(ns + "style")!.Value, "", StringComparison.Ordinal));
        Assert.DoesNotContain("∞", figure.Svg());
        var height = double.Parse(svg.Attribute("height")!.Value, System.Globalization.CultureInfo.InvariantCulture);
        foreach (var rect in svg.Descendants(ns + "rect").Where(r => r.Attribute("x") is not null))
        {
            double Of(string attribute) => double.Parse(rect.Attribute(attribute)!.Value, System.Globalization.CultureInfo.InvariantCulture);
            Assert.InRange(Of("x"), 0, figure.Width);
            Assert.InRange(Of("y") + Of("height"), -8, height);
            Assert.True(Of("width") >= 0 && Of("height") >= 0);
        }

        // every class that is used has its rule
        var rules = svg.Element(ns + "style")!.Value;
        Assert.All(svg.Descendants().SelectMany(e => e.Attribute("class")?.Value.Split(' ') ?? []).Distinct(), c => Assert.Contains($".{c}", rules));
    }

    [Fact]
    public void Series_keep_their_colour_in_all_panels_and_every_point_tells_its_numbers()
    {
        var svg = TestFigures.All["multiples"].Svg();
        Assert.Equal(6 * 1, System.Text.RegularExpressions.Regex.Count(svg, "<path class=\"l1\"[^>]*d=\"M\\d+\\.?\\d* \\d") - 1); // once more in the legend
        var lines = TestFigures.All["lines"].Svg();
        Assert.Contains("<title>cumulative: layer 5, total score ", lines);
        Assert.Equal(35, lines.Split("<title>").Length - 1); // 3 lines of 12 points, one of them missing
    }

    [Fact]
    public void A_page_gets_the_same_picture_without_a_title_that_follows_the_pointer()
    {
        var fragment = FigureSvg.Fragment(TestFigures.All["bars"], "f3-");
        Assert.DoesNotContain("<title id", fragment);
        Assert.DoesNotContain("<style", fragment);
        Assert.Contains("aria-label=\"Scores by schedule\" aria-describedby=\"f3-desc\"", fragment);
    }

    [Fact]
    public void Clouds_are_thinned_the_same_way_each_time()
    {
        var figure = new Figure("cloud", new Panel(new Axis("x"), new Axis("y"), [new ScatterSeries("all", [.. Enumerable.Range(0, 9000).Select(i => new Dot(i, i % 97))])]));
        Assert.Equal(PanelSvg.MostDots, figure.Svg().Split("<title>").Length - 1);
        Assert.Equal(figure.Svg(), figure.Svg());
    }

    [Theory]
    [InlineData(0, 1, 300, "0 0.2 0.4 0.6 0.8 1")]
    [InlineData(-3, 12, 300, "0 5 10")]
    [InlineData(0, 0.001, 300, "0 0.0002 0.0004 0.0006 0.0008 0.001")]
    [InlineData(0, 25000, 200, "0 10000 20000")]
    public void Ticks_of_numbers(double low, double high, double pixels, string ticks)
    {
        var scale = Scale.Numbers(new Axis("x") { Min = low, Max = high }, [], 0, pixels, zero: false, 60, tight: false);
        Assert.Equal(ticks, string.Join(' ', scale.Ticks.Select(t => t.Text.Contains('.', StringComparison.Ordinal) ? t.Text.TrimEnd('0').TrimEnd('.') : t.Text)));
        Assert.Equal(0, scale.At(low));
        Assert.Equal(pixels, scale.At(high), 1e-9);
        Assert.Equal(pixels, scale.At(high + 5), 1e-9); // what lies outside stands at the edge
    }

    [Fact]
    public void Ticks_of_layers_and_of_logarithms()
    {
        Assert.Equal("0 1 2 3", string.Join(' ', Scale.Numbers(new Axis("layer") { Whole = true, Min = 0, Max = 3 }, [], 0, 600, false, 60, false).Ticks.Select(t => t.Text)));
        var log = Scale.Numbers(new Axis("x") { Log = true }, [0.01, 100, -1, 0], 0, 400, false, 60, false);
        Assert.Equal("0.01 0.1 1 10 100", string.Join(' ', log.Ticks.Select(t => t.Text)));
        Assert.Equal(200, log.At(1), 1e-9);
        Assert.False(log.Has(0));
        Assert.Equal("1 2 5 10 20", string.Join(' ', Scale.Numbers(new Axis("x") { Log = true }, [1, 20], 0, 400, false, 60, false).Ticks.Select(t => t.Text)));
    }

    [Fact]
    public void Figures_of_samples()
    {
        var histogram = Distribution.Histogram("h", [0, 0.1, 0.5, 0.99, 1, 1.2, double.NaN], [0, 0.5, 1]);
        Assert.Equal([2, 3], histogram.Heights); // 1 lies in the last range, 1.2 in none
        Assert.Equal([0.5, 0.5], Distribution.Histogram("h", [1, 2, 3, 4], [1, 3, 4], shares: true).Heights);
        Assert.Equal([new Dot(1, 0), new Dot(1, 0.5), new Dot(2, 0.75), new Dot(5, 1)], Distribution.Cumulative("c", [5, 1, 2, 1]).Dots);
        Assert.InRange(Distribution.Cumulative("c", Enumerable.Range(0, 100_000).Select(i => (double)i)).Dots.Count, 300, 500);
        Assert.Equal(1, Distribution.Cumulative("c", Enumerable.Range(0, 100_001).Select(i => (double)i)).Dots[^1].Y);
        Assert.Equal(new Box("b", 1, 2, 3, 4, 5, 6), Distribution.Box("b", [1, 2, 3, 4, 5, 3]) with { Q1 = 2, Q3 = 4 });
        var box = Distribution.Box("b", [1, 2, 3, 4, 100]);
        Assert.Equal((1, 2, 3, 4, 4, 5), (box.Low, box.Q1, box.Median, box.Q3, box.High, box.Count)); // 100 is beyond the whisker
        Assert.Equal([0, 0.25, 0.5, 0.75, 1], Distribution.Edges([0, 1], 4));
    }
}
