using System.Numerics;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>One pass over the bytes of an array, on all cores: its CRC-32 and its non-finite numbers.</summary>
internal static unsafe class ArrayScanner
{
    // Pieces are what one core takes at a time; blocks stay in its cache between the checksum and the look at the numbers.
    private const int PieceBytes = 1 << 22;
    private const int BlockBytes = 1 << 15;

    /// <summary>Scans <paramref name="bytes"/> bytes from the start of <paramref name="storage"/>; the CRC is 0 when not asked for.</summary>
    public static (TensorScan Scan, uint Crc) Run(HostStorage storage, long offset, long bytes, DType type, bool crc)
    {
        using var pin = storage.Pin();
        var start = pin.Pointer + offset;
        var pieces = (int)((bytes + PieceBytes - 1) / PieceBytes);
        var found = new (uint Crc, long NonFinite, long First)[pieces];
        if (pieces == 1)
        {
            found[0] = Piece(start, bytes, type, crc);
        }
        else
        {
            // held by the pin of this frame for as long as the loop runs
            Parallel.For(0, pieces, i => found[i] = Piece(start + (long)i * PieceBytes, Math.Min(PieceBytes, bytes - (long)i * PieceBytes), type, crc));
        }

        long count = 0, first = -1;
        uint sum = 0;
        for (var i = 0; i < pieces; i++)
        {
            var (pieceCrc, nonFinite, pieceFirst) = found[i];
            if (crc) sum = Crc32.Combine(sum, pieceCrc, Math.Min(PieceBytes, bytes - (long)i * PieceBytes));
            if (first < 0 && pieceFirst >= 0) first = pieceFirst + (long)i * (PieceBytes / type.Size());
            count += nonFinite;
        }

        return (new TensorScan(count, first), sum);
    }

    private static (uint Crc, long NonFinite, long First) Piece(byte* start, long bytes, DType type, bool crc)
    {
        uint sum = 0;
        long count = 0, first = -1;
        for (long at = 0; at < bytes; at += BlockBytes)
        {
            var block = new ReadOnlySpan<byte>(start + at, (int)Math.Min(BlockBytes, bytes - at));
            if (crc) sum = Crc32.Append(sum, block);
            var (blockCount, blockFirst) = type switch
            {
                DType.F32 => NonFinite(block, 0x7F80_0000u),
                DType.BF16 => NonFinite<ushort>(block, 0x7F80),
                DType.F16 => NonFinite<ushort>(block, 0x7C00),
                DType.F64 => NonFinite(block, 0x7FF0_0000_0000_0000ul),
                _ => (0, -1),
            };
            if (first < 0 && blockFirst >= 0) first = at / type.Size() + blockFirst;
            count += blockCount;
        }

        return (sum, count, first);
    }

    // A number is NaN or infinite when all its exponent bits are set, whatever its format.
    private static (long Count, long First) NonFinite<T>(ReadOnlySpan<byte> block, T exponent)
        where T : unmanaged, IBinaryInteger<T>
    {
        var n = block.Length / sizeof(T);
        fixed (byte* p = block)
        {
            var x = (T*)p;
            var mask = new Vector<T>(exponent);
            var i = 0;
            var any = Vector<T>.Zero;
            for (; i <= n - Vector<T>.Count; i += Vector<T>.Count)
            {
                any |= Vector.Equals(Vector.Load(x + i) & mask, mask);
            }

            var clean = any == Vector<T>.Zero;
            if (clean && i == n) return (0, -1);

            // the rare block with one, or the few numbers after the last vector
            long count = 0, first = -1;
            for (i = clean ? i : 0; i < n; i++)
            {
                if ((x[i] & exponent) != exponent) continue;
                if (first < 0) first = i;
                count++;
            }

            return (count, first);
        }
    }
}
