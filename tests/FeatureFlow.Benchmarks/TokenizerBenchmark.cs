using System.Text;
using FeatureFlow.Models.Tokenizers;

namespace FeatureFlow.Benchmarks;

/// <summary>Text to ids and back on one core: our own pages, again and again, and a word of 100 kB that no cache helps with.</summary>
internal sealed class TokenizerBenchmark : Benchmark
{
    public override string Name => "tokens";

    public override string Measures => "byte-level BPE on one core: the pages of docs many times over, and one word of 100 kB";

    public override IEnumerable<Row> Run(BenchmarkOptions options)
    {
        var root = Root();
        var pages = string.Concat(Directory.EnumerateFiles(Path.Combine(root, "docs"), "*.md").Order(StringComparer.Ordinal).Select(File.ReadAllText));
        var text = string.Concat(Enumerable.Repeat(pages, 8_000_000 / pages.Length + 1));
        var bytes = Encoding.UTF8.GetByteCount(text);
        var random = new Random(1);
        var word = string.Concat(Enumerable.Range(0, 100_000).Select(_ => (char)('a' + random.Next(26))));
        var folder = Path.Combine(root, "tests", "fixtures", "tokenizers", "words");
        var tokenizer = Tokenizer.Load(folder);
        var ids = tokenizer.Encode(text);
        var times = Timing.Turns(
            options.Runs,
            Timing.Timed(() => tokenizer.Encode(text)),
            Timing.Timed(() => tokenizer.Decode(ids)),
            Timing.Timed(() => tokenizer.Encode(word)),
            Timing.Timed(() => Tokenizer.Load(folder)));
        yield return new Row($"encode {bytes / 1e6:0} MB", bytes / times[0].Median / 1e6, "MB/s", Spread: times[0].Spread);
        yield return new Row("  decode it", bytes / times[1].Median / 1e6, "MB/s", Spread: times[1].Spread);
        yield return new Row("  one word of 100 kB", times[2].Median * 1e3, "ms", Goal: 1000, Spread: times[2].Spread);
        yield return new Row("  opening a small tokenizer", times[3].Median * 1e3, "ms", Spread: times[3].Spread);
    }

    private static string Root()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "FeatureFlow.Tools.sln"))) return folder;
        }

        throw new DirectoryNotFoundException("Run it from a checkout.");
    }
}
