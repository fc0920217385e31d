using System.Reflection;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Generation;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>
/// Sweeps of steered texts side by side against one by one (every text a call of its own: its own prompt, decoding and measures, one row), and what steering costs over
/// plain generation. The Storyworld model, which the processor's caches hold, and the shape of GPT-2 small as it is published, in float32. Single texts run long enough before
/// anything is timed for the runtime to have compiled their paths for the last time: the first hundred are half as fast.
/// </summary>
internal sealed class SteerBenchmark : Benchmark
{
    private const int Rows = 64;

    public override string Name => "steer";

    public override string Measures => "sweeps of steered texts against one by one (Storyworld, GPT-2 small); steering over plain generation (--only storyworld|gpt2)";

    public override IEnumerable<Row> Run(BenchmarkOptions options) => (options.Only is "gpt2" ? [] : Storyworld(options)).Concat(options.Only is "storyworld" ? [] : Gpt2(options));

    private static IEnumerable<Row> Storyworld(BenchmarkOptions options)
    {
        const int texts = 1000, oneByOne = 200;
        var pack = Session.Open(Path.Combine(Root, "examples", "storyworld"));
        using var lease = FlowEngine.Shared.Model(pack.Pack.Model!);
        var model = lease.Model;
        var graph = FlowGraphBuilder.Build(pack, new FeatureId(5, Site.Res, 108), new FlowGraphOptions { Top = 2 });
        var ids = model.Tokenizer.Encode("At the wedding,");
        var generation = SteeringOptions.PaperGeneration with { StopAtEos = false, RowsTogether = Rows };

        // 50 plans of 20 samples: layers, coefficients, modes
        var features = SteeringFeatures.Of([graph]);
        var plans = (from layer in Enumerable.Range(1, 5)
                     from mode in new[] { SteeringMode.Single, SteeringMode.Cumulative }
                     from s in new[] { 2.0, 4, 6, 8, 12 }
                     select SteeringPlanner.Make(pack, features, new SteeringRecipe { Coefficient = s, Mode = mode, Layer = layer })).ToList();
        var tasks = (from plan in plans from sample in Enumerable.Range(0, texts / plans.Count) select new SteeringTask(plan, ids, "", sample)).ToList();
        var tokens = (double)texts * generation.MaxTokens;
        var on = $"Storyworld: {texts} texts of {generation.MaxTokens} tokens, {options.Threads} threads";

        foreach (var row in Sweep(options, on, pack, model, tasks, generation, oneByOne)) yield return row;

        // plain generation: as many texts side by side. Its prompt is computed once, a steered one once for each plan: that is part of what steering costs
        var plain = tasks.Select((t, i) => t with { Plan = SteeringPlan.Unsteered, Sample = i }).ToList();
        var rescale = SteeringPlanner.Make(pack, SteeringFeatures.Of([graph], sites: [Site.Res, Site.Mlp, Site.Att]), new SteeringRecipe { Method = EditMethod.Rescale, Coefficient = 0 });
        var rescaling = tasks.Select(t => t with { Plan = rescale }).ToList();
        var unmeasured = new SteeringOptions { Generation = generation, Measure = false };
        var times = Timing.Turns(
            options.Runs,
            Timing.Timed(() => Drain(Steerer.Run(pack, model, plain, unmeasured))),
            Timing.Timed(() => Drain(Steerer.Run(pack, model, tasks, unmeasured))),
            Timing.Timed(() => Drain(Steerer.Run(pack, model, rescaling, unmeasured))));
        yield return new Row($"plain generation: {on}", tokens / times[0].Median, "tokens/s", Spread: times[0].Spread);
        yield return new Row($"adding, {plans.Count} plans, up to {plans.Max(p => p.Edits.Count)} features", tokens / times[1].Median, "tokens/s", "plain generation", times[1].FasterThan(times[0]), 1 / 1.1, times[1].Spread);
        yield return new Row($"rescaling {rescale.Edits.Count} features at {rescale.Edits.Select(e => (e.Feature.Layer, e.Feature.Site)).Distinct().Count()} sites", tokens / times[2].Median, "tokens/s", "plain generation", times[2].FasterThan(times[0]), 1 / 1.1, times[2].Spread);
    }

