using FeatureFlow.Models;
using FeatureFlow.Tensors;
using Xunit.Abstractions;
using static FeatureFlow.Engines.Tests.Compare;

namespace FeatureFlow.Engines.Tests;

/// <summary>Each type in which products are computed. Only products depend on it: every other operation is float32 or wider, and searches are exact.</summary>
[Collection("alone")]
public sealed class ComputeTests(ITestOutputHelper output)
{
    /// <summary>What a result may differ by, of the largest: half a unit in the last place of the type, and what sums in another order do.</summary>
    public static TheoryData<ComputeType, double> Products => new() { { ComputeType.F32, 3e-6 }, { ComputeType.BF16, 1.0 / 256 }, { ComputeType.F16, 1.0 / 2048 } };

    /// <summary>What logits of the fixtures, models of random weights, are off by after their few layers: root of the mean square over that of the logits.</summary>
    public static TheoryData<ComputeType, double> Logits => new() { { ComputeType.F32, 1e-5 }, { ComputeType.BF16, 0.06 }, { ComputeType.F16, 0.01 } };

    [TorchTheory]
    [MemberData(nameof(Products))]
    public void ProductsAreThoseOfRoundedOperands(ComputeType compute, double tolerance)
    {
        using var engine = Engines.Open(new EngineOptions { Compute = compute });
        var narrow = compute switch { ComputeType.BF16 => DType.BF16, ComputeType.F16 => DType.F16, _ => DType.F32 };
        foreach (var stored in new[] { DType.F32, DType.BF16, DType.F16 })
        {
            Tensor a = Matrix(1, 30, 300), b = Matrix(2, stored, 300, 40), c = Matrix(3, 30, 40), scale = Matrix(4, 40), bias = Matrix(5, 40);
            Tensor roundedA = As(narrow, a), roundedB = As(narrow, b), expected = Matrix(6, 30, 40), actual = Matrix(6, 30, 40);
            foreach (var epilogue in new[] { new MatMulEpilogue(scale, bias), new MatMulEpilogue(null, bias, Accumulate: true) })
            {
                CpuEngine.Shared.Copy(c, expected);
                CpuEngine.Shared.Copy(c, actual);
                CpuEngine.Shared.MatMul(roundedA, roundedB, expected, epilogue);
                engine.MatMul(a, b, actual, epilogue);
                Near(expected.AsSpan<float>().ToArray(), actual.AsSpan<float>().ToArray(), tolerance, $"{compute}, {stored} weights");
                CpuEngine.Shared.Copy(c, actual);
                engine.MatMulSparse(a, b, actual, epilogue);
                Near(expected.AsSpan<float>().ToArray(), actual.AsSpan<float>().ToArray(), tolerance, $"{compute}, {stored} weights, sparse");
            }

            Assert.Equal(CpuEngine.Shared.TopKInnerProduct(a, b.Transpose(), 7).Indices_QK, engine.TopKInnerProduct(a, b.Transpose(), 7).Indices_QK);
        }

        Assert.StartsWith(compute == ComputeType.F32 ? "float32" : compute.ToString(), engine.Info.Instructions, StringComparison.Ordinal);
    }

    [TorchTheory]
    [MemberData(nameof(Logits))]
    public void ModelsComputeInIt(ComputeType compute, double tolerance)
    {
        using var engine = Engines.Open(new EngineOptions { Compute = compute });
        foreach (var folder in ModelTests.Models)
        {
            using var model = LanguageModel.Open(folder, engine);
            using var expected = SafetensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
            using var pass = model.Forward(new TokenBatch(ModelTests.Rows(expected, "input_ids")));
            float[] wanted = expected.Get("logits").AsSpan<float>().ToArray(), found = Read(engine, pass.Logits!);
            var off = Math.Sqrt(wanted.Zip(found, (w, f) => Math.Pow(w - f, 2)).Sum() / wanted.Sum(w => Math.Pow(w, 2)));
            Assert.True(off <= tolerance, $"{Path.GetFileName(folder)} in {compute}: off by {off:0.0e+0}");
            output.WriteLine($"{Path.GetFileName(folder)} in {compute}: {off:0.0e+0}");
        }
    }

    private static Tensor As(DType type, Tensor source)
    {
        var result = Tensor.Allocate(type, source.Shape);
        CpuEngine.Shared.Copy(source, result);
        return result;
    }
}
