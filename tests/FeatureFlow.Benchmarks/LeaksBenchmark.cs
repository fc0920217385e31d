using System.Reflection;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Generation;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;
using FeatureFlow.Saes.Training;
using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>
/// The engine's work of every cmdlet, 10,000 times each over a small model and small made-up SAEs: memory of the process and tensors of libtorch after a tenth, a half and all of the calls. What
/// grows fails the run.
/// </summary>
internal sealed class LeaksBenchmark : Benchmark
{
    // a tensor that is left behind at every call, or 2 KiB of memory
    private const long TensorsMore = 16;
    private const double MebibytesMore = 16;
    private const int Features = 64, Layers = 2;

    public override string Name => "leaks";

    public override string Measures => "the engine's work of every cmdlet 10,000 times (--calls): memory and tensors stay as they are (any engine: --engine)";

    public override IEnumerable<Row> Run(BenchmarkOptions options)
    {
        using var tensors = EngineRequest.Parse(options.Engine ?? "cpu").Open();
        yield return new Row($"{tensors.Info.Name}, {tensors.Info.Device}, {tensors.Info.Instructions}", null, "");
        var folder = Directory.CreateDirectory(Path.Combine(options.Folder, $"featureflow-bench-{Environment.ProcessId}")).FullName;
        try
        {
            using var flow = new FlowEngine(tensors);
            using var lease = flow.Model(Path.Combine(typeof(LeaksBenchmark).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "RepositoryRoot").Value!, "tests", "fixtures", "models", "gpt2-hub-layout"));
            foreach (var (cmdlet, work) in Works(options, tensors, flow, lease.Model, folder).Where(w => options.Only is null || w.Cmdlet.Contains(options.Only, StringComparison.OrdinalIgnoreCase)))
            {
                var steps = new[] { options.Calls / 10, options.Calls / 2, options.Calls };
                var found = new List<(double Mebibytes, long Tensors)>();
                for (var i = 1; i <= options.Calls; i++)
                {
                    work();
                    if (steps.Contains(i)) found.Add(Held(tensors));
                }

                var (mebibytes, more) = (found[^1].Mebibytes - found[0].Mebibytes, found[^1].Tensors - found[0].Tensors);
                yield return new Row(cmdlet, mebibytes, "MiB", $"{string.Join(" ", found.Select(f => $"{f.Mebibytes:0}"))} MiB; {string.Join(" ", found.Select(f => f.Tensors))} tensors", mebibytes <= MebibytesMore && more <= TensorsMore ? 1 : 0, 1, Must: true);
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Pack Pack(string folder, LanguageModel model, int features, params Site[] sites)
    {
        var saes = (from layer in Enumerable.Range(0, Layers) from site in sites select new PackSae(layer, site, Path.Combine(folder, $"{site.Name()}_{layer}", "params.npz"))).ToList();
        foreach (var sae in saes)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(sae.Path)!);
            MadeNpz.Write(sae.Path, model.Config.Width, features);
        }

        File.WriteAllText(Path.Combine(folder, "pack.yaml"), "");
        return new Pack("made", Path.Combine(folder, "pack.yaml"), model.Folder, saes, []);
    }

