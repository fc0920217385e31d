using System.Numerics;
using System.Runtime.Intrinsics;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// The chosen elements of a few neighbouring columns of a row-major matrix that is mostly zeros, listed column by column in the order of rows: a thread
/// that owns the columns can then sum over their tokens alone, in one order.
/// </summary>
internal readonly unsafe struct SparseColumns(int* counts, int* rows, float* values, int capacity)
{
    /// <summary>Columns that are listed together: four cache lines of a row.</summary>
    public const int Width = 64;

    /// <summary>Floats of scratch memory for a matrix of some rows.</summary>
    public static long Floats(int rows) => Width + 2L * Width * rows;

    /// <summary>Lists in scratch memory of <see cref="Floats"/>.</summary>
    public static SparseColumns In(float* scratch, int rows) => new((int*)scratch, (int*)scratch + Width, scratch + Width + (long)Width * rows, rows);

    /// <summary>Elements listed of a column.</summary>
    public int Count(int column) => counts[column];

    /// <summary>Their rows, ascending.</summary>
    public int* RowsOf(int column) => rows + (long)column * capacity;

    /// <summary>Their values.</summary>
    public float* ValuesOf(int column) => values + (long)column * capacity;

    /// <summary>Lists the elements that are not zero, of columns <paramref name="first"/> ... of x.</summary>
    public void ListNonZeros(float* x, long stride, int height, int first, int columns)
    {
        new Span<int>(counts, Width).Clear();
        for (var t = 0; t < height; t++)
        {
            var row = x + t * stride + first;
            var c = 0;
            for (; c + 16 <= columns; c += 16) Add(t, c, row, (uint)Vector512.ExtractMostSignificantBits(~Vector512.Equals(Vector512.Load(row + c), Vector512<float>.Zero)));
            for (; c < columns; c++)
            {
                if (row[c] != 0) Add(t, c, row, 1);
            }
        }
    }

    /// <summary>Lists the elements above their column's bound.</summary>
    public void ListAbove(float* x, long stride, int height, int first, int columns, float* bounds)
    {
        new Span<int>(counts, Width).Clear();
        for (var t = 0; t < height; t++)
        {
            var row = x + t * stride + first;
            var c = 0;
            for (; c + 16 <= columns; c += 16) Add(t, c, row, (uint)Vector512.ExtractMostSignificantBits(Vector512.GreaterThan(Vector512.Load(row + c), Vector512.Load(bounds + c))));
            for (; c < columns; c++)
            {
                if (row[c] > bounds[c]) Add(t, c, row, 1);
            }
        }
    }

    private void Add(int t, int column, float* row, uint bits)
    {
        for (; bits != 0; bits &= bits - 1)
        {
            var c = column + BitOperations.TrailingZeroCount(bits);
            var at = (long)c * capacity + counts[c]++;
            rows[at] = t;
            values[at] = row[c];
        }
    }
}
