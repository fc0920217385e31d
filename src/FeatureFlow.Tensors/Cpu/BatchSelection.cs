namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// The largest elements of a whole matrix. Positive floats are ordered as their bits are, so the line between those kept and the others is found by counting one group of
/// bits after the other, from the top: three passes, exact, whatever the numbers.
/// </summary>
internal sealed unsafe class BatchSelection(Workers workers)
{
    private const int Bins = 1 << 11;
    private const int RowsOfAPiece = 32;

    // the sign is always 0: 11 + 10 + 10 bits
    private static readonly int[] Shifts = [20, 10, 0];

    /// <summary>z = x at the count largest that are positive, 0 elsewhere; equal ones by row, then column. Returns the smallest kept, 0 when all positive ones are.</summary>
    public float KeepLargest(float* x, long strideX, float* z, long strideZ, int rows, int width, long count)
    {
        var left = count;
        uint prefix = 0;
        long onLine = 0;
        foreach (var shift in Shifts)
        {
            var bins = Count(x, strideX, rows, width, prefix, shift);
            var bin = Bins - 1;
            for (; bin >= 0 && bins[bin] < left; bin--) left -= bins[bin];
            if (bin < 0)
            {
                workers.Run(rows, CancellationToken.None, t => Rows.Relu(x + t * strideX, z + t * strideZ, width));
                return 0;
            }

            prefix |= (uint)bin << shift;
            onLine = bins[bin];
        }

        // those above the line are in; what room is left goes to those on it, row by row
        var line = BitConverter.UInt32BitsToSingle(prefix);
        var room = new long[rows];
        if (onLine == left)
        {
            Array.Fill(room, width);
        }
        else
        {
            workers.Run(rows, CancellationToken.None, t => room[t] = new ReadOnlySpan<float>(x + t * strideX, width).Count(line));
            for (var t = 0; t < rows; t++) left -= room[t] = Math.Min(room[t], left);
        }

        workers.Run(rows, CancellationToken.None, t =>
        {
            float* from = x + t * strideX, to = z + t * strideZ;
            var free = room[t];
            for (var f = 0; f < width; f++)
            {
                var v = from[f];
                to[f] = v > line || (v == line && free-- > 0) ? v : 0;
            }
        });
        return line;
    }

    // positive elements whose bits above the group are those of the prefix, by the group
    private long[] Count(float* x, long stride, int rows, int width, uint prefix, int shift)
    {
        var all = new long[Bins];
        var above = shift == Shifts[0] ? 32 : shift + 10;
        var mask = shift == Shifts[0] ? (uint)Bins - 1 : (1u << 10) - 1;
        workers.Run((rows + RowsOfAPiece - 1) / RowsOfAPiece, CancellationToken.None, piece =>
        {
            var mine = stackalloc int[Bins];
            new Span<int>(mine, Bins).Clear();
            for (var t = piece * RowsOfAPiece; t < Math.Min(rows, (piece + 1) * RowsOfAPiece); t++)
            {
                var row = (uint*)(x + t * stride);
                for (var f = 0; f < width; f++)
                {
                    // the bits of a positive number, infinity included, lie between these
                    if (row[f] - 1 < 0x7F800000 && (ulong)row[f] >> above == (ulong)prefix >> above) mine[(row[f] >> shift) & mask]++;
                }
            }

            lock (all)
            {
                for (var b = 0; b < Bins; b++) all[b] += mine[b];
            }
        });
        return all;
    }
}
