using System.Runtime.InteropServices;

namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>How tensors become operands and destinations, and what happens when memory runs out. All of it on the engine's thread.</summary>
public sealed partial class TorchEngine
{
    private readonly List<(int[] Values, TorchTensor There)> _indices = [];

    // A view on the device; host weights that are kept there may be wider than stored
    private TorchTensor View(Tensor t)
    {
        if (t.Storage is HostStorage) return _uploads.View(t, widened: false);
        if (t.Storage is not TorchStorage storage || storage.Engine != this) throw TensorErrors.OtherEngine(t.ToString());
        return storage.Flat.as_strided(Array.ConvertAll(t.Shape.ToArray(), i => (long)i), t.Strides.ToArray(), t.ByteOffset / t.DType.Size());
    }

    private TorchTensor UploadOnce(Tensor t)
    {
        long last = 0;
        for (var i = 0; i < t.Rank; i++) last += (t.Shape[i] - 1) * t.Strides[i];
        return _transfers.Upload(t, last + 1).as_strided(Array.ConvertAll(t.Shape.ToArray(), i => (long)i), t.Strides.ToArray());
    }

    private unsafe void Fill(TorchTensor flat, Tensor host)
    {
        using var pin = host.Pin();
        _transfers.Fill(flat, pin.Pointer + host.ByteOffset, host.DType);
    }

    // An operand of any computable type as float32
    private TorchTensor Float(Tensor t)
    {
        var view = t.Storage is HostStorage ? _uploads.View(t, widened: true) : View(t);
        return view.dtype == ScalarType.Float32 ? view : view.to(ScalarType.Float32);
    }

    // A vector [n] of any computable type, checked before anything is done
    private static void CheckVector(string operation, Tensor? t, int length)
    {
        if (t is not null && (t.Rank != 1 || t.Shape[0] != length || !t.DType.IsComputable())) throw TensorErrors.Shape(operation, $"expected a vector of {length}", t);
    }

    private static void CheckOperand(string operation, Tensor t)
    {
        if (t.Rank != 2) throw TensorErrors.Rank(operation, 2, t.Shape);
        if (!t.DType.IsComputable()) throw TensorErrors.DTypeOf(operation, t.DType);
    }

    private static int Width(string operation, Tensor t) => t.Rank == 2 ? t.Shape[1] : throw TensorErrors.Rank(operation, 2, t.Shape);

    // float32 [rows, columns] with dense rows: destinations, and what is changed in place
    private static void CheckRows(string operation, Tensor t, int rows, int columns)
    {
        if (t.Rank != 2 || t.DType != DType.F32 || t.Shape[0] != rows || t.Shape[1] != columns || (t.Strides[1] != 1 && columns > 1))
            throw TensorErrors.Shape(operation, $"the destination must be F32[{rows},{columns}] with dense rows", t);
    }

    private static void CheckVectorTarget(string operation, Tensor t, int length)
    {
        if (t.Rank != 1 || t.DType != DType.F32 || t.Shape[0] != length || !t.IsContiguous) throw TensorErrors.Shape(operation, $"expected F32[{length}]", t);
    }

    /// <summary>A destination: the device tensor itself, or a stand-in for a host tensor, copied there at the end.</summary>
    private TorchTensor Target(Tensor t, bool read = false)
    {
        if (t.Storage is not HostStorage) return View(t);
        return read ? UploadOnce(t).clone() : Torch.empty(Array.ConvertAll(t.Shape.ToArray(), i => (long)i), t.DType.Scalar(), _device);
    }

    private void Commit(TorchTensor value, Tensor destination)
    {
        if (destination.Storage is HostStorage) ToHost(value, destination);
    }

