namespace FeatureFlow.Tensors;

/// <summary>The intermediate tensors of one computation, kept for the next one. Belongs to one computation at a time.</summary>
public sealed class Workspace(ITensorEngine engine) : IDisposable
{
    private readonly Dictionary<string, Tensor> _buffers = [];

    /// <summary>A float32 tensor [rows, columns] with anything in it; the same name gives the same memory.</summary>
    public Tensor Take(string name, int rows, int columns)
    {
        var needed = (long)rows * columns;
        if (!_buffers.TryGetValue(name, out var buffer) || buffer.Count < needed)
        {
            buffer?.Dispose();
            _buffers[name] = buffer = engine.Allocate(DType.F32, rows, columns);
        }

        return new Tensor(buffer.Storage, DType.F32, [rows, columns]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var buffer in _buffers.Values) buffer.Dispose();
        _buffers.Clear();
    }
}
