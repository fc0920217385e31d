using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// The keys that may still be among a query's k best. A float32 score is within <c>margin/2</c> of the true one, so a key that lies more
/// than <c>margin</c> under the k-th best float32 score cannot be; everything above that line is kept for the float64 decision. When
/// more lie in the margin than there is room for, the query is marked and decided in float64 alone.
/// </summary>
internal struct Candidates
{
    private const int Lanes = 16;

    private readonly int _k;
    private readonly int _room;
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
        _room = (2 * k) + 32;
        _index = new int[_room + (2 * Lanes)]; // vectors are written and read past the end
        _score = new float[_room + (2 * Lanes)];
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
        if (!HasRoom() || !(score > Line)) return;
        _index[_count] = index;
        _score[_count++] = score;
    }

    /// <summary>Offers sixteen neighbouring keys, some of which are above the line; needs AVX-512.</summary>
    public void Offer(int first, Vector512<float> scores)
    {
        if (!HasRoom()) return;
        var above = Vector512.GreaterThan(scores, Vector512.Create(Line)) & Vector512.LessThan(scores, Vector512.Create(float.PositiveInfinity));
        Keep(Vector512.Create(first) + Vector512<int>.Indices, scores, above);
    }

    /// <summary>Takes over what another piece of the keys left.</summary>
    public void Merge(in Candidates other)
    {
        if (other.Overflowed) Overflow();
        for (var i = 0; i < other._count && !Overflowed; i++) Offer(other._index[i], other._score[i]);
    }

    private bool HasRoom()
    {
        if (_count < _room) return true;
        Compact();
        if (_count < _room) return true;
        Overflow();
        return false;
    }

    private void Overflow()
    {
        Overflowed = true;
        Line = float.PositiveInfinity;
    }

    private void Keep(Vector512<int> index, Vector512<float> score, Vector512<float> which)
    {
        Avx512F.Compress(Vector512<int>.Zero, which.AsInt32(), index).StoreUnsafe(ref MemoryMarshal.GetArrayDataReference(_index), (nuint)_count);
        Avx512F.Compress(Vector512<float>.Zero, which, score).StoreUnsafe(ref MemoryMarshal.GetArrayDataReference(_score), (nuint)_count);
        _count += BitOperations.PopCount(which.ExtractMostSignificantBits());
    }

    /// <summary>Drops what has fallen under the line since it was offered.</summary>
    public void Compact()
    {
        if (_count < _k || Overflowed) return;
        var line = Selection.KthLargestOfFew(_score.AsSpan(0, _count), _k) - _margin;
        // the line itself stays in: a key exactly there could still tie
        Line = Math.Max(Line, MathF.BitDecrement(line));
        var before = _count;
        _count = 0;
        var i = 0;
        if (Avx512F.IsSupported)
        {
            // what is kept never overtakes what is read
            _score.AsSpan(before, Lanes).Fill(float.NegativeInfinity);
            for (; i < before; i += Lanes)
            {
                var score = Vector512.LoadUnsafe(ref MemoryMarshal.GetArrayDataReference(_score), (nuint)i);
                Keep(Vector512.LoadUnsafe(ref MemoryMarshal.GetArrayDataReference(_index), (nuint)i), score, Vector512.GreaterThan(score, Vector512.Create(Line)));
            }
        }

        for (; i < before; i++)
        {
            if (!(_score[i] > Line)) continue;
            _index[_count] = _index[i];
            _score[_count++] = _score[i];
        }
    }
}
