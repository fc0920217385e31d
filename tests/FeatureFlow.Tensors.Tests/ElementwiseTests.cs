namespace FeatureFlow.Tensors.Tests;

public class ElementwiseTests
{
    private static readonly CpuEngine s_engine = CpuEngine.Shared;

    [Fact]
    public void ActivationsByHand()
    {
        var pre = Tensor.From([-1f, 0f, 0.5f, 2f, 3f, 0.2f, 1f, 1f, -5f, 4f], 1, 10);
        var z = Make.Empty(1, 10);
        s_engine.Relu(pre, z);
        Assert.Equal([0, 0, 0.5f, 2, 3, 0.2f, 1, 1, 0, 4], z.AsSpan<float>().ToArray());

        // strict on both sides: pre = θ is not active, nor is pre ≤ 0 under a negative θ
        s_engine.JumpRelu(pre, Tensor.From([-2f, -1f, 0.5f, 1f, 3.5f, 0f, 1f, 0.9f, -9f, 0f], 10), z);
        Assert.Equal([0, 0, 0, 2, 0, 0.2f, 0, 1, 0, 4], z.AsSpan<float>().ToArray());

        // the third largest is 2; ties on the line go to the left
        s_engine.TopKActivation(pre, 3, z);
        Assert.Equal([0, 0, 0, 2, 3, 0, 0, 0, 0, 4], z.AsSpan<float>().ToArray());
        s_engine.TopKActivation(pre, 4, z);
        Assert.Equal([0, 0, 0, 2, 3, 0, 1, 0, 0, 4], z.AsSpan<float>().ToArray());
        s_engine.TopKActivation(pre, 10, z);
        Assert.Equal([0, 0, 0.5f, 2, 3, 0.2f, 1, 1, 0, 4], z.AsSpan<float>().ToArray());

        s_engine.GroupMaxActivation(pre, 5, z);
        Assert.Equal([0, 0, 0, 2, 3, 0, 1, 0, 0, 4], z.AsSpan<float>().ToArray());

        var gate = Tensor.From([1f, 1f, -1f, 1f, 0f, 1f, 1f, 0.1f, 1f, -1f], 1, 10);
        s_engine.GatedActivation(gate, pre, z);
        Assert.Equal([0, 0, 0, 2, 0, 0.2f, 1, 1, 0, 0], z.AsSpan<float>().ToArray());
    }

    [Fact]
    public void TopKActivationKeepsKOfManyOnLongRows()
    {
        var pre = Make.Matrix(5, 4099, 1);
        var z = Make.Empty(5, 4099);
        s_engine.TopKActivation(pre, 37, z);
        for (var t = 0; t < 5; t++)
        {
            var row = pre.Rows(t, 1).Reshape(4099).AsSpan<float>().ToArray();
            var line = row.OrderDescending().ElementAt(36);
            Assert.Equal(row.Select(v => v >= line ? v : 0), z.Rows(t, 1).Reshape(4099).AsSpan<float>().ToArray());
        }
    }

    [Fact]
    public void RowsAndColumnsByHand()
    {
        var x = Tensor.From([1f, 2f, 3f, 4f, 5f, 6f], 2, 3);
        var y = Make.Empty(2, 3);
        s_engine.AddRow(x, Tensor.From([10f, 20f, 30f], 3), -1, y);
        Assert.Equal([-9, -18, -27, -6, -15, -24], y.AsSpan<float>().ToArray());
        s_engine.ScaleColumns(x, Tensor.From([1f, 0f, 2f], 3), y);
        Assert.Equal([1, 0, 6, 4, 0, 12], y.AsSpan<float>().ToArray());
        s_engine.ScaleRows(x, Tensor.From([2f, -1f], 2), y);
        Assert.Equal([2, 4, 6, -4, -5, -6], y.AsSpan<float>().ToArray());
        s_engine.GatherRows(x, [1, 0], y);
        Assert.Equal([4, 5, 6, 1, 2, 3], y.AsSpan<float>().ToArray());
        Assert.Throws<FeatureFlowException>(() => s_engine.GatherRows(x, [2, 0], y));

        var norms = Tensor.Allocate(DType.F32, 2);
        s_engine.RowNorms(x, norms);
        Assert.Equal([MathF.Sqrt(14), MathF.Sqrt(77)], norms.AsSpan<float>().ToArray());
        var columns = Tensor.Allocate(DType.F32, 3);
        s_engine.RowNorms(x.Transpose(), columns);
        Assert.Equal([MathF.Sqrt(17), MathF.Sqrt(29), MathF.Sqrt(45)], columns.AsSpan<float>().ToArray());
    }

