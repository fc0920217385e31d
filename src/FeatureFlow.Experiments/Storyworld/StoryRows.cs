using FeatureFlow.Models.Tokenizers;
using FeatureFlow.Models.Training;

namespace FeatureFlow.Experiments.Storyworld;

/// <summary>
/// Training rows: begin, story, end, begin, story ... until the row is full; the last story is cut. Every row starts a story of its own, and no story is
/// told twice. In one of ten stories the text is encoded in two parts, the first ending in a space, so that a prompt such as "I think " is nothing
/// strange to the model.
/// </summary>
internal sealed class StoryRows(StoryTeller teller, ulong seed, TrainedBpe bpe) : ITrainingRows
{
    private const int StoriesPerRow = 16; // more than fit
    private const double SplitChance = 0.1;

    public string Identity => FormattableString.Invariant($"stories {StoryTeller.Version} of seed {seed}, {bpe.VocabularySize} ids");

    public void Fill(long index, Span<int> ids)
    {
        var at = 0;
        for (var story = index * StoriesPerRow; at < ids.Length; story++)
        {
            int[] all = [TrainedBpe.Bos, .. Ids(story), TrainedBpe.Eos];
            var count = Math.Min(all.Length, ids.Length - at);
            all.AsSpan(0, count).CopyTo(ids[at..]);
            at += count;
        }
    }

    private int[] Ids(long story)
    {
        var text = teller.Text(story);
        var random = new Prng(seed, (ulong)story, 0x5350);
        if (random.NextDouble() >= SplitChance) return bpe.Encode(text);
        var space = text.IndexOf(' ', random.Next(text.Length * 3 / 4));
        return space < 0 ? bpe.Encode(text) : [.. bpe.Encode(text[..(space + 1)]), .. bpe.Encode(text[(space + 1)..])];
    }
}

/// <summary>Rows of one whole story each, to compare a model's loss with the probability that the teller gave the very same stories.</summary>
internal sealed class WholeStoryRows(StoryTeller teller, TrainedBpe bpe) : ITrainingRows
{
    public string Identity => "whole stories";

    public void Fill(long index, Span<int> ids)
    {
        ids.Fill(TrainedBpe.Bos); // which is never predicted
        int[] all = [.. bpe.Encode(teller.Text(index)), TrainedBpe.Eos];
        if (all.Length < ids.Length) all.CopyTo(ids[1..]);
    }

    /// <summary>The mean of −log P in nats, and tokens, of the stories that fit into rows of <paramref name="context"/>.</summary>
    public (double Nats, double Tokens, int Stories) Entropy(long start, int count, int context)
    {
        double nats = 0;
        long tokens = 0;
        var stories = 0;
        for (var i = start; i < start + count; i++)
        {
            var story = teller.Tell(i);
            var length = bpe.Encode(story.Text).Length + 1;
            if (length > context) continue;
            nats -= story.LogProbability;
            tokens += length;
            stories++;
        }

        return (nats / stories, (double)tokens / stories, stories);
    }
}
