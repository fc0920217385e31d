using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes.Training;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Saes.Tests.Training;

/// <summary>Activations and losses of a small random model, against forward passes of one document at a time.</summary>
public sealed class ModelSourceTests : IDisposable
{
    private static readonly SiteAddress[] s_sites = [new(0, Site.Res), new(1, Site.Mlp), new(1, Site.AttZ)];

    private readonly LanguageModel _model = LanguageModel.Open(Repository.Fixture("models", "llama31-headdim-tied"), CpuEngine.Shared);
    private readonly TempFolder _folder = new();
    private readonly IReadOnlyList<TokenDocument> _documents;

    public ModelSourceTests()
    {
        var prng = new Prng(4);
        _documents = [.. Enumerable.Range(0, 12).Select(i => new TokenDocument([.. Enumerable.Range(0, i == 5 ? 1 : 3 + prng.Next(20)).Select(_ => prng.Next(_model.Config.Vocabulary))], StartsWithBos: i % 4 != 3, $"{i}"))];
    }

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Rows_are_the_activations_of_counted_tokens_in_the_order_of_the_pass()
    {
        using var source = new ModelActivationSource(_model, _documents, s_sites, seed: 2);
        Assert.Equal(_documents.Sum(d => d.Ids.Length - (d.StartsWithBos ? 1 : 0)), source.RowsPerEpoch);
        var rows = (int)source.RowsPerEpoch;
        var first = Read(source, 0, 0, rows);
        var second = Read(source, 1, 0, rows);
        for (var s = 0; s < s_sites.Length; s++)
        {
            var width = source.Sites[s].Width;
            Assert.Equal(_model.Config.WidthAt(s_sites[s].Site), width);
            var single = _documents.SelectMany(d => Alone(d, s_sites[s])).Select(Key).Order().ToArray();
            Assert.Equal(single, first[s].Chunk(width).Select(Key).Order());
            Assert.Equal(single, second[s].Chunk(width).Select(Key).Order());
            Assert.NotEqual(first[s], second[s]);

            // any part is the part of the whole
            foreach (var (start, count) in new[] { (0, 1), (7, 31), (rows - 2, 2) })
                Assert.Equal(first[s].AsSpan(start * width, count * width).ToArray(), Read(source, 0, start, count)[s]);
        }
    }

    [Fact]
    public void What_cannot_be_read_is_refused()
    {
        Assert.Equal("FF3112", Assert.Throws<FeatureFlowException>(() => Source(new SiteAddress(0, Site.Tc))).Code);
        Assert.Equal("FF3103", Assert.Throws<FeatureFlowException>(() => Source(new SiteAddress(99, Site.Res))).Code);

        IActivationSource Source(SiteAddress site) => new ModelActivationSource(_model, _documents, [site], 1);
    }

    [Fact]
    public void A_perfect_sae_costs_nothing_and_an_empty_one_what_zeros_cost()
    {
        var d = _model.Config.Width;
        using var perfect = Copying(d, threshold: 0, "perfect");
        using var empty = Copying(d, threshold: 1e30f, "empty");
        var measures = SaeEvaluation.Measure(_model, _documents, [perfect, empty]);
        Assert.Equal(1, measures[0].ExplainedVariance, 1e-9);
        Assert.InRange(measures[0].DeltaLoss!.Value, -1e-5, 1e-5);
        Assert.Equal(d, measures[0].MeanL0);
        Assert.Equal(0, measures[1].MeanL0);
        Assert.Equal(1, measures[1].DeadShare);

        double zeroed = 0, plain = 0;
        var predictions = 0;
        foreach (var document in _documents)
        {
            var batch = new TokenBatch([document.Ids]);
            var with = _model.TokenLosses(batch, new Zeros(document.FirstPosition));
            var without = _model.TokenLosses(batch);
            for (var t = document.FirstPosition; t < document.Ids.Length - 1; t++, predictions++) (zeroed, plain) = (zeroed + with[t], plain + without[t]);
        }

        Assert.Equal((zeroed - plain) / predictions, measures[1].DeltaLoss!.Value, 1e-5);
        Assert.Equal(plain / predictions, measures[1].BaseLoss!.Value, 1e-5);
        Assert.True(Math.Abs(measures[1].DeltaLoss!.Value) > 1e-3);

        var figures = SaeEvaluation.Measure(_model, _documents, [empty], losses: false)[0];
        Assert.Null(figures.DeltaLoss);
        Assert.Equal(measures[1].MeanSquaredError, figures.MeanSquaredError, 1e-6);
    }

