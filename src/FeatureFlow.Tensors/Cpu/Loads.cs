using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace FeatureFlow.Tensors.Cpu;

/// <summary>
/// How elements of one stored type become float32. Implementations are structs, so that every kernel is compiled once per type with the
/// conversion inlined; pointers may be unaligned (a member of an npz starts anywhere).
/// </summary>
internal unsafe interface ILoad
{
    /// <summary>Bytes of one element.</summary>
    static abstract int Size { get; }

    static abstract float One(byte* p);

    static abstract Vector128<float> Four(byte* p);

    static abstract Vector256<float> Eight(byte* p);

    static abstract Vector512<float> Sixteen(byte* p);
}

internal readonly unsafe struct LoadF32 : ILoad
{
    public static int Size => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float One(byte* p) => Unsafe.ReadUnaligned<float>(p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Four(byte* p) => Vector128.Load((float*)p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Eight(byte* p) => Vector256.Load((float*)p);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Sixteen(byte* p) => Vector512.Load((float*)p);
}

/// <summary>bfloat16 is the upper half of a float32: widen and shift.</summary>
internal readonly unsafe struct LoadBF16 : ILoad
{
    public static int Size => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float One(byte* p) => BitConverter.UInt32BitsToSingle((uint)Unsafe.ReadUnaligned<ushort>(p) << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Four(byte* p) =>
        (Vector128.WidenLower(Vector128.CreateScalar(Unsafe.ReadUnaligned<ulong>(p)).AsUInt16()) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Eight(byte* p) => (Vector256.WidenLower(Vector128.Load((ushort*)p).ToVector256Unsafe()) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Sixteen(byte* p) => (Vector512.WidenLower(Vector256.Load((ushort*)p).ToVector512Unsafe()) << 16).AsSingle();
}

/// <summary>
/// IEEE half: move exponent and mantissa into a float32's place and multiply by 2^112 to correct the bias. The product is exact and makes
/// subnormals right; infinities and NaN, whose exponent field is full, get the float32's full exponent instead.
/// </summary>
internal readonly unsafe struct LoadF16 : ILoad
{
    private const float Rebias = 5.192296858534828e33f; // 2^112
    private const uint FullExponent = 0x7c00u << 13;

    public static int Size => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float One(byte* p) => (float)BitConverter.UInt16BitsToHalf(Unsafe.ReadUnaligned<ushort>(p));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Four(byte* p)
    {
        var h = Vector128.WidenLower(Vector128.CreateScalar(Unsafe.ReadUnaligned<ulong>(p)).AsUInt16());
        var magnitude = (h & Vector128.Create(0x7fffu)) << 13;
        var value = (magnitude.AsSingle() * Rebias).AsUInt32();
        value = Vector128.ConditionalSelect(Vector128.GreaterThanOrEqual(magnitude, Vector128.Create(FullExponent)), magnitude | Vector128.Create(0x7f800000u), value);
        return (value | ((h & Vector128.Create(0x8000u)) << 16)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Eight(byte* p)
    {
        var h = Vector256.WidenLower(Vector128.Load((ushort*)p).ToVector256Unsafe());
        var magnitude = (h & Vector256.Create(0x7fffu)) << 13;
        var value = (magnitude.AsSingle() * Rebias).AsUInt32();
        value = Vector256.ConditionalSelect(Vector256.GreaterThanOrEqual(magnitude, Vector256.Create(FullExponent)), magnitude | Vector256.Create(0x7f800000u), value);
        return (value | ((h & Vector256.Create(0x8000u)) << 16)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Sixteen(byte* p)
    {
        var h = Vector512.WidenLower(Vector256.Load((ushort*)p).ToVector512Unsafe());
        var magnitude = (h & Vector512.Create(0x7fffu)) << 13;
        var value = (magnitude.AsSingle() * Rebias).AsUInt32();
        value = Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(magnitude, Vector512.Create(FullExponent)), magnitude | Vector512.Create(0x7f800000u), value);
        return (value | ((h & Vector512.Create(0x8000u)) << 16)).AsSingle();
    }
}
