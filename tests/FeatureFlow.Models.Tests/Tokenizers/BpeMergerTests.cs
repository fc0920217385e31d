using System.Diagnostics;
using FeatureFlow.Models.Tokenizers;

namespace FeatureFlow.Models.Tests.Tokenizers;

/// <summary>Merging against the definition: the lowest rank, leftmost, until none is left.</summary>
public sealed class BpeMergerTests
{
    [Theory]
    [InlineData(3)]
    [InlineData(40)]
    [InlineData(700)]
    public void As_defined(int length)
    {
        var random = new Random(length);
        for (var n = 0; n < 200; n++)
        {
            var pairs = new Dictionary<(int, int), int>();
            var merges = new List<(int, int, int)>();
            for (var made = 4; made < 40; made++)
            {
                var pair = (random.Next(made), random.Next(made));
                if (!pairs.TryAdd(pair, merges.Count)) continue;
                merges.Add((pair.Item1, pair.Item2, made));
            }

            var symbols = Enumerable.Range(0, length).Select(_ => random.Next(4)).ToArray();
            var expected = Slowly([.. symbols], merges);
            Assert.Equal(expected, symbols[..BpeMerger.Merge(symbols, new MergeTable(merges))]);
        }
    }

    [Fact]
    public void A_word_of_100_kB_is_quick()
    {
        var tokenizer = MadeUp.Load(MadeUp.Gpt2());
        var word = string.Concat(Enumerable.Repeat("thell", 20_000));
        var clock = Stopwatch.StartNew();
        var ids = tokenizer.Encode(word);
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5), $"{clock.Elapsed}");
        Assert.Equal(40_000, ids.Length); // the, ll
        Assert.Equal(word, tokenizer.Decode(ids));
    }

    private static List<int> Slowly(List<int> symbols, List<(int Left, int Right, int Made)> merges)
    {
        while (true)
        {
            var (rank, at) = Enumerable.Range(0, Math.Max(0, symbols.Count - 1))
                .Select(i => (merges.FindIndex(m => m.Left == symbols[i] && m.Right == symbols[i + 1]), i))
                .Where(c => c.Item1 >= 0).DefaultIfEmpty((-1, -1)).Min();
            if (rank < 0) return symbols;
            symbols[at] = merges[rank].Made;
            symbols.RemoveAt(at + 1);
        }
    }
}