    [Fact]
    public void An_sae_of_another_model_is_refused()
    {
        using var other = Copying(_model.Config.Width + 1, 0, "other");
        Assert.Equal("FF3113", Assert.Throws<FeatureFlowException>(() => SaeEvaluation.Measure(_model, _documents, [other])).Code);
    }

    [Fact]
    public void Training_reads_the_model_and_goes_on_where_it_stopped()
    {
        using var source = new ModelActivationSource(_model, _documents, s_sites, seed: 2);
        SaeTrainer Trainer(string? checkpoint) => new(CpuEngine.Shared, source, [TrainingRun.Recipe(s_sites[0], SaeTrainingKind.JumpRelu), TrainingRun.Recipe(s_sites[2], SaeTrainingKind.BatchTopK)], new SaeTrainingOptions { Steps = 30, BatchSize = 16, BufferTokens = 48, CheckpointPath = checkpoint, CheckpointEvery = 7 });
        using var whole = Trainer(null);
        whole.Run();
        using (var part = Trainer(_folder.File("c"))) part.Run(15);
        using var rest = Trainer(_folder.File("c"));
        Assert.Equal(14, rest.Step);
        rest.Run();
        Assert.Equal(TrainingRun.Numbers(whole), TrainingRun.Numbers(rest));
    }

    private static float[][] Read(ModelActivationSource source, int epoch, long start, int count)
    {
        var x = source.Sites.Select(s => Tensor.Allocate(DType.F32, count, s.Width)).ToArray();
        source.Read(epoch, start, x);
        return [.. x.Select(t => t.AsSpan<float>().ToArray())];
    }

    private IEnumerable<float[]> Alone(TokenDocument document, SiteAddress site)
    {
        var capture = new SiteCapture(CpuEngine.Shared, [site]);
        _model.Forward(new TokenBatch([document.Ids]), new ForwardOptions { Hook = capture }).Dispose();
        var x = capture.Captured[site];
        return x.AsSpan<float>().ToArray().Chunk(x.Shape[1]).Skip(document.FirstPosition);
    }

    private static string Key(float[] row) => string.Join(" ", row);

    // features are the coordinates and their opposites
    private Sae Copying(int d, float threshold, string name)
    {
        var wEnc_DF = new float[d * 2 * d];
        var wDec_FD = new float[2 * d * d];
        for (var i = 0; i < d; i++)
        {
            (wEnc_DF[(i * 2 * d) + i], wEnc_DF[(i * 2 * d) + d + i]) = (1, -1);
            (wDec_FD[(i * d) + i], wDec_FD[((d + i) * d) + i]) = (1, -1);
        }

        var path = _folder.File(name, "res", "layer_1", "params.npz");
        NpzFile.Write(path, [("W_enc", Tensor.From(wEnc_DF, d, 2 * d)), ("W_dec", Tensor.From(wDec_FD, 2 * d, d)), ("b_enc", Tensor.Allocate(DType.F32, 2 * d)), ("b_dec", Tensor.Allocate(DType.F32, d)), ("threshold", Tensor.From([.. Enumerable.Repeat(threshold, 2 * d)], 2 * d))]);
        return Sae.Open(path);
    }

    private sealed class Zeros(int first) : ISiteHook
    {
        public bool Wants(SiteAddress at) => at == new SiteAddress(1, Site.Res);

        public void Visit(SiteAddress at, Tensor x_TD, TokenBatch batch)
        {
            if (x_TD.Shape[0] > first) x_TD.Rows(first, x_TD.Shape[0] - first).AsSpan<float>().Clear();
        }
    }
}