    private unsafe void ToHost(TorchTensor value, Tensor host)
    {
        if (host.IsContiguous && value.dtype == host.DType.Scalar())
        {
            using var pin = host.Pin();
            _transfers.Download(value, pin.Pointer + host.ByteOffset, host.DType);
            return;
        }

        using var copy = Tensor.Allocate(host.DType, host.Shape);
        using (var pin = copy.Pin()) _transfers.Download(value.to(host.DType.Scalar()), pin.Pointer + copy.ByteOffset, host.DType);
        CpuEngine.Shared.Copy(copy, host);
    }

    // Every layer of a model asks for the same positions and rows: the last few stay there
    private TorchTensor Indices(int[] values)
    {
        const int Kept = 32, Longest = 4096;
        var known = _indices.FindIndex(i => i.Values.AsSpan().SequenceEqual(values));
        if (known >= 0) return _indices[known].There.alias();
        var there = _transfers.Numbers<long>(Array.ConvertAll(values, v => (long)v));
        if (values.Length > Longest) return there;
        if (_indices.Count == Kept)
        {
            _indices[0].There.Dispose();
            _indices.RemoveAt(0);
        }

        _indices.Add((values, there.DetachFromDisposeScope()));
        return there.alias();
    }

    private void Forget()
    {
        foreach (var (_, there) in _indices) there.Dispose();
        _indices.Clear();
        ForgetMasks();
    }

    /// <summary>
    /// Runs the work in blocks of rows whose intermediate results fit into the block budget; where memory runs out all the same, kept weights are given back, then blocks are halved.
    /// <paramref name="most"/> bounds them for other reasons: time, caches. A block is done as a whole or not at all, so that it can be tried again.
    /// </summary>
    private void Blocks(string operation, int rows, long bytesOfRow, CancellationToken cancel, Action<int, int> work, long most = int.MaxValue)
    {
        bytesOfRow = Math.Max(1, bytesOfRow);
        var size = (int)Math.Clamp(Math.Min(_blockBytes / bytesOfRow, most), 1, Math.Max(1, rows));
        var trimmed = false;
        for (var at = 0; at < rows;)
        {
            cancel.ThrowIfCancellationRequested();
            var n = Math.Min(size, rows - at);
            try
            {
                using var scope = Torch.NewDisposeScope();
                Pretend(operation, n * bytesOfRow, n);
                work(at, n);
                at += n;
                continue;
            }
            catch (ExternalException e) when (IsShortage(e))
            {
                if (trimmed && n == 1) throw Shortage(operation, bytesOfRow, e);
            }

            // outside of the handler: the tensors of the failed block are gone
            if (!trimmed) _uploads.Clear();
            else size = Math.Max(1, n / 2);
            trimmed = true;
        }
    }

    // The same for what has no parts
    private void Enough(string operation, long bytes, Action work)
    {
        try
        {
            Pretend(operation, bytes);
            work();
            return;
        }
        catch (ExternalException e) when (IsShortage(e))
        {
            if (_uploads.Count == 0) throw Shortage(operation, bytes, e);
        }

        _uploads.Clear();
        try
        {
            Pretend(operation, bytes);
            work();
        }
        catch (ExternalException e) when (IsShortage(e))
        {
            throw Shortage(operation, bytes, e);
        }
    }

    private void Pretend(string operation, long bytes, int parts = 0)
    {
        if (_options.Fails?.Invoke(operation, bytes, parts) == true) throw new PretendedShortage($"out of memory (pretended): {bytes} bytes for {operation}");
    }

    private FeatureFlowException Shortage(string operation, long bytes, Exception inner)
    {
        var (total, free) = _card?.Memory() ?? default;
        return TensorErrors.Shortage(operation, bytes, TensorErrors.Free(free, total), _deviceName, inner);
    }

    internal static bool IsShortage(Exception e) =>
        e.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase)
        || e.Message.Contains("can't allocate memory", StringComparison.OrdinalIgnoreCase)
        || e.Message.Contains("not enough memory", StringComparison.OrdinalIgnoreCase)
        || e.Message.Contains("CUBLAS_STATUS_ALLOC_FAILED", StringComparison.Ordinal);

    private sealed class PretendedShortage(string message) : ExternalException(message);
}
