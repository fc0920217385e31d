using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>Which logits a forward pass computes.</summary>
public enum LogitsWanted
{
    /// <summary>None.</summary>
    None,

    /// <summary>Of the last token of every row: [rows, V].</summary>
    Last,

    /// <summary>Of every token: [T, V].</summary>
    All,
}

/// <summary>How a forward pass runs.</summary>
public sealed record ForwardOptions
{
    /// <summary>Looks at and changes activations, or null.</summary>
    public ISiteHook? Hook { get; init; }

    /// <summary>Keys and values of earlier tokens, to which the batch is added; null when the batch is all there is.</summary>
    public KvCache? Cache { get; init; }

    /// <summary>The first layer to compute; above 0 the pass starts from <see cref="Resid_TD"/>, the output of the layer before.</summary>
    public int FirstLayer { get; init; }

    /// <summary>[T, D], the residual stream to start from in the middle; left as it is.</summary>
    public Tensor? Resid_TD { get; init; }

    /// <summary>The last layer to compute; null for all. A pass that stops early gives no logits.</summary>
    public int? LastLayer { get; init; }

    /// <summary>Logits to compute.</summary>
    public LogitsWanted Logits { get; init; } = LogitsWanted.All;
}

/// <summary>What a forward pass leaves, until it is disposed: the next pass writes into the same memory.</summary>
public sealed class ForwardResult : IDisposable
{
    private Action? _giveBack;

    internal ForwardResult(Tensor resid_TD, Tensor? logits, Action giveBack) => (Resid_TD, Logits, _giveBack) = (resid_TD, logits, giveBack);

    /// <summary>[T, D] output of the last layer computed.</summary>
    public Tensor Resid_TD { get; }

    /// <summary>[T, V] or [rows, V], or null.</summary>
    public Tensor? Logits { get; }

    /// <inheritdoc/>
    public void Dispose() => Interlocked.Exchange(ref _giveBack, null)?.Invoke();
}
