using System.Text.RegularExpressions;
using FeatureFlow.Experiments.Figures;
using FeatureFlow.Experiments.Tests.Graphs;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Figures;

public sealed partial class ReportTests
{
    [Fact]
    public void The_page_is_that_of_the_golden_file()
    {
        var page = Style().Replace(Made().Render(), "<style>...</style>");
        page = Script().Replace(page, "<script type=\"module\">...</script>");
        page = Regex.Replace(page, "sha256-[^']+", "sha256-...").Replace($"FeatureFlow {Generator.Current.Version}", "FeatureFlow VERSION", StringComparison.Ordinal);
        page = Svg().Replace(page, "<svg ...></svg>");
        Golden.Check("FeatureFlow.Experiments/figures/report.html", page);
    }

    [Fact]
    public void Nothing_is_loaded_and_no_text_is_markup()
    {
        var page = Made().Render();
        Assert.Contains("default-src 'none'", page);
        Assert.DoesNotContain("<b>bold", page);
        Assert.DoesNotContain("</section><script>", page);
        Assert.Single(Regex.Matches(page, "<script"));
        Assert.DoesNotMatch(@"<(link|img|iframe|object|base)\b|@import|url\(|\bsrc=|\bstyle=", page);
        Assert.Contains("The first 500 of 700 rows; long.csv has all of them.", page);
        var ids = Regex.Matches(page, " id=\"([^\"]+)\"").Select(m => m.Groups[1].Value).ToList();
        Assert.Equal(ids.Count, ids.Distinct().Count());
    }

    [BrowserFact]
    public async Task A_browser_shows_it_without_complaint()
    {
        using var folder = new TempFolder();
        Made().Write(folder.File("report.html"));
        await using var browser = await Browser.Start();
        await browser.Open(folder.File("report.html"));
        Assert.Empty(browser.Complaints);
        Assert.True(await browser.Eval<bool>("document.documentElement.scrollWidth <= innerWidth"));
        var light = await browser.Eval<string>("getComputedStyle(document.querySelector('.p0')).fill");
        await browser.Eval<bool>("document.getElementById('theme').click() ?? true");
        Assert.NotEqual(light, await browser.Eval<string>("getComputedStyle(document.querySelector('.p0')).fill"));
        Assert.Equal(4, await browser.Eval<int>("document.querySelectorAll('figure svg').length"));
    }

    private static Report Made()
    {
        var columns = new TableColumns<int>(("layer", i => i), ("score", i => i / 7.0), ("note", i => i == 1 ? "<b>bold</b> & a rather long remark about it" : null), ("never", _ => null));
        return new Report("Steering <sea>")
            .Section("Summary").Paragraph("What was done, and that </section><script>alert(1)</script> is text.").Facts([("model", "a/b"), ("seed", "7")])
            .Section("Figures").Figure(TestFigures.All["lines"]).Figure(TestFigures.All["bars"]).Figure(TestFigures.All["heat"])
            .Section("Texts").Texts(["unsteered", "steered"], [("sample 0", [("Once there was", "coherence 5"), ("Once\nthere <was> a sea", "")])])
            .Section("Graph").Graph(TestGraphs.AwkwardText)
            .Section("Tables").Table("Scores", columns, [0, 1, 2]).Table("Long", columns, [.. Enumerable.Range(0, 700)], "long.csv").Listing("resolved.yaml", "version: 1\nkind: <x>\n");
    }

    [GeneratedRegex("<style>(.*?)</style>", RegexOptions.Singleline)]
    private static partial Regex Style();

    [GeneratedRegex("<script type=\"module\">(.*?)</script>", RegexOptions.Singleline)]
    private static partial Regex Script();

    [GeneratedRegex("<svg.*?</svg>", RegexOptions.Singleline)]
    private static partial Regex Svg();
}
