using System.Runtime.InteropServices;

namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>Products. A matrix that is not kept in the type of the arithmetic is converted block by block.</summary>
public sealed partial class TorchEngine
{
    private ScalarType Arithmetic => _options.Compute switch { ComputeType.BF16 => ScalarType.BFloat16, ComputeType.F16 => ScalarType.Float16, _ => ScalarType.Float32 };

    // libtorch has no float16 products for processors in every version: operands are rounded all the same, then multiplied in float32
    private bool MultipliesHalf { get; set; } = true;

    /// <inheritdoc/>
    public void MatMul(Tensor a_MK, Tensor b_KN, Tensor c_MN, MatMulEpilogue epilogue = default, CancellationToken cancel = default) =>
        Product("MatMul", a_MK, b_KN, c_MN, epilogue, cancel);

    /// <inheritdoc/>
    /// <remarks>A dense product: on a card it is faster than walking the non-zeros until hardly any are left.</remarks>
    public void MatMulSparse(Tensor a_MK, Tensor b_KN, Tensor c_MN, MatMulEpilogue epilogue = default, CancellationToken cancel = default) =>
        Product("MatMulSparse", a_MK, b_KN, c_MN, epilogue, cancel);

    private void Product(string operation, Tensor a_MK, Tensor b_KN, Tensor c_MN, MatMulEpilogue epilogue, CancellationToken cancel)
    {
        CheckOperand(operation, a_MK);
        CheckOperand(operation, b_KN);
        CheckRows(operation, c_MN, a_MK.Shape[0], b_KN.Shape[1]);
        if (a_MK.Shape[1] != b_KN.Shape[0]) throw TensorErrors.Shape(operation, "columns of a must equal rows of b", a_MK, b_KN);
        CheckVector(operation, epilogue.ColumnScale_N, b_KN.Shape[1]);
        CheckVector(operation, epilogue.Bias_N, b_KN.Shape[1]);
        if (epilogue.Accumulate && epilogue.ColumnScale_N is not null) throw TensorErrors.Shape(operation, "accumulating excludes a column scale", c_MN);
        if (c_MN.Count == 0) return;
        cancel.ThrowIfCancellationRequested();
        _thread.Run(() =>
        {
            // where products are rounded, float32 weights need no wide copy of narrow ones
            TorchTensor a = View(a_MK), b = Arithmetic == ScalarType.Float32 && b_KN.Storage is HostStorage ? _uploads.View(b_KN, widened: true) : View(b_KN), c = Target(c_MN, read: epilogue.Accumulate);
            Multiply(operation, a, b, c, epilogue.Accumulate, cancel);
            if (epilogue.ColumnScale_N is { } scale) c.Mul_(Float(scale));
            if (epilogue.Bias_N is { } bias) c.Add_(Float(bias));
            Commit(c, c_MN);
        });
    }

    // c = a·b or c += a·b, in pieces short enough to be cancelled, columns of b converted as they come
    private void Multiply(string operation, TorchTensor a, TorchTensor b, TorchTensor c, bool accumulate, CancellationToken cancel)
    {
        var type = Arithmetic;
        var (m, k, n) = (a.shape[0], a.shape[1], b.shape[1]);
        if (k == 0)
        {
            if (!accumulate) c.zero_();
            return;
        }

        var rows = Rounded(a);
        var plain = b.dtype == type && type == ScalarType.Float32;
        var work = cancel.CanBeCanceled && _card is null ? Math.Max(1, (long)4e9 / Math.Max(1, 2 * m * k)) : long.MaxValue;
        void Part(int at, int count)
        {
            TorchTensor columns = Rounded(b.narrow(1, at, count)), target = c.narrow(1, at, count);
            if (columns.dtype == ScalarType.Float32) target.addmm_(rows, columns, beta: accumulate ? 1 : 0);
            else if (accumulate) target.Add_(rows.mm(columns));
            else target.copy_(rows.mm(columns));
        }

        Blocks(operation, (int)n, plain ? 1 : k * 4 + m * 4, cancel, Part, plain ? work : int.MaxValue);
    }

    private TorchTensor Rounded(TorchTensor x)
    {
        if (x.dtype != Arithmetic) x = x.to(Arithmetic);
        return MultipliesHalf || x.dtype == ScalarType.Float32 ? x : x.to(ScalarType.Float32);
    }

    // asked once, of the device itself
    private static bool CanMultiply(ScalarType type, Torch.Device device)
    {
        try
        {
            using var probe = Torch.ones([2, 2], type, device);
            using var product = probe.mm(probe);
            return true;
        }
        catch (ExternalException)
        {
            return false;
        }
    }
}
