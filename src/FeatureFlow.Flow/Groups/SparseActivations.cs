using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>
/// Activations of one SAE at some tokens, only those that are not zero: 8 bytes each, where a dense row of 16,384 would be 64 KiB. Kept in chunks, which go to a file
/// when the memory for them is used up.
/// </summary>
/// <param name="features">Width of a row.</param>
/// <param name="spill">Where chunks go that memory has no room for; null keeps all.</param>
internal sealed class SparseActivations(int features, ActivationSpill? spill = null)
{
    private const int ChunkEntries = 1 << 18;

    private readonly List<(int Chunk, int Start, int Count)> _rows = [];
    private readonly List<Chunk> _chunks = [];
    private int _used;

    /// <summary>Width of a row.</summary>
    public int Features => features;

    /// <summary>Tokens.</summary>
    public int Rows => _rows.Count;

    /// <summary>Adds dense rows [T,F] in host memory.</summary>
    public void Append(Tensor z_TF)
    {
        var z = z_TF.AsSpan<float>();
        for (var t = 0; t < z_TF.Shape[0]; t++)
        {
            var row = z.Slice(t * features, features);
            var count = row.Length - row.Count(0f);
            if (_chunks.Count == 0 || _used + count > _chunks[^1].Indices!.Length) Next(count);
            var (indices, values) = (_chunks[^1].Indices!, _chunks[^1].Values!);
            _rows.Add((_chunks.Count - 1, _used, count));
            for (var at = 0; at < features;)
            {
                var next = row[at..].IndexOfAnyExcept(0f);
                if (next < 0) break;
                at += next;
                indices[_used] = at;
                values[_used++] = row[at++];
            }
        }
    }

    /// <summary>Active features of a token, ascending.</summary>
    public ReadOnlySpan<int> Indices(int row)
    {
        var (chunk, start, count) = _rows[row];
        return _chunks[chunk] is { Indices: { } indices } ? indices.AsSpan(start, count) : spill!.Read<int>(_chunks[chunk].Offset + (sizeof(int) * (long)start), count);
    }

    /// <summary>Their activations.</summary>
    public ReadOnlySpan<float> Values(int row)
    {
        var (chunk, start, count) = _rows[row];
        return _chunks[chunk] is { Values: { } values } ? values.AsSpan(start, count) : spill!.Read<float>(_chunks[chunk].Offset + (sizeof(float) * ((long)_chunks[chunk].Length + start)), count);
    }

    /// <summary>The activation of a feature, 0 where it is not active.</summary>
    public float At(int row, int index)
    {
        var found = Indices(row).BinarySearch(index);
        return found < 0 ? 0 : Values(row)[found];
    }

    // the chunk that is full stays in memory or goes to the file; the first ones are small, most uses have few tokens
    private void Next(int least)
    {
        if (_chunks.Count > 0 && spill?.Takes(_chunks[^1].Indices!, _chunks[^1].Values!) is { } offset) _chunks[^1] = new Chunk(null, null, offset, _chunks[^1].Length);
        var entries = Math.Max(least, Math.Min(ChunkEntries, 1024 << Math.Min(2 * _chunks.Count, 20)));
        _chunks.Add(new Chunk(new int[entries], new float[entries], -1, entries));
        _used = 0;
    }

    private readonly record struct Chunk(int[]? Indices, float[]? Values, long Offset, int Length);
}
