using FeatureFlow.Models.Training;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Models.Tests.Training;

public sealed class TrainerTests
{
    private static readonly LlamaShape Shape = new(Layers: 2, Width: 48, Heads: 3, Inner: 80, Vocabulary: 37, Context: 24);

    private static TrainingPlan Plan => new() { Shape = Shape, Rows = 4, RowsAtOnce = 2, Steps = 40, WarmUp = 5, PeakRate = 0.01, Seed = 3, Unpredicted = 0 };

    [Theory]
    [InlineData("all")]
    [InlineData("embedding")]
    [InlineData("qkv")]
    [InlineData("o")]
    [InlineData("gateup")]
    [InlineData("down")]
    [InlineData("gains")]
    public void The_gradient_is_the_slope_of_the_loss(string part)
    {
        using var network = new LlamaNetwork(Shape, 2, CpuEngine.Shared);
        using LlamaParameters w = new(Shape), g = new(Shape);
        w.Draw(5);
        var random = new Prng(9);
        // larger outputs than at the start, so that every path matters
        foreach (ref var x in w.Flat.AsSpan<float>()) x = (float)((x * 1.5) + (0.05 * random.NextGaussian()));
        var (ids, targets) = Batch(2);
        network.Run(w, ids, targets, g);
        var clean = w.Flat.AsSpan<float>().ToArray();
        var direction = new float[clean.Length];
        foreach (var (start, count) in Parts(w, part))
        {
            // in proportion to what is there: embeddings are small, gains are not
            var size = Math.Sqrt(clean.AsSpan(start, count).ToArray().Average(x => x * x));
            for (var i = start; i < start + count; i++) direction[i] = (float)(size * random.NextGaussian());
        }

        double slope = 0;
        var gradient = g.Flat.AsSpan<float>();
        for (var i = 0; i < direction.Length; i++) slope += (double)direction[i] * gradient[i];

        double At(double h)
        {
            var now = w.Flat.AsSpan<float>();
            for (var i = 0; i < now.Length; i++) now[i] = (float)(clean[i] + (h * direction[i]));
            return network.Run(w, ids, targets);
        }

        // fourth order, so that a step wide enough for float32 is still exact
        const double H = 2e-3;
        var measured = ((8 * (At(H) - At(-H))) - (At(2 * H) - At(-2 * H))) / (12 * H);
        Assert.True(Math.Abs(measured - slope) <= 2e-3 * (Math.Abs(slope) + 1), $"{part}: slope {slope}, measured {measured}");
    }

    [Fact]
    public void Targets_that_do_not_count_give_no_loss_and_no_gradient()
    {
        using var network = new LlamaNetwork(Shape, 2, CpuEngine.Shared);
        using LlamaParameters w = new(Shape), g = new(Shape);
        w.Draw(5);
        var (ids, targets) = Batch(2);
        Array.Fill(targets, -1);
        Assert.Equal(0, network.Run(w, ids, targets, g));
        Assert.All(g.Flat.AsSpan<float>().ToArray(), x => Assert.Equal(0, x));
    }

    [Fact]
    public void Later_tokens_do_not_change_what_is_predicted_before_them()
    {
        using var network = new LlamaNetwork(Shape, 2, CpuEngine.Shared);
        using var w = new LlamaParameters(Shape);
        w.Draw(5);
        var (ids, targets) = Batch(2);
        for (var row = 0; row < 2; row++) targets.AsSpan((row * 24) + 10, 14).Fill(-1);
        var loss = network.Run(w, ids, targets);
        for (var row = 0; row < 2; row++) ids.AsSpan((row * 24) + 10, 14).Fill(7);
        Assert.Equal(loss, network.Run(w, ids, targets));
        ids[3] = (ids[3] + 1) % Shape.Vocabulary;
        Assert.NotEqual(loss, network.Run(w, ids, targets));
    }

    [Fact]
    public void Training_learns_what_there_is_to_learn()
    {
        using var trainer = new LanguageModelTrainer(Plan with { Steps = 150 }, new Counting(), CpuEngine.Shared);
        var first = trainer.Advance();
        Assert.InRange(first.Loss, Math.Log(Shape.Vocabulary) - 1, Math.Log(Shape.Vocabulary) + 1);
        var last = first;
        while (trainer.Step < 150) last = trainer.Advance();
        Assert.InRange(last.Loss, 0, 0.4); // only the first two ids of a row are not certain
        Assert.InRange(trainer.Evaluate(new Counting(), 1_000_000, 8), 0, 0.4);
    }

