using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using ArmCrc32 = System.Runtime.Intrinsics.Arm.Crc32;

namespace FeatureFlow.Models;

/// <summary>
/// CRC-32 as zip uses it (reflected polynomial 0xEDB88320). Folds 64 bytes at a time with carry-less multiplication where the
/// processor has it; CRCs of neighbouring pieces can be combined, so that pieces are computed in parallel.
/// </summary>
internal static class Crc32
{
    private const uint Polynomial = 0xEDB88320;

    // Folding constants, x^n mod P in the reflected domain: n = 544 and 480 (four vectors ahead), n = 160 and 96 (one ahead).
    private static readonly Vector128<ulong> FourAhead = Vector128.Create(0x1_5444_2BD4UL, 0x1_C6E4_1596UL);
    private static readonly Vector128<ulong> OneAhead = Vector128.Create(0x1_7519_97D0UL, 0x0_CCAA_009EUL);

    private static readonly uint[][] Tables = MakeTables();

    // x^(2^k) mod P, for combining
    private static readonly uint[] Squares = MakeSquares();

    /// <summary>The CRC of <paramref name="bytes"/> when those before it had <paramref name="crc"/>.</summary>
    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        var state = ~crc;
        if (Pclmulqdq.IsSupported && bytes.Length >= 64) state = Fold(state, ref bytes);
        return ~(ArmCrc32.Arm64.IsSupported ? Arm(state, bytes) : Portable(state, bytes));
    }

    /// <summary>The CRC of two neighbouring pieces from their own, <paramref name="secondLength"/> being the bytes of the second.</summary>
    public static uint Combine(uint first, uint second, long secondLength)
    {
        // appending n bytes multiplies what came before by x^(8n)
        var power = 1u << 31;
        var k = 3;
        for (var n = secondLength; n > 0; n >>= 1, k = (k + 1) & 31)
        {
            if ((n & 1) != 0) power = Multiply(Squares[k], power);
        }

        return Multiply(power, first) ^ second;
    }

    /// <summary>The table form, eight bytes a step: the fall-back, and the oracle of the others.</summary>
    internal static uint Portable(uint state, ReadOnlySpan<byte> bytes)
    {
        var t = Tables;
        while (bytes.Length >= 8)
        {
            var low = state ^ BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            var high = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
            state = t[7][(byte)low] ^ t[6][(byte)(low >> 8)] ^ t[5][(byte)(low >> 16)] ^ t[4][low >> 24]
                ^ t[3][(byte)high] ^ t[2][(byte)(high >> 8)] ^ t[1][(byte)(high >> 16)] ^ t[0][high >> 24];
            bytes = bytes[8..];
        }

        foreach (var b in bytes) state = t[0][(byte)(state ^ b)] ^ (state >> 8);
        return state;
    }

    private static uint Arm(uint state, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= 8)
        {
            state = ArmCrc32.Arm64.ComputeCrc32(state, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }

        foreach (var b in bytes) state = ArmCrc32.ComputeCrc32(state, b);
        return state;
    }

    private static uint Fold(uint state, ref ReadOnlySpan<byte> bytes)
    {
        ref var at = ref MemoryMarshal.GetReference(bytes);
        var a = Load(ref at, 0) ^ Vector128.CreateScalar((ulong)state);
        var b = Load(ref at, 16);
        var c = Load(ref at, 32);
        var d = Load(ref at, 48);
        var done = 64;
        for (; done <= bytes.Length - 64; done += 64)
        {
            a = Ahead(a, FourAhead) ^ Load(ref at, done);
            b = Ahead(b, FourAhead) ^ Load(ref at, done + 16);
            c = Ahead(c, FourAhead) ^ Load(ref at, done + 32);
            d = Ahead(d, FourAhead) ^ Load(ref at, done + 48);
        }

        a = Ahead(a, OneAhead) ^ b;
        a = Ahead(a, OneAhead) ^ c;
        a = Ahead(a, OneAhead) ^ d;
        bytes = bytes[done..];

        // the 128 bits left stand for all bytes so far: their own remainder is the state
        Span<byte> rest = stackalloc byte[16];
        a.AsByte().CopyTo(rest);
        return Portable(0, rest);
    }

    private static Vector128<ulong> Load(ref byte at, int offset) => Vector128.LoadUnsafe(ref Unsafe.Add(ref at, offset)).AsUInt64();

    private static Vector128<ulong> Ahead(Vector128<ulong> x, Vector128<ulong> by) =>
        Pclmulqdq.CarrylessMultiply(x, by, 0x00) ^ Pclmulqdq.CarrylessMultiply(x, by, 0x11);

    // product of two polynomials mod P; bit 31 is x^0
    private static uint Multiply(uint a, uint b)
    {
        uint product = 0;
        for (; a != 0; a <<= 1)
        {
            if ((a & 0x8000_0000) != 0) product ^= b;
            b = (b & 1) != 0 ? (b >> 1) ^ Polynomial : b >> 1;
        }

        return product;
    }

    private static uint[] MakeSquares()
    {
        var squares = new uint[32];
        squares[0] = 1u << 30;
        for (var i = 1; i < squares.Length; i++) squares[i] = Multiply(squares[i - 1], squares[i - 1]);
        return squares;
    }

    private static uint[][] MakeTables()
    {
        var tables = new uint[8][];
        for (var t = 0; t < tables.Length; t++) tables[t] = new uint[256];
        for (uint i = 0; i < 256; i++)
        {
            var c = i;
            for (var bit = 0; bit < 8; bit++) c = (c & 1) != 0 ? (c >> 1) ^ Polynomial : c >> 1;
            tables[0][i] = c;
        }

        for (var t = 1; t < tables.Length; t++)
        {
            for (var i = 0; i < 256; i++) tables[t][i] = tables[0][(byte)tables[t - 1][i]] ^ (tables[t - 1][i] >> 8);
        }

        return tables;
    }
}
