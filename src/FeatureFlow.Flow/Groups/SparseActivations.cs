using System.Runtime.InteropServices;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>Activations of one SAE at some tokens, only those that are not zero: 8 bytes each, where a dense row of 16,384 would be 64 KiB.</summary>
internal sealed class SparseActivations(int features)
{
    private readonly List<int> _starts = [0];
    private readonly List<int> _indices = [];
    private readonly List<float> _values = [];

    /// <summary>Width of a row.</summary>
    public int Features => features;

    /// <summary>Tokens.</summary>
    public int Rows => _starts.Count - 1;

    /// <summary>Adds dense rows [T,F] in host memory.</summary>
    public void Append(Tensor z_TF)
    {
        var z = z_TF.AsSpan<float>();
        for (var t = 0; t < z_TF.Shape[0]; t++)
        {
            var row = z.Slice(t * features, features);
            for (var at = 0; at < features;)
            {
                var next = row[at..].IndexOfAnyExcept(0f);
                if (next < 0) break;
                at += next;
                _indices.Add(at);
                _values.Add(row[at++]);
            }

            _starts.Add(_indices.Count);
        }
    }

    /// <summary>Active features of a token, ascending.</summary>
    public ReadOnlySpan<int> Indices(int row) => CollectionsMarshal.AsSpan(_indices)[_starts[row].._starts[row + 1]];

    /// <summary>Their activations.</summary>
    public ReadOnlySpan<float> Values(int row) => CollectionsMarshal.AsSpan(_values)[_starts[row].._starts[row + 1]];

    /// <summary>The activation of a feature, 0 where it is not active.</summary>
    public float At(int row, int index)
    {
        var found = Indices(row).BinarySearch(index);
        return found < 0 ? 0 : Values(row)[found];
    }
}