    [Fact]
    public void A_run_that_was_killed_ends_in_the_same_bits_whatever_the_threads()
    {
        using var folder = new TempFolder();
        var path = folder.File("checkpoint.safetensors");
        var straight = Run(20, threads: 1);
        using (var killed = new LanguageModelTrainer(Plan, new Counting(), CpuEngine.Shared))
        {
            for (var i = 0; i < 12; i++) killed.Advance();
            killed.Save(path);
            for (var i = 0; i < 3; i++) killed.Advance(); // lost
        }

        using var engine = new CpuEngine(3);
        using var resumed = new LanguageModelTrainer(Plan, new Counting(), engine);
        Assert.True(resumed.TryResume(path));
        Assert.Equal(12, resumed.Step);
        while (resumed.Step < 20) resumed.Advance();
        Assert.Equal(straight, resumed.Weights.Flat.AsSpan<float>().ToArray());
        using var other = new LanguageModelTrainer(Plan with { Seed = 4 }, new Counting(), engine);
        Assert.Equal("FF2401", Assert.Throws<FeatureFlowException>(() => other.TryResume(path)).Code);
        Assert.False(other.TryResume(folder.File("none")));
    }

    [Fact]
    public void The_rate_rises_and_falls()
    {
        Assert.Equal(0.002, Plan.Rate(1), 12);
        Assert.Equal(0.01, Plan.Rate(5), 12);
        Assert.Equal(0.0002, Plan.Rate(40), 12);
        Assert.All(Enumerable.Range(5, 35), s => Assert.True(Plan.Rate(s + 1) < Plan.Rate(s)));
    }

    [Fact]
    public void The_export_is_a_checkpoint_of_the_library()
    {
        using var folder = new TempFolder();
        using var trainer = new LanguageModelTrainer(Plan, new Counting(), CpuEngine.Shared);
        trainer.Export(folder.Path, 0, 1);
        using var file = SafetensorsFile.Open(folder.File("model.safetensors"));
        Assert.Equal(2 + (9 * Shape.Layers), file.Entries.Count);
        Assert.All(file.Entries, e => Assert.Equal(DType.F16, e.DType));
        Assert.Equal([48, 48], file.Entry("model.layers.1.self_attn.k_proj.weight").Shape);
        Assert.Equal([80, 48], file.Entry("model.layers.0.mlp.up_proj.weight").Shape);
        Assert.Equal(Shape.ParameterCount, file.Entries.Sum(e => e.Shape.Aggregate(1L, (n, s) => n * s)));
        Assert.Contains("\"LlamaForCausalLM\"", File.ReadAllText(folder.File("config.json")), StringComparison.Ordinal);
    }

    private static float[] Run(int steps, int threads)
    {
        using var engine = new CpuEngine(threads);
        using var trainer = new LanguageModelTrainer(Plan, new Counting(), engine);
        while (trainer.Step < steps) trainer.Advance();
        return trainer.Weights.Flat.AsSpan<float>().ToArray();
    }

    private static (int[] Ids, int[] Targets) Batch(int rows)
    {
        var random = new Prng(2);
        var ids = Enumerable.Range(0, rows * Shape.Context).Select(_ => random.Next(Shape.Vocabulary)).ToArray();
        var targets = ids.Select((_, i) => i % 7 == 3 ? -1 : random.Next(Shape.Vocabulary)).ToArray();
        return (ids, targets);
    }

    private static IEnumerable<(int Start, int Count)> Parts(LlamaParameters w, string part)
    {
        Tensor[] tensors = part switch
        {
            "embedding" => [w.Embedding_VD],
            "qkv" => [.. w.Layers.Select(l => l.Qkv)],
            "o" => [.. w.Layers.Select(l => l.O)],
            "gateup" => [.. w.Layers.Select(l => l.GateUp)],
            "down" => [.. w.Layers.Select(l => l.Down)],
            "gains" => [.. w.Layers.SelectMany(l => (Tensor[])[l.AttentionGain_D, l.MlpGain_D]), w.FinalGain_D],
            _ => [w.Embedding_VD, w.FinalGain_D, .. w.Layers.SelectMany(l => (Tensor[])[l.AttentionGain_D, l.Qkv, l.O, l.MlpGain_D, l.GateUp, l.Down])],
        };
        return tensors.Select(t => ((int)(t.ByteOffset / sizeof(float)), (int)t.Count));
    }

    // rows that count on: the first two ids say how
    private sealed class Counting : ITrainingRows
    {
        public string Identity => "counting";

        public void Fill(long index, Span<int> ids)
        {
            var random = new Prng(77, (ulong)index);
            var (start, by) = (random.Next(36), 1 + random.Next(3));
            for (var i = 0; i < ids.Length; i++) ids[i] = 1 + ((start + (i * by)) % 36);
        }
    }
}
