using System.Reflection;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Models.Generation;
using FeatureFlow.Saes;

namespace FeatureFlow.Benchmarks;

/// <summary>Steering the Storyworld model: a sweep of 1,000 texts side by side against one by one, and what steering costs over plain generation.</summary>
internal sealed class SteerBenchmark : Benchmark
{
    private const int Texts = 1000, OneByOne = 40, Rows = 64;

    public override string Name => "steer";

    public override string Measures => "a sweep of 1,000 steered texts against one by one; steering over plain generation (Storyworld)";

    public override IEnumerable<Row> Run(BenchmarkOptions options)
    {
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
        var tasks = (from plan in plans from sample in Enumerable.Range(0, Texts / plans.Count) select new SteeringTask(plan, ids, "", sample)).ToList();
        var tokens = (double)Texts * generation.MaxTokens;
        var on = $"{Texts} texts of {generation.MaxTokens} tokens, {options.Threads} threads";

        var sweep = Timing.Turns(
            options.Runs,
            Timing.Timed(() => Write(tasks, measure: true)),
            () => Timing.Once(() => OneAtATime(tasks)) * Texts / OneByOne);
        yield return new Row($"sweep, measured: {on}", Texts / sweep[0].Median, "texts/s", $"one by one {Texts / sweep[1].Median:0.0} texts/s", sweep[0].FasterThan(sweep[1]), 8, sweep[0].Spread);

        // plain generation of the same prompts: one computation of the prompt for each plan there too
        var prompts = tasks.Select(t => new GenerationPrompt(t.Ids, t.Sample, t.Plan)).ToList();
        var rescale = SteeringPlanner.Make(pack, SteeringFeatures.Of([graph], sites: [Site.Res, Site.Mlp, Site.Att]), new SteeringRecipe { Method = EditMethod.Rescale, Coefficient = 0 });
        var rescaling = tasks.Select(t => t with { Plan = rescale }).ToList();
        var times = Timing.Turns(
            options.Runs,
            Timing.Timed(() => Drain(new FeatureFlow.Models.Generation.Generator(model).Run(prompts, generation))),
            Timing.Timed(() => Write(tasks, measure: false)),
            Timing.Timed(() => Write(rescaling, measure: false)));
        yield return new Row($"plain generation: {on}", tokens / times[0].Median, "tokens/s", Spread: times[0].Spread);
        yield return new Row($"adding, {plans.Count} plans, up to {plans.Max(p => p.Edits.Count)} features", tokens / times[1].Median, "tokens/s", "plain generation", times[1].FasterThan(times[0]), 1 / 1.1, times[1].Spread);
        yield return new Row($"rescaling {rescale.Edits.Count} features at {rescale.Edits.Select(e => (e.Feature.Layer, e.Feature.Site)).Distinct().Count()} sites", tokens / times[2].Median, "tokens/s", "plain generation", times[2].FasterThan(times[0]), 1 / 1.1, times[2].Spread);

        void Write(IReadOnlyList<SteeringTask> all, bool measure) => Drain(Steerer.Run(pack, model, all, new SteeringOptions { Generation = generation, Measure = measure }));

        void OneAtATime(IReadOnlyList<SteeringTask> all)
        {
            for (var i = 0; i < OneByOne; i++) Drain(Steerer.Run(pack, model, [all[i * (Texts / OneByOne)]], new SteeringOptions { Generation = generation }));
        }
    }

    private static string Root { get; } = typeof(SteerBenchmark).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "RepositoryRoot").Value!;

    private static void Drain<T>(IEnumerable<T> all)
    {
        foreach (var one in all) GC.KeepAlive(one);
    }
}