    private static IEnumerable<(string Cmdlet, Action Work)> Works(BenchmarkOptions options, ITensorEngine engine, FlowEngine flow, LanguageModel model, string folder)
    {
        var made = Pack(folder, model, Features, Site.Res, Site.Mlp, Site.Att);
        var pack = flow.Open(made, FeatureDescriptions.None);
        int[] ids = [2, 9, 17, 30, 101, 7];
        var document = new TokenDocument(ids, true, "made up");
        var feature = new FeatureId(1, Site.Res, 3);
        var path = made.Find(0, Site.Res)!.Path;
        yield return ("Get-Sae", () =>
        {
            using var sae = Sae.Open(path);
            sae.Check(engine);
        });
        yield return ("Get-SaeFeature", () => _ = pack.Features(0, Site.Res, [3]).ToList());
        yield return ("Find-FeaturePredecessor", () => _ = PredecessorSearch.Find(pack, [feature], 5).ToList());
        yield return ("Find-FeatureSuccessor", () => _ = SuccessorSearch.Find(pack, [new FeatureId(0, Site.Res, 3)], 5).ToList());
        yield return ("New-FlowGraph", () => FlowGraphBuilder.Build(pack, feature, new FlowGraphOptions { Thresholds = new Thresholds(-1, -1, -1) }));
        yield return ("New-FeatureMap", () => FeatureMapBuilder.Build(pack, 0, Site.Res, 1, Site.Res));
        var map = FeatureMapBuilder.Build(pack, 0, Site.Res, 1, Site.Res);
        yield return ("Join-FeatureMap", () => FeatureMapMeasurement.Of(FeatureMapAlgebra.Join([map])));
        var little = new Bootstrap(Resamples: 20); // the rest is no engine's work
        yield return ("Measure-FeatureMap", () =>
        {
            var errors = FeatureMapBuilder.WithErrors(pack, map);
            var activity = new FeatureActivity(pack, model, [document], [new SiteAddress(0, Site.Res), new SiteAddress(1, Site.Res)]);
            _ = FeatureMapMeasurement.Of(errors).With(little.Mean(activity.MatchShares(errors)));
        });
        // every substitute with its pass through the model; a few features, and as few tokens, because there are so many of them
        var few = flow.Open(Pack(Path.Combine(folder, "few"), model, 8, Site.Res), FeatureDescriptions.None);
        var start = new TokenDocument(ids[..3], true, "made up");
        var approximation = new ApproximationOptions { Quantiles = [0.5], TransitionTops = [1], Bootstrap = little };
        yield return ("Measure-LayerApproximation", () => LayerApproximations.Measure(few, model, [start], approximation));

        var graph = FlowGraphBuilder.Build(pack, feature, new FlowGraphOptions { Thresholds = new Thresholds(-1, -1, -1), Top = 2 });
        yield return ("Export-FlowGraph", () => GraphFile.Render(graph, GraphFormat.Json));
        SteeringPlan Plan() => SteeringPlanner.Make(pack, SteeringFeatures.Of([graph]), new SteeringRecipe { Coefficient = 4, Mode = SteeringMode.Cumulative, Layer = 1 });
        yield return ("New-SteeringPlan", () => Plan());
        var tasks = new[] { new SteeringTask(Plan(), ids, "") };
        var one = SteeringOptions.PaperGeneration with { MaxTokens = 1, StopAtEos = false };
        yield return ("Invoke-Steering", () => _ = Steerer.Run(pack, model, tasks, new SteeringOptions { Generation = one }).ToList());
        yield return ("Measure-Steering", () => TextSurprise.Measure(model, [(ids, 2)]));
        var prompts = new[] { new GenerationPrompt(ids) };
        yield return ("Invoke-Generation", () => _ = new Models.Generation.Generator(model, decode: false).Run(prompts, one).ToList());
        var capture = new SiteCapture(engine, [new SiteAddress(0, Site.Res), new SiteAddress(1, Site.Mlp)]);
        yield return ("Get-Activation", () => model.Forward(new TokenBatch([ids]), new ForwardOptions { Hook = capture, LastLayer = 1, Logits = LogitsWanted.None }).Dispose());
        var sampled = SampledText.Draw([("made up", document)], 2, 1);
        yield return ("Measure-FeatureGroup", () => GroupMeasurement.Measure(pack, model, sampled));
        var causal = new CausalPlan { Strategies = ["top1"], Texts = 1, TokensPerText = 1, TargetsPerToken = 1, SweepTargets = 0, Seed = 1 };
        yield return ("Measure-FeatureCausality", () => causal.Run(pack, model, [document]));
        using var measured = Sae.Open(path, Site.Res, 0);
        yield return ("Measure-Sae", () => SaeEvaluation.Measure(model, [document], [measured]));

        using var x = Made.Matrix(5, 64, 16);
        var at = new SiteAddress(0, Site.Res);
        yield return ("New-Sae", () =>
        {
            using var trainer = new SaeTrainer(engine, new ArrayActivationSource(engine, [(at, x)], seed: 1, "made up"), [new SaeRecipe { Address = at, FeatureCount = 32, TargetL0 = 4 }], new SaeTrainingOptions { Steps = 2, BatchSize = 16, BufferTokens = 64, Seed = 1 });
            trainer.Run();
            trainer.Results();
        });
        using var sealedRows = Made.Matrix(6, 64, 16);
        ((HostStorage)sealedRows.Storage).Seal();
        using var norms = Tensor.Allocate(DType.F32, 64);
        yield return ("Set-FlowEngine, Get-FlowEngine", () =>
        {
            using var other = EngineRequest.Parse(options.Engine ?? "cpu").Open();
            other.RowNorms(sealedRows, norms);
            _ = (other.Info, other.Memory);
        });
        yield return ("Clear-FlowEngine", () =>
        {
            engine.RowNorms(sealedRows, norms);
            engine.Trim();
        });
    }

    private static (double, long) Held(ITensorEngine engine)
    {
        for (var i = 0; i < 2; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }

        return (Memory.Now, engine.Memory?.Tensors ?? 0);
    }
}
