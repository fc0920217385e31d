using System.Text;

namespace FeatureFlow.Models.Tests;

/// <summary>The checksum of zip archives.</summary>
public sealed class Crc32Tests
{
    [Fact]
    public void Known_values() => Assert.Equal((0xCBF43926u, 0u, 0xE8B7BE43u), (Crc32.Append(0, "123456789"u8), Crc32.Append(0, []), Crc32.Append(0, "a"u8)));

    [Fact]
    public void Parts_combine_to_the_whole_wherever_it_is_cut()
    {
        var random = new Random(3);
        for (var attempt = 0; attempt < 200; attempt++)
        {
            var bytes = new byte[random.Next(1, 2000)];
            random.NextBytes(bytes);
            var cut = random.Next(bytes.Length + 1);
            var whole = Slow(bytes);
            Assert.Equal(whole, Crc32.Append(0, bytes));
            Assert.Equal(whole, Crc32.Append(Crc32.Append(0, bytes.AsSpan(0, cut)), bytes.AsSpan(cut)));
            Assert.Equal(whole, Crc32.Combine(Crc32.Append(0, bytes.AsSpan(0, cut)), Crc32.Append(0, bytes.AsSpan(cut)), bytes.Length - cut));
        }
    }

    // bit by bit, from the polynomial
    private static uint Slow(byte[] bytes)
    {
        var crc = ~0u;
        foreach (var b in bytes)
        {
            crc ^= b;
            for (var bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xEDB88320 : crc >> 1;
        }

        return ~crc;
    }
}
