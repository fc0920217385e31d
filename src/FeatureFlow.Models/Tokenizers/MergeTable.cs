namespace FeatureFlow.Models.Tokenizers;

/// <summary>The merges of a BPE vocabulary: which rank a pair of tokens has, and what each rank makes. An open hash table of pairs.</summary>
internal sealed class MergeTable
{
    /// <summary>The rank of a pair that never merges.</summary>
    public const int None = int.MaxValue;

    private readonly ulong[] _pairs;
    private readonly int[] _ranks;
    private readonly int[] _made;
    private readonly int _shift;

    /// <summary>Makes the table; the position in the list is the rank, and a pair given twice has its last one.</summary>
    public MergeTable(IReadOnlyList<(int Left, int Right, int Made)> merges)
    {
        var bits = 4;
        while (1L << bits < merges.Count * 2L) bits++;
        _shift = 64 - bits;
        _pairs = new ulong[1 << bits];
        _ranks = new int[1 << bits];
        Array.Fill(_pairs, ulong.MaxValue);
        _made = new int[merges.Count];
        for (var rank = 0; rank < merges.Count; rank++)
        {
            var (left, right, made) = merges[rank];
            var slot = Slot(Pair(left, right));
            _pairs[slot] = Pair(left, right);
            _ranks[slot] = rank;
            _made[rank] = made;
        }
    }

    /// <summary>The rank of a pair, or <see cref="None"/>.</summary>
    public int Rank(int left, int right)
    {
        var slot = Slot(Pair(left, right));
        return _pairs[slot] == ulong.MaxValue ? None : _ranks[slot];
    }

    /// <summary>The token that a merge makes.</summary>
    public int Made(int rank) => _made[rank];

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    private int Slot(ulong pair)
    {
        var slot = (int)((pair * 0x9E3779B97F4A7C15) >> _shift);
        while (_pairs[slot] != pair && _pairs[slot] != ulong.MaxValue) slot = (slot + 1) & (_pairs.Length - 1);
        return slot;
    }
}