    [Fact]
    public void StandardizedRowsHaveUnbiasedUnitVariance()
    {
        var x = Make.Matrix(3, 50, 2);
        var y = Make.Empty(3, 50);
        Tensor mean = Tensor.Allocate(DType.F32, 3), std = Tensor.Allocate(DType.F32, 3);
        s_engine.StandardizeRows(x, 1e-5f, mean, std, y);
        for (var t = 0; t < 3; t++)
        {
            var row = Reference.Values(x.Rows(t, 1));
            var m = row.Average();
            var s = Math.Sqrt(row.Sum(v => (v - m) * (v - m)) / 49);
            Assert.Equal(m, mean.AsSpan<float>()[t], 6);
            Assert.Equal(s, std.AsSpan<float>()[t], 6);
            Assert.Equal((row[7] - m) / (s + 1e-5), y.AsSpan<float>()[t * 50 + 7], 5);
        }
    }

    [Fact]
    public void HalfAndBFloat16ConvertExactlyOverTheirWholeRange()
    {
        // all 65,536 patterns, through the vector path and the scalar one
        foreach (var type in new[] { DType.F16, DType.BF16 })
        {
            var stored = Tensor.Allocate(type, 65536);
            var bits = stored.AsSpan<ushort>();
            for (var i = 0; i < 65536; i++) bits[i] = (ushort)i;
            var wide = Tensor.Allocate(DType.F32, 65536);
            s_engine.Copy(stored, wide);
            var values = wide.AsSpan<float>();
            for (var i = 0; i < 65536; i++)
            {
                var expected = type == DType.F16 ? (float)BitConverter.UInt16BitsToHalf((ushort)i) : BitConverter.UInt32BitsToSingle((uint)i << 16);
                Assert.True(expected.Equals(values[i]) || (float.IsNaN(expected) && float.IsNaN(values[i])), $"{type} {i:x4}: {values[i]} for {expected}");
            }

            // and back, bit for bit (NaN stays NaN)
            var again = Tensor.Allocate(type, 65536);
            s_engine.Copy(wide, again);
            for (var i = 0; i < 65536; i++)
                Assert.True(bits[i] == again.AsSpan<ushort>()[i] || float.IsNaN(values[i]), $"{type} {i:x4}");
        }
    }

    [Fact]
    public void ASpanKeepsTheMemoryOfItsTensor()
    {
        var span = Forgotten();
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Tensor.Allocate(DType.F32, 1000).AsSpan<float>().Fill(-1);
        }

        Assert.Equal(1000, span.Count(7f));

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static Span<float> Forgotten()
        {
            var tensor = Tensor.Allocate(DType.F32, 1000);
            tensor.AsSpan<float>().Fill(7);
            return tensor.AsSpan<float>();
        }
    }

    [Fact]
    public void ViewsSeeTheSameElements()
    {
        var x = Tensor.From([1f, 2f, 3f, 4f, 5f, 6f], 2, 3);
        var t = Make.Empty(3, 2);
        s_engine.Copy(x.Transpose(), t);
        Assert.Equal([1, 4, 2, 5, 3, 6], t.AsSpan<float>().ToArray());
        Assert.Equal([3, 2], x.Transpose().Shape.ToArray());
        Assert.False(x.Transpose().IsContiguous);
        Assert.Equal("FF1004", Assert.Throws<FeatureFlowException>(() => x.Transpose().Reshape(6)).Code);
        Assert.Equal("FF1005", Assert.Throws<FeatureFlowException>(() => x.AsSpan<double>()).Code);
        Assert.Equal("FF1003", Assert.Throws<FeatureFlowException>(() => x.Rows(1, 2)).Code);
        Assert.Equal("FF1001", Assert.Throws<FeatureFlowException>(() => Tensor.Allocate(DType.F32, 2, 2, 2).Transpose()).Code);
    }
}