    // made-up weights know no likely tokens: the draw is greedy
    private static IEnumerable<Row> Gpt2(BenchmarkOptions options)
    {
        const int features = 2048, texts = 2 * Rows, oneByOne = 4;
        int[] layers = [3, 6, 9, 11];
        var folder = Directory.CreateDirectory(Path.Combine(options.Folder, $"featureflow-bench-{Environment.ProcessId}")).FullName;
        try
        {
            MadeCheckpoint.Gpt2(Path.Combine(folder, "model"), DType.F32);
            foreach (var layer in layers)
            {
                Directory.CreateDirectory(Path.Combine(folder, $"layer_{layer}"));
                MadeNpz.Write(Path.Combine(folder, $"layer_{layer}", "params.npz"), 768, features);
            }

            File.WriteAllText(Path.Combine(folder, "pack.yaml"), "version: 1\nname: made-up\nmodel: model\nsaes:\n  - site: res\n    path: layer_{layer}/params.npz\n");
            var pack = Session.Open(folder);
            using var lease = FlowEngine.Shared.Model(pack.Pack.Model!);
            var generation = new GenerationOptions { Temperature = 0, MaxTokens = 24, StopAtEos = false, RowsTogether = Rows };
            var plans = (from layer in layers from s in new[] { 4.0, 8 } select Plan(layer, s)).ToList();
            int[] ids = [50256, 818, 262, 3726];
            var tasks = (from plan in plans from sample in Enumerable.Range(0, texts / plans.Count) select new SteeringTask(plan, ids, "", sample)).ToList();
            var on = $"GPT-2 small, float32: {texts} texts of {generation.MaxTokens} tokens, {options.Threads} threads";
            foreach (var row in Sweep(options with { Runs = Math.Min(options.Runs, 3) }, on, pack, lease.Model, tasks, generation, oneByOne)) yield return row;
        }
        finally
        {
            FlowEngine.Shared.Clear();
            Directory.Delete(folder, recursive: true);
        }

        static SteeringPlan Plan(int layer, double s)
        {
            var feature = new FeatureId(layer, Site.Res, 7);
            return new SteeringPlan { Name = $"{layer} {s}", Edits = [new FeatureEdit(feature, EditMethod.Add, s)], Targets = [feature] };
        }
    }

    // measured and unmeasured, each against one by one; and the most that any way of computing it could reach
    private static IEnumerable<Row> Sweep(BenchmarkOptions options, string on, OpenedPack pack, LanguageModel model, List<SteeringTask> tasks, GenerationOptions generation, int oneByOne)
    {
        double texts = tasks.Count;
        for (var i = 0; i < 2 && oneByOne >= 100; i++)
        {
            OneByOne(measure: true);
            OneByOne(measure: false);
        }

        var times = Timing.Turns(
            options.Runs,
            Timing.Timed(() => Together(measure: true)),
            () => Timing.Once(() => OneByOne(measure: true)) * texts / oneByOne,
            Timing.Timed(() => Together(measure: false)),
            () => Timing.Once(() => OneByOne(measure: false)) * texts / oneByOne,
            () => FmaPeak.Seconds(options.Threads));
        yield return new Row($"sweep, measured: {on}", texts / times[0].Median, "texts/s", $"one by one {texts / times[1].Median:0.0} texts/s", times[0].FasterThan(times[1]), 8, times[0].Spread);
        yield return new Row("sweep, texts alone", texts / times[2].Median, "texts/s", $"one by one {texts / times[3].Median:0.0} texts/s", times[2].FasterThan(times[3]), 8, times[2].Spread);

        var peak = options.Threads * FmaPeak.Operations / times[4].Median;
        var (writing, measuring) = Operations(model.Config, tasks, generation.MaxTokens);
        yield return new Row("  what the FMA peak would allow, measured", texts / ((writing + measuring) / peak), "texts/s", "one by one", times[1].Median / ((writing + measuring) / peak));
        yield return new Row("  what the FMA peak would allow, texts alone", texts / (writing / peak), "texts/s", "one by one", times[3].Median / (writing / peak));

        void Together(bool measure) => Drain(Steerer.Run(pack, model, tasks, new SteeringOptions { Generation = generation, Measure = measure }));

        void OneByOne(bool measure)
        {
            for (var i = 0; i < oneByOne; i++) Drain(Steerer.Run(pack, model, [tasks[i * (tasks.Count / oneByOne)]], new SteeringOptions { Generation = generation, Measure = measure }));
        }
    }

    // operations of the products alone: every token through all layers and the unembedding; to measure, through the layers behind the first edit, and one unembedding more
    private static (double Writing, double Measuring) Operations(ModelConfig c, List<SteeringTask> tasks, int tokens)
    {
        var logits = (double)c.Width * c.Vocabulary;
        var layer = (c.ProductWeights - logits) / c.Layers;
        var edited = tasks.Sum(t => c.Layers - t.Plan.Edits.Min(e => e.Feature.Layer) - 1); // all plans edit what layers leave
        return (2.0 * tasks.Count * tokens * ((layer * c.Layers) + logits), (2.0 * edited * (tokens - 1) * layer) + (2.0 * tasks.Count * tokens * logits));
    }

    /// <summary>The repository's folder.</summary>
    internal static string Root { get; } = typeof(SteerBenchmark).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "RepositoryRoot").Value!;

    private static void Drain<T>(IEnumerable<T> all)
    {
        foreach (var one in all) GC.KeepAlive(one);
    }
}
