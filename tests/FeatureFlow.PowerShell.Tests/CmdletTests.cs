using System.Globalization;
using System.Text.Json;
using FeatureFlow.Flow;
using FeatureFlow.Testing;

namespace FeatureFlow.PowerShell.Tests;

/// <summary>What the cmdlets write, in pipelines of the double.</summary>
public sealed class CmdletTests
{
    private static Shell Shell(string? folder = null) => new(folder ?? Stories.Folder);

    [Fact]
    public void PredecessorsAgreeWithTheReference()
    {
        var golden = File.ReadAllLines(Repository.Fixture("golden", "stories260k", "predecessors.csv"))[1..];
        var features = golden.Select(l => l.Split(',')).Select(c => $"{c[0]}/res/{c[1]}").Distinct();
        var shell = Shell().Add<FindFeaturePredecessorCommand>(("Pack", "."), ("Top", 5)).Run(features);
        Assert.Empty(shell.Errors);
        var found = shell.Of<FeatureMatch>().ToArray();
        Assert.Equal(golden.Length, found.Length);
        foreach (var (line, match) in golden.Zip(found))
        {
            var c = line.Split(',');
            Assert.Equal(string.Join(',', c[..5]), FormattableString.Invariant($"{match.Layer},{match.Index},{match.SourceSite},{match.Rank},{match.SourceIndex}"));
            Assert.Equal(double.Parse(c[5], CultureInfo.InvariantCulture), match.Similarity, 1e-6);
        }
    }

    [Fact]
    public void GraphsAgreeWithTheReference()
    {
        using var golden = JsonDocument.Parse(File.ReadAllText(Repository.Fixture("golden", "stories260k", "graphs.json")));
        foreach (var expected in golden.RootElement.GetProperty("graphs").EnumerateArray().Concat(golden.RootElement.GetProperty("variants").EnumerateArray()))
        {
            var t = expected.GetProperty("thresholds");
            var graph = Shell().Add<NewFlowGraphCommand>(
                ("Pack", "."),
                ("Feature", expected.GetProperty("seed").GetString()),
                ("Direction", expected.GetProperty("direction").GetString()),
                ("ForwardModules", expected.GetProperty("forward_modules").GetString()),
                ("Top", expected.GetProperty("k").GetInt32()),
                ("ResidualThreshold", t.GetProperty("res").GetDouble()),
                ("MlpThreshold", t.GetProperty("mlp").GetDouble()),
                ("AttentionThreshold", t.GetProperty("att").GetDouble())).Run().Of<FlowGraph>().Single();
            Assert.Equal(expected.GetProperty("nodes").EnumerateArray().Select(n => n.GetProperty("id").GetString()).Order(), graph.Nodes.Select(n => n.Id).Order());
            var edges = expected.GetProperty("edges").EnumerateArray().ToDictionary(e => (e.GetProperty("target").GetString()!, e.GetProperty("predecessor").GetString()!), e => e.GetProperty("similarity").GetDouble());
            Assert.Equal(edges.Count, graph.Edges.Count);
            Assert.All(graph.Edges, e => Assert.Equal(edges[(e.Target, e.Predecessor)], e.Similarity, 1e-6));
        }
    }

    [Fact]
    public void SteeringStreamsWhatThePlansOfAGraphWrite()
    {
        using var folder = new TempFolder();
        var shell = Shell(Repository.Example("storyworld"))
            .Add<NewFlowGraphCommand>(("Pack", "."), ("Feature", "5/res/108"))
            .Add<NewSteeringPlanCommand>(("Coefficient", new[] { 4.0, 9.0 }), ("Layer", "4-5"), ("Schedule", "Exponential"), ("OutFile", folder.File("plans.csv")))
            .Add<InvokeSteeringCommand>(("Prompt", "At the wedding,"), ("MaxTokens", 6), ("Samples", 2), ("Baseline", true))
            .Run();
        Assert.Empty(shell.Errors);
        var results = shell.Of<SteeringResult>().ToArray();
        Assert.Equal(2 + 8, results.Length);
        Assert.Equal(["cumulative-exponential-L4-s4", "cumulative-exponential-L4-s9", "cumulative-exponential-L5-s4", "cumulative-exponential-L5-s9", "unsteered"], results.Select(r => r.Plan).Distinct().Order());
        Assert.All(results, r => Assert.Equal(r.Plan == "unsteered", r.Kl == 0));

        // graphs themselves, and plans of a file, say the same
        var direct = Shell(Repository.Example("storyworld"))
            .Add<NewFlowGraphCommand>(("Pack", "."), ("Feature", "5/res/108"))
            .Add<InvokeSteeringCommand>(("Prompt", "At the wedding,"), ("MaxTokens", 6), ("Coefficient", new[] { 9.0 }), ("Schedule", "Exponential"))
            .Run().Of<SteeringResult>().Single();
        var read = Shell(Repository.Example("storyworld"))
            .Add<NewSteeringPlanCommand>(("Path", folder.File("plans.csv")))
            .Add<InvokeSteeringCommand>(("Prompt", "At the wedding,"), ("MaxTokens", 6), ("Pack", "."))
            .Run().Of<SteeringResult>().Single(r => r.Plan == "cumulative-exponential-L5-s9");
        var piped = results.Single(r => r.Plan == "cumulative-exponential-L5-s9" && r.Sample == 0);
        Assert.Equal((piped.Text, piped.Text), (direct.Text, read.Text));
        TestEngine.AssertSame([(float)piped.Kl!, (float)piped.Kl], [(float)direct.Kl!, (float)read.Kl!]);

        var without = Shell(Repository.Example("storyworld")).Add<NewSteeringPlanCommand>(("Path", folder.File("plans.csv"))).Add<InvokeSteeringCommand>(("Prompt", "x")).Run();
        Assert.Contains("FF7009", without.Errors[0].ErrorId, StringComparison.Ordinal);
    }

