using System.Numerics;

namespace FeatureFlow;

/// <summary>
/// The seeded generator of everything that is drawn by chance: xoshiro256** (Blackman and Vigna 2018), its state filled by SplitMix64 from a seed and
/// any number of further keys. The same numbers on every machine and in every version; its state can be kept and taken up again. Not for several threads.
/// </summary>
public sealed class Prng
{
    private ulong _s0, _s1, _s2, _s3;

    /// <summary>A generator of its own for every combination of seed and keys (an epoch, a row, a feature).</summary>
    public Prng(ulong seed, params ReadOnlySpan<ulong> keys)
    {
        var x = seed;
        var mixed = Mix(ref x);
        foreach (var key in keys)
        {
            x = mixed ^ (key * 0xD1342543DE82EF95UL + 1);
            mixed = Mix(ref x);
        }

        (_s0, _s1, _s2, _s3) = (mixed, Mix(ref x), Mix(ref x), Mix(ref x));
        if ((_s0 | _s1 | _s2 | _s3) == 0) _s0 = 1;
    }

    private Prng(ulong s0, ulong s1, ulong s2, ulong s3) => (_s0, _s1, _s2, _s3) = (s0, s1, s2, s3);

    /// <summary>Where it is: four numbers that <see cref="Resume"/> takes.</summary>
    public ulong[] State => [_s0, _s1, _s2, _s3];

    /// <summary>Goes on from a state.</summary>
    public static Prng Resume(ReadOnlySpan<ulong> state) => new(state[0], state[1], state[2], state[3]);

    /// <summary>64 bits.</summary>
    public ulong NextBits()
    {
        var result = BitOperations.RotateLeft(_s1 * 5, 7) * 9;
        var t = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= t;
        _s3 = BitOperations.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>Uniform in [0, 1), 53 bits.</summary>
    public double NextDouble() => (NextBits() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform in 0 ... <paramref name="bound"/> − 1, without bias.</summary>
    public int Next(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bound, 1);
        var least = unchecked(0 - (ulong)bound) % (ulong)bound; // numbers below it would make small results likelier
        while (true)
        {
            var high = Math.BigMul(NextBits(), (ulong)bound, out var low);
            if (low >= least) return (int)high;
        }
    }

    /// <summary>Normal with mean 0 and deviation 1 (Box and Muller; the second of the pair is not kept, so that the state is all there is).</summary>
    public double NextGaussian()
    {
        var radius = Math.Sqrt(-2 * Math.Log(1 - NextDouble()));
        return radius * Math.Cos(2 * Math.PI * NextDouble());
    }

    /// <summary>Puts items into a random order (Fisher and Yates).</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (var i = items.Length - 1; i > 0; i--)
        {
            var j = Next(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    private static ulong Mix(ref ulong x)
    {
        x += 0x9E3779B97F4A7C15UL;
        var z = x;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
        return z ^ (z >> 31);
    }
}
