using System.Text;
using System.Text.Json;
using FeatureFlow.Models.Tokenizers;
using FeatureFlow.Testing;

namespace FeatureFlow.Models.Tests.Training;

public sealed class BpeTrainerTests
{
    [Fact]
    public void The_commonest_pair_merges_first_and_equal_ones_by_lower_ids()
    {
        var trainer = new BpeTrainer();
        trainer.Add("ab ab ab cd cd cd");
        var bpe = trainer.Train(258 + 4);
        // " c" of id order before "ab"? bytes: space 32, a 97, c 99: (32,97) twice, (97,98) three times, (32,99) three times, (99,100) three times
        Assert.Equal([" c", "ab", " cd", " ab"], Merged(bpe, 4));
    }

    [Fact]
    public void Text_comes_back_from_its_ids()
    {
        var trainer = new BpeTrainer();
        trainer.Add("The ship sailed. \"Land ahead!\" said Tom. The ship's bell rang, and rang.");
        var bpe = trainer.Train(300);
        foreach (var text in (string[])["The ship sailed.", " the  bell\n\nrang ", "Zürich — 東京 🙂", "", "'s 're ABC123"])
            Assert.Equal(text, Decode(bpe, bpe.Encode(text)));
        Assert.True(bpe.Encode("The ship sailed.").Length < 10);
    }

    [Fact]
    public void Training_twice_gives_the_same_file_and_the_order_of_texts_does_not_matter()
    {
        using var folder = new TempFolder();
        string[] texts = ["a rose is a rose", "the tide is turning", "is the rose red"];
        var first = Saved(texts, folder.File("a"));
        Assert.Equal(first, Saved([.. texts.Reverse()], folder.File("b")));
        using var json = JsonDocument.Parse(first);
        Assert.Equal("BPE", json.RootElement.GetProperty("model").GetProperty("type").GetString());
        Assert.Equal(0, json.RootElement.GetProperty("model").GetProperty("vocab").GetProperty("<s>").GetInt32());
    }

    [Fact]
    public void A_vocabulary_smaller_than_the_bytes_is_refused() =>
        Assert.Equal("FF2120", Assert.Throws<FeatureFlowException>(() => new BpeTrainer().Train(100)).Code);

    [Fact]
    public void Texts_that_hold_no_more_pairs_end_the_vocabulary()
    {
        var trainer = new BpeTrainer();
        trainer.Add("ab");
        Assert.Equal(259, trainer.Train(1000).VocabularySize);
    }

    private static string Saved(string[] texts, string folder)
    {
        var trainer = new BpeTrainer();
        foreach (var text in texts) trainer.Add(text);
        trainer.Train(280).Save(folder, 64);
        return File.ReadAllText(Path.Combine(folder, "tokenizer.json"));
    }

    private static string[] Merged(TrainedBpe bpe, int count) => [.. Enumerable.Range(258, count).Select(id => Decode(bpe, [id]))];

    private static string Decode(TrainedBpe bpe, int[] ids) => Encoding.UTF8.GetString([.. ids.SelectMany(bpe.Bytes)]);
}