    [Fact]
    public void SteeredTextsAreJudged()
    {
        var shell = Shell(Repository.Example("storyworld"))
            .Add<NewFlowGraphCommand>(("Pack", "."), ("Feature", "5/res/108"))
            .Add<InvokeSteeringCommand>(("Prompt", "At the wedding,"), ("Coefficient", new[] { 10.0 }), ("Samples", 4), ("Baseline", true))
            .Add<MeasureSteeringCommand>(("Subject", new[] { "sea", "wedding" }), ("Judge", "storyworld"))
            .Run();
        Assert.Empty(shell.Errors);
        var judged = shell.Of<SteeringJudgement>().ToArray();
        Assert.Equal(2 * 4 * 2, judged.Length);
        Assert.All(judged, j => Assert.Equal(j.Coherence!.Value / 5 * j.Behavioral!.Value / 5, j.Total!.Value, 12));
        double Sea(bool steered) => judged.Where(j => j.Subject == "sea" && j.Plan != "unsteered" == steered).Average(j => j.Behavioral!.Value);
        Assert.True(Sea(true) > Sea(false) + 0.3);
    }

    [Fact]
    public void ThePipelineOfTheReadmeRuns()
    {
        using var folder = new TempFolder();
        var file = folder.File("g.html");
        var shell = Shell()
            .Add<GetSaeFeatureCommand>(("Pack", "pack.yaml"), ("Layer", 4), ("Site", "res"), ("Index", 40))
            .Add<NewFlowGraphCommand>(("ResidualThreshold", 0.3), ("ModuleThreshold", 0.15))
            .Add<ExportFlowGraphCommand>(("Path", file), ("PassThru", true))
            .Run();
        Assert.Empty(shell.Errors);
        Assert.Equal(file, Assert.Single(shell.Of<FileInfo>()).FullName);
        Assert.Contains("4/res/40", File.ReadAllText(file), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("4", "res", "40", 1)]
    [InlineData("0-4", "res", "40", 5)]
    [InlineData("0..4", "res", "40", 5)]
    [InlineData("*", "*", "0-2", 45)]
    [InlineData("3-99", "m*", "510-600", 4)]
    [InlineData("1,3", "res,att", "7", 4)]
    [InlineData("77-99", "res", "7", 0)]
    public void LayersSitesAndIndicesTakeNumbersRangesAndWildcards(string layers, string sites, string indices, int count)
    {
        var shell = Shell().Add<GetSaeFeatureCommand>(("Pack", "."), ("Layer", layers.Split(',')), ("Site", sites.Split(',')), ("Index", indices)).Run();
        Assert.Empty(shell.Errors);
        Assert.Equal(count, shell.Output.Count);
        Assert.Equal(count, shell.Of<SaeFeature>().Select(f => f.Feature).Distinct().Count());
    }

    [Fact]
    public void TheOrderIsTheOneAskedFor() =>
        Assert.Equal(
            ["4/res/9", "4/res/3", "4/mlp/9", "4/mlp/3", "2/res/9", "2/res/3", "2/mlp/9", "2/mlp/3"],
            Shell().Add<GetSaeFeatureCommand>(("Pack", "."), ("Layer", new[] { 4, 2 }), ("Site", new[] { "res", "mlp" }), ("Index", new[] { 9, 3 })).Run().Of<SaeFeature>().Select(f => f.Feature));

    [Fact]
    public void AMatchPipedInStandsForTheFeatureThatWasFound()
    {
        var once = Shell().Add<FindFeaturePredecessorCommand>(("Pack", "."), ("Feature", "4/res/40"), ("Top", 1)).Run().Of<FeatureMatch>().ToArray();
        var twice = Shell()
            .Add<FindFeaturePredecessorCommand>(("Pack", "."), ("Feature", "4/res/40"), ("Top", 1))
            .Add<FindFeaturePredecessorCommand>(("Top", 1))
            .Run().Of<FeatureMatch>();
        Assert.Equal(once.Select(m => m.Source), twice.Select(m => m.Feature).Distinct());
    }

    [Fact]
    public void ARowOfTheToolsTableIsAFeatureToo()
    {
        var row = new Dictionary<string, object> { ["layer"] = "4", ["site"] = "res", ["index"] = "40", ["source_layer"] = "3", ["source_site"] = "mlp", ["source_index"] = "9" };
        Assert.Equal("3/mlp/9", Shell().Add<GetSaeFeatureCommand>(("Pack", ".")).Run([row]).Of<SaeFeature>().Single().Feature);
        Assert.Equal("4/res/40", Shell().Add<GetSaeFeatureCommand>(("Pack", "."), ("Layer", 4), ("Site", "res"), ("Index", 40)).Run([row]).Of<SaeFeature>().Single().Feature);
    }

    [Fact]
    public void AnObjectBindsByWhatItHas()
    {
        int Count(string key, object value) => Shell().Add<GetSaeFeatureCommand>(("Pack", ".")).Run([new Dictionary<string, object> { [key] = value }]).Output.Count;
        Assert.Equal(3 * Stories.Features, Count("Layer", 4));
        Assert.Equal(3 * Stories.Layers, Count("Index", 3));
        Assert.Equal("4/res/40", Shell().Add<NewFlowGraphCommand>(("Pack", "."), ("Feature", "4/res/40")).Add<GetSaeFeatureCommand>().Run().Of<SaeFeature>().Single().Feature);
    }

    [Fact]
    public void SuccessorsLookUp()
    {
        var matches = Shell().Add<FindFeatureSuccessorCommand>(("Pack", "."), ("Layer", 2), ("Index", 40), ("Top", 2)).Run().Of<FeatureMatch>().ToArray();
        Assert.Equal(["3/res", "3/res", "3/mlp", "3/mlp", "3/att", "3/att"], matches.Select(m => $"{m.SourceLayer}/{m.SourceSite}"));
        Assert.All(Shell().Add<FindFeatureSuccessorCommand>(("Pack", "."), ("Layer", 2), ("Index", 40), ("Among", "mlp")).Run().Of<FeatureMatch>(), m => Assert.Equal("mlp", m.SourceSite));
    }

    [Fact]
    public void GraphsFollowTheirParameters()
    {
        var graph = Shell().Add<NewFlowGraphCommand>(
            ("Pack", "."), ("Feature", "3/res/40"), ("Direction", "both"), ("Top", 2), ("ResidualThreshold", 0.4), ("ModuleThreshold", 0.2), ("AttentionThreshold", 0.25),
            ("LayerThreshold", new System.Collections.Hashtable { [2] = 0.9, ["0-1"] = new object[] { 0.1, 0.2, 0.3 }, [3] = new System.Collections.Hashtable { ["attention"] = 0.5, ["module"] = 0.6 } }),
            ("ForwardModules", "Successor"), ("MaxNodes", 99)).Run().Of<FlowGraph>().Single();
        var options = graph.Options;
        Assert.Equal((FlowDirection.Both, 2, ForwardModules.Successor, 99), (options.Direction, options.Top, options.ForwardModules, options.MaxNodes));
        Assert.Equal(new Thresholds(0.4, 0.2, 0.25), options.At(4));
        Assert.Equal(new Thresholds(0.9, 0.2, 0.25), options.At(2));
        Assert.Equal(new Thresholds(0.1, 0.2, 0.3), options.At(1));
        Assert.Equal(new Thresholds(0.4, 0.6, 0.5), options.At(3));
        Assert.All(graph.Edges.Where(e => e.Kind == "res" && e.Target.StartsWith('4')), e => Assert.True(e.Similarity >= 0.4));
    }

    [Fact]
    public void FeaturesAreFoundByWhatIsSaidOfThem()
    {
        using var folder = Stories.Described();
        var shell = Shell(folder.Path).Add<GetSaeFeatureCommand>(("Pack", "."), ("Description", new[] { "*ANIMALS", "pe?s" })).Run();
        var feature = Assert.Single(shell.Of<SaeFeature>());
        Assert.Equal(("4/res/7", "names of animals"), (feature.Feature, feature.Description));
        Assert.Empty(Shell(folder.Path).Add<GetSaeFeatureCommand>(("Pack", "."), ("Description", "animals")).Run().Output);
    }

    [Fact]
    public void SaesAreListedOfPacksAndFiles()
    {
        var all = Shell().Add<GetSaeCommand>(("Pack", ".")).Run().Of<SaeSummary>().ToArray();
        Assert.Equal(3 * Stories.Layers, all.Length);
        Assert.Equal((0, "res", 512, 64), (all[0].Layer, all[0].Site, all[0].FeatureCount, all[0].InputWidth));
        Assert.Equal(all.Where(s => s.Layer == 3).Select(s => s.Path), Shell().Add<GetSaeCommand>(("Pack", "."), ("Layer", 3)).Run().Of<SaeSummary>().Select(s => s.Path));
        var one = Shell(Path.GetDirectoryName(all[4].Path)).Add<GetSaeCommand>(("Path", "par*.npz")).Run().Of<SaeSummary>().Single();
        Assert.Equal((null, all[4].Layer, all[4].Site, all[4].Path), (one.Pack, one.Layer, one.Site, one.Path));
        Assert.Equal(all[4].Path, Shell().Add<GetSaeCommand>(("LiteralPath", all[4].Path)).Run().Of<SaeSummary>().Single().Path);

        // every SAE listed binds to the next command
        Assert.Equal(15, Shell().Add<GetSaeCommand>(("Pack", ".")).Add<GetSaeFeatureCommand>(("Index", 5)).Run().Output.Count);
    }

    [Fact]
    public void WeightsAreReadOnlyToBeChecked()
    {
        using var folder = Stories.Described();
        Assert.All(Shell(folder.Path).Add<GetSaeCommand>(("Pack", ".")).Run().Of<SaeSummary>(), s => Assert.Null(s.IsSound));
        var sound = Shell(folder.Path).Add<GetSaeCommand>(("Pack", "."), ("Layer", 4), ("Site", "mlp"), ("Check", true)).Run().Of<SaeSummary>().Single();
        Assert.True(sound.IsSound);
        Assert.Equal(1, sound.Report!.DecoderNorms!.Median, 1e-3);

        var file = folder.File("res", "layer_3.npz");
        var bytes = File.ReadAllBytes(file);
        bytes[bytes.Length / 2] ^= 0xff; // no longer what its checksum says
        File.WriteAllBytes(file, bytes);
        var shell = Shell(folder.Path).Add<GetSaeCommand>(("Path", "res/*.npz"), ("Check", true)).Run();
        Assert.Equal([false, true], shell.Of<SaeSummary>().Select(s => s.IsSound!.Value));
        Assert.StartsWith(file, Assert.Single(shell.Warnings), StringComparison.Ordinal);
        Assert.Empty(Shell(folder.Path).Add<GetSaeCommand>(("Path", "res/layer_3.npz")).Run().Errors);
    }

    [Fact]
    public void EverySaeFixtureIsListed()
    {
        var folders = Directory.GetDirectories(Repository.Fixture("saes"));
        var shell = Shell().Add<GetSaeCommand>(("LiteralPath", folders)).Run();
        Assert.Empty(shell.Errors);
        Assert.Equal(folders.Length, shell.Output.Count);
    }

    [Fact]
    public void ManyGraphsGoToOneFileOrToAFileEach()
    {
        using var folder = new TempFolder();
        Shell Export(params (string, object?)[] arguments) => Shell().Add<NewFlowGraphCommand>(("Pack", "."), ("Layer", 4), ("Index", "40-42")).Add<ExportFlowGraphCommand>(arguments).Run();
        Assert.Single(Export(("Path", folder.File("all.csv")), ("PassThru", true)).Output);
        Assert.Equal(
            ["stories260k-4-res-40.svg", "stories260k-4-res-41.svg", "stories260k-4-res-42.svg"],
            Export(("Path", folder.Path), ("Format", "svg"), ("PassThru", true)).Of<FileInfo>().Select(f => f.Name));
        Assert.Empty(Export(("Path", folder.File("new") + "/"), ("Format", "Dot")).Output);
        Assert.Equal(3, Directory.EnumerateFiles(folder.File("new"), "*.dot").Count());
        Assert.Equal("FF5071", Assert.Single(Export(("Path", folder.File("all.svg"))).Errors).ErrorId);
        Assert.False(File.Exists(folder.File("all.svg")));
    }

    [Fact]
    public void TheEngineTellsWhatItHoldsAndLetsGo()
    {
        Shell().Add<GetSaeFeatureCommand>(("Pack", "."), ("Layer", 1), ("Index", 5)).Run();
        Assert.Contains(Path.Combine(Stories.Folder, "pack.yaml"), Shell().Add<GetFlowEngineCommand>().Run().Of<FlowEngineStatus>().Single().Packs);
        var shell = Shell().Add<ClearFlowEngineCommand>().Run();
        Assert.Single(shell.Confirmations);
        Assert.Empty(shell.Output);
    }
}
