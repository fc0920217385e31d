using FeatureFlow.Models;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Saes.Tests;

public sealed class SaeEvaluationTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void By_hand()
    {
        // the SAE copies the first coordinate where it is above 1, and adds (0, 1) to everything
        var path = _folder.File("res", "layer_0", "width_2", "average_l0_4", "params.npz");
        NpzFile.Write(path, [("W_enc", Tensor.From([1f, 0f, 0f, 0f], 2, 2)), ("W_dec", Tensor.From([1f, 0f, 0f, 1f], 2, 2)), ("b_enc", Tensor.From([0f, 0f], 2)), ("b_dec", Tensor.From([0f, 1f], 2)), ("threshold", Tensor.From([1f, 1f], 2))]);
        using var sae = Sae.Open(path);
        var evaluation = new SaeEvaluation(TestEngine.Shared, [sae]);
        Add([4f, 0f, 0.5f, 2f]);
        Add([2f, 4f, 3f, 2f]);
        var measures = evaluation.Results()[0];

        // x: (4,0) (0.5,2) (2,4) (3,2); x̂: (4,1) (0,1) (2,1) (3,1); errors (0,1) (−0.5,−1) (0,−3) (0,−1)
        Assert.Equal(4, measures.Tokens);
        Assert.Equal(0.75, measures.MeanL0);
        Assert.Equal(0.5, measures.DeadShare);
        Assert.Equal([0.75f, 0f], measures.Frequency_F);
        const double Variance = (16 + 0.25 + 4 + 9 - (9.5 * 9.5 / 4)) + (0 + 4 + 16 + 4 - (8.0 * 8 / 4));
        const double Error = 0.25 + 1 + 1 + 9 + 1;
        Assert.Equal(1 - (Error / Variance), measures.ExplainedVarianceUncentred, 1e-12);
        Assert.Equal(1 - ((Error - (0.5 * 0.5 / 4) - (4.0 * 4 / 4)) / Variance), measures.ExplainedVariance, 1e-12);
        Assert.Equal(Error / 4, measures.MeanSquaredError, 1e-12);
        Assert.Equal(4, measures.DeclaredL0);
        Assert.Equal(0.75 / 4, measures.L0Ratio);

        void Add(float[] values)
        {
            var x = Tensor.From(values, 2, 2);
            evaluation.Add(0, x, x);
        }
    }
}
