namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// The largest elements of a whole matrix. Positive floats are ordered as their bits are, so the line between those kept and the others is found by counting the
/// upper, then the lower half of the bits: two passes, exact, whatever the numbers.
/// </summary>
internal sealed unsafe class BatchSelection(Workers workers)
{
    private const int Bins = 1 << 16;
    private const int RowsOfAPiece = 64;

    /// <summary>z = x at the count largest that are positive, 0 elsewhere; equal ones by row, then column. Returns the smallest kept, 0 when all positive ones are.</summary>
    public float KeepLargest(float* x, long strideX, float* z, long strideZ, int rows, int width, long count)
    {
        var upper = Count(x, strideX, rows, width, null);
        var high = Bins - 1;
        var left = count;
        for (; high >= 0 && upper[high] < left; high--) left -= upper[high];
        if (high < 0)
        {
            workers.Run(rows, CancellationToken.None, t => Rows.Relu(x + t * strideX, z + t * strideZ, width));
            return 0;
        }

        var prefix = (uint)high;
        var lower = Count(x, strideX, rows, width, prefix);
        var low = Bins - 1;
        for (; lower[low] < left; low--) left -= lower[low];
        var line = BitConverter.UInt32BitsToSingle((prefix << 16) | (uint)low);

        // those above the line are in; what room is left goes to those on it, row by row
        var room = new long[rows];
        if (lower[low] == left)
        {
            Array.Fill(room, width);
        }
        else
        {
            workers.Run(rows, CancellationToken.None, t => room[t] = new ReadOnlySpan<float>(x + t * strideX, width).Count(line));
            for (var t = 0; t < rows; t++) left -= room[t] = Math.Min(room[t], left);
        }

        return Keep(x, strideX, z, strideZ, rows, width, line, room);
    }

    private float Keep(float* x, long strideX, float* z, long strideZ, int rows, int width, float line, long[] room)
    {
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

    // positive elements by the upper half of their bits, or those of one upper half by the lower
    private long[] Count(float* x, long stride, int rows, int width, uint? upper)
    {
        var all = new long[Bins];
        workers.Run((rows + RowsOfAPiece - 1) / RowsOfAPiece, CancellationToken.None, piece =>
        {
            var mine = new int[Bins];
            for (var t = piece * RowsOfAPiece; t < Math.Min(rows, (piece + 1) * RowsOfAPiece); t++)
            {
                var row = x + t * stride;
                for (var f = 0; f < width; f++)
                {
                    if (!(row[f] > 0)) continue;
                    var bits = BitConverter.SingleToUInt32Bits(row[f]);
                    if (upper is null) mine[bits >> 16]++;
                    else if (bits >> 16 == upper) mine[bits & (Bins - 1)]++;
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
