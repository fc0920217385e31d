using System.Reflection;
using FeatureFlow.Experiments;
using FeatureFlow.Experiments.Texts;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>
/// Deactivations: one token of one layer computed anew for every cut, against a whole forward pass for every cut and against the same in libtorch; and correlations of all pairs of two
/// dictionaries of 16,384 features over 100,000 tokens, against dense sums on a sample.
/// </summary>
internal sealed class CausalBenchmark : Benchmark
{
    public override string Name => "causal";

    public override string Measures => "cuts of predecessors a second against whole passes and libtorch; correlations of 16,384 x 16,384 features over 100,000 tokens";

    public override IEnumerable<Row> Run(BenchmarkOptions options) => Cuts(options).Concat(Correlations());

    private static IEnumerable<Row> Cuts(BenchmarkOptions options)
    {
        const int texts = 12, sampled = 5, perToken = 25, tokens = 128;
        var root = Root();
        var pack = Session.Open(Path.Combine(root, "examples", "storyworld"));
        using var lease = FlowEngine.Shared.Model(pack.Pack.Model!);
        var model = lease.Model;
        List<TokenDocument> documents = [.. new TokenizeOptions(MaxTokens: tokens).Tokenize(Corpora.Find(Path.Combine(root, "examples", "texts", "stories.jsonl")).Read(), model.Tokenizer).Where(d => d.Ids.Length == tokens).Take(texts)];
        var plan = new CausalPlan { Texts = texts, TokensPerText = sampled, TargetsPerToken = perToken };
        var targets = plan.Draw(pack, model, documents, [.. Enumerable.Range(0, documents.Count)], null);
        var tries = new CausalOptions { Strategies = [new CosineMatcher(pack)], Exhaustive = true, OneAtATime = false, Recorded = false, Sweep = [], Losses = [] };
        var report = CausalTests.Run(pack, model, documents, targets, tries);
        var (cuts, computed) = (report.Cuts, report.Computed);

        const int together = 16;
        var batch = new TokenBatch([.. Enumerable.Repeat(documents[0].Ids, together)]);
        var layers = model.Config.Layers;
        var batches = documents.Count * (layers - 1);
        using var torch = Python.TorchOfCuts(options.Threads, documents.Count, tokens, model.Config, 1024, sampled, (int)(cuts / batches));
        using var shared = Python.TorchOfCuts(options.Threads, documents.Count, tokens, model.Config, 1024, sampled, (int)(computed / batches), targets.Count / batches);
        var times = Timing.Turns(
            Math.Min(5, options.Runs),
            Timing.Timed(() => CausalTests.Run(pack, model, documents, targets, tries)),
            Timing.Timed(() => model.Forward(batch, new ForwardOptions { Logits = LogitsWanted.None }).Dispose()),
            torch is null ? () => 1 : torch.Seconds,
            shared is null ? () => 1 : shared.Seconds);
        var (mine, passes) = (cuts / times[0].Median, together / times[1].Median);
        yield return new Row($"{cuts} cuts, {targets.Count} targets, {documents.Count} texts of {tokens} tokens, {layers} layers, {Text.Threads(options.Threads)}", mine, "cuts/s", "whole passes", mine / passes, Spread: times[0].Spread);
        yield return new Row("  of them different, each computed once", computed / times[0].Median, "cuts/s", "whole passes", computed / times[0].Median / passes);
        yield return new Row("  whole passes", passes, "passes/s", FormattableString.Invariant($"limit {tokens * layers} different cuts a pass"), Spread: times[1].Spread);
        yield return torch is null ? Row.Absent("  the same in libtorch, cut by cut", "libtorch") : new Row("  the same in libtorch, cut by cut", cuts / times[2].Median, "cuts/s", "libtorch", times[0].FasterThan(times[2]), Spread: times[2].Spread);
        yield return shared is null ? Row.Absent("  in libtorch, each different cut once", "libtorch") : new Row("  in libtorch, each different cut once", cuts / times[3].Median, "cuts/s", "libtorch", times[0].FasterThan(times[3]), Spread: times[3].Spread);
    }

    private static IEnumerable<Row> Correlations()
    {
        const int features = 16_384, tokens = 100_000, active = 64, sample = 3;
        var places = new[] { new Place(0, Site.Res), new Place(1, Site.Res) };
        using var spill = new ActivationSpill(0);
        var known = places.Select((p, i) => (p, Sparse: Made((ulong)i + 1))).ToList();
        var seconds = 0.0;
        IReadOnlyList<IReadOnlyList<Candidate>> found = [];
        var extra = Memory.Extra(() => seconds = Timing.Once(() =>
        {
            using var pearson = new PearsonMatcher(known, 5);
            found = pearson.Match(places[1].Address, places[0].Address, [.. Enumerable.Range(0, features)], default);
        }));
        yield return new Row($"all {features} x {features} correlations over {tokens} tokens, {active} active at a token, top 5", seconds, "s");
        yield return new Row(FormattableString.Invariant($"  memory beyond the activations, of which {spill.Bytes / 1048576} MiB are in a file"), extra, "MiB", FormattableString.Invariant($"all sums of products: {8.0 * features * features / 1048576:0} MiB"), 8.0 * features * features / 1048576 / extra);

        // the definition, for a few targets against all
        double worst = 0;
        for (var t = 0; t < sample; t++)
        {
            var target = 1 + (t * 5000);
            var x = Dense(known[1].Sparse, target);
            foreach (var candidate in found[target]) worst = Math.Max(worst, Math.Abs(candidate.Score - Correlation(x, Dense(known[0].Sparse, candidate.Index))));
        }

        yield return new Row($"  largest error of {sample * 5} of them against dense sums", worst, "", Goal: 1e-10);

        // Zipf: a few features are active often, most rarely
        SparseActivations Made(ulong seed)
        {
            var sparse = new SparseActivations(features, spill);
            var random = new Prng(9, seed);
            const int block = 500;
            using var rows = Tensor.Allocate(DType.F32, block, features);
            for (var start = 0; start < tokens; start += block)
            {
                var z = rows.AsSpan<float>();
                z.Clear();
                for (var t = 0; t < block; t++)
                {
                    for (var i = 0; i < active; i++)
                    {
                        var u = (random.Next(1_000_000) + 1) / 1_000_001.0;
                        z[(t * features) + Math.Min(features - 1, (int)(features * u * u * u))] = 1 + (random.Next(1000) / 100f);
                    }
                }

                sparse.Append(rows);
            }

            return sparse;
        }

        static double[] Dense(SparseActivations sparse, int feature) => [.. Enumerable.Range(0, sparse.Rows).Select(row => (double)sparse.At(row, feature))];

        static double Correlation(double[] x, double[] y)
        {
            double mx = x.Average(), my = y.Average();
            return x.Zip(y, (a, b) => (a - mx) * (b - my)).Sum() / Math.Sqrt(x.Sum(a => (a - mx) * (a - mx)) * y.Sum(b => (b - my) * (b - my)));
        }
    }

    private static string Root() => typeof(CausalBenchmark).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "RepositoryRoot").Value!;
}
