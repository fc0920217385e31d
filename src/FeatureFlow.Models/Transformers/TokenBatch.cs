using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>
/// Rows of tokens laid one after the other, each of its own length: no padding is stored or computed. Token t of the batch is row t of every
/// activation [T, D] of a forward pass.
/// </summary>
public sealed class TokenBatch
{
    private readonly int[] _ids;
    private readonly int[] _positions;
    private readonly TokenRun[] _runs;
    private readonly int[] _owners;

    /// <summary>Rows that begin at position 0.</summary>
    /// <exception cref="FeatureFlowException">FF2212: a row is empty.</exception>
    public TokenBatch(IReadOnlyList<int[]> rows)
        : this(rows, [.. Enumerable.Range(0, rows.Count)], new int[rows.Count], null)
    {
    }

    private TokenBatch(IReadOnlyList<int[]> rows, IReadOnlyList<int> cacheRows, IReadOnlyList<int> positions, IReadOnlyList<int>? owners)
    {
        var total = rows.Sum(r => r.Length);
        _ids = new int[total];
        _positions = new int[total];
        _runs = new TokenRun[rows.Count];
        _owners = [.. owners ?? Enumerable.Range(0, rows.Count)];
        var at = 0;
        for (var i = 0; i < rows.Count; i++)
        {
            if (rows[i].Length == 0) throw ModelErrors.EmptyRow(i);
            _runs[i] = new TokenRun(at, rows[i].Length, cacheRows[i], positions[i]);
            rows[i].CopyTo(_ids, at);
            for (var j = 0; j < rows[i].Length; j++) _positions[at + j] = positions[i] + j;
            at += rows[i].Length;
        }
    }

    /// <summary>Every token, T of them.</summary>
    public ReadOnlySpan<int> Ids => _ids;

    /// <summary>Position of every token in its row.</summary>
    public ReadOnlySpan<int> Positions => _positions;

    /// <summary>The rows: where each begins in the batch, its length, its row of the cache, and the position of its first token.</summary>
    public ReadOnlySpan<TokenRun> Rows => _runs;

    /// <summary>Whose each row is: the number of the prompt in a generation, else the number of the row. What a hook tells rows apart by.</summary>
    public ReadOnlySpan<int> Owners => _owners;

    /// <summary>Number of tokens, T.</summary>
    public int Count => _ids.Length;

    /// <summary>Rows of equal length with a mask of what counts (1) and what is padding (0), on either side, as other libraries lay them.</summary>
    /// <exception cref="FeatureFlowException">FF2212: a row is all padding.</exception>
    public static TokenBatch FromPadded(IReadOnlyList<int[]> ids, IReadOnlyList<int[]> mask) =>
        new([.. ids.Select((row, i) => row.Where((_, j) => mask[i][j] != 0).ToArray())]);

    /// <summary>Rows that go on where the cache stands.</summary>
    /// <param name="cache">The cache that the forward pass will be given.</param>
    /// <param name="rows">New tokens of some of its rows.</param>
    /// <param name="cacheRows">Which rows those are; the first ones unless said.</param>
    /// <param name="owners">Whose they are; their own number unless said.</param>
    /// <exception cref="FeatureFlowException">FF2212: a row is empty.</exception>
    public static TokenBatch Continue(KvCache cache, IReadOnlyList<int[]> rows, IReadOnlyList<int>? cacheRows = null, IReadOnlyList<int>? owners = null)
    {
        cacheRows ??= [.. Enumerable.Range(0, rows.Count)];
        return new TokenBatch(rows, cacheRows, [.. cacheRows.Select(r => cache.Lengths[r])], owners);
    }
}
