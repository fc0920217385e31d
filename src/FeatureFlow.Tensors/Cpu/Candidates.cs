namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// The keys that may still be among a query's k best. A float32 score is within <c>margin/2</c> of the true one, so a key that lies more
/// than <c>margin</c> under the k-th best float32 score cannot be; everything above that line is kept for the float64 decision. When
/// more lie in the margin than there is room for, the query is marked and decided in float64 alone.
/// </summary>
internal struct Candidates
{
    private readonly int _k;
    private readonly float _margin;
    private readonly int[] _index;
    private readonly float[] _score;
    private int _count;

    /// <param name="k">Keys wanted.</param>
    /// <param name="margin">Twice the largest error of a float32 score.</param>
    /// <param name="floor">A true score that k keys reach, or −∞.</param>
    public Candidates(int k, float margin, double floor = double.NegativeInfinity)
    {
        _k = k;
        _margin = margin;
        var room = 2 * k + 32;
        _index = new int[room];
        _score = new float[room];
        Line = floor > float.MinValue ? MathF.BitDecrement(MathF.BitDecrement((float)floor) - margin) : float.NegativeInfinity;
    }

    /// <summary>Scores at or under the line are out.</summary>
    public float Line { get; private set; }

    /// <summary>True when the margin held more keys than there is room for.</summary>
    public bool Overflowed { get; private set; }

    public readonly ReadOnlySpan<int> Indices => _index.AsSpan(0, _count);

    public void Offer(int index, float score)
    {
        if (!(score > Line) || float.IsInfinity(score)) return;
        if (_count == _index.Length) Compact();
        if (!(score > Line)) return;
        if (_count == _index.Length)
        {
            Overflow();
            return;
        }

        _index[_count] = index;
        _score[_count++] = score;
    }

    /// <summary>Takes over what another piece of the keys left.</summary>
    public void Merge(in Candidates other)
    {
        if (other.Overflowed) Overflow();
        for (var i = 0; i < other._count && !Overflowed; i++) Offer(other._index[i], other._score[i]);
    }

    private void Overflow()
    {
        Overflowed = true;
        Line = float.PositiveInfinity;
    }

    /// <summary>Drops what has fallen under the line since it was offered.</summary>
    public void Compact()
    {
        if (_count < _k || Overflowed) return;
        Span<float> scores = _count <= 512 ? stackalloc float[_count] : new float[_count];
        _score.AsSpan(0, _count).CopyTo(scores);
        var line = Selection.KthLargestOfFew(scores, _k) - _margin;
        // the line itself stays in: a key exactly there could still tie
        Line = Math.Max(Line, MathF.BitDecrement(line));
        var kept = 0;
        for (var i = 0; i < _count; i++)
        {
            if (!(_score[i] > Line)) continue;
            _index[kept] = _index[i];
            _score[kept++] = _score[i];
        }

        _count = kept;
    }
}
