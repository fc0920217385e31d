namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>Memory of the device: one flat torch tensor of the type that was allocated. Views of it are made for the time of one operation.</summary>
internal sealed class TorchStorage(TorchEngine engine, TorchTensor flat, DType type, long count) : Storage
{
    private TorchTensor? _flat = flat;

    /// <summary>Who allocated it: another engine does not compute on it.</summary>
    public TorchEngine Engine { get; } = engine;

    public override long ByteLength { get; } = count * type.Size();

    /// <summary>All of it.</summary>
    /// <exception cref="ObjectDisposedException">It was given back.</exception>
    public TorchTensor Flat => _flat ?? throw new ObjectDisposedException(nameof(Tensor));

    public override void Dispose()
    {
        // in the order of the calls: an operation of another thread that was asked for before keeps it
        if (Interlocked.Exchange(ref _flat, null) is { } flat) Engine.Post(flat.Dispose);
    }
}
