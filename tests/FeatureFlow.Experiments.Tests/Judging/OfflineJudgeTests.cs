using FeatureFlow.Experiments.Judging;
using FeatureFlow.Experiments.Storyworld;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Judging;

public sealed class OfflineJudgeTests
{
    [Theory]
    [InlineData(5, 5, SteeringAim.Activate, 1)]
    [InlineData(5, 0, SteeringAim.Activate, 0)]
    [InlineData(4, 2.5, SteeringAim.Activate, 0.4)]
    [InlineData(4, 1, SteeringAim.Deactivate, 0.64)]
    [InlineData(0, 0, SteeringAim.Deactivate, 0)]
    public void Total_score(double coherence, double behavioral, SteeringAim aim, double total) => Assert.Equal(total, SteeringScore.Total(coherence, behavioral, aim), 1e-12);

    [Fact]
    public async Task Stories_are_judged_by_their_grammar()
    {
        var judge = OfflineJudge.Storyworld();
        Assert.Equal("storyworld grammar", judge.Name);
        var answers = await judge.ScoreAsync(
        [
            new TextQuestion("stirred the soup. The anchor held.", [new Subject("kitchen"), new Subject("sea"), new Subject("wedding")], "Anna "),
            new TextQuestion("Soup anchor the. The anchor held.", [new Subject("sea")]),
            new TextQuestion("", [new Subject("sea")]),
        ]);
        Assert.Equal(5, answers[0].Coherence);
        Assert.True(answers[0].Behavioral[0] > 1 && answers[0].Behavioral[1] > 1 && answers[0].Behavioral[2] < 1, string.Join(' ', answers[0].Behavioral));
        Assert.Equal(2.5, answers[1].Coherence);
        Assert.Equal((0, 0), (answers[2].Coherence, answers[2].Behavioral[0]));
        var error = await Assert.ThrowsAsync<FeatureFlowException>(() => judge.ScoreAsync([new TextQuestion("x", [new Subject("seaa")])]));
        Assert.Equal("FF5201", error.Code);
        Assert.Equal("FF5310", (await Assert.ThrowsAsync<FeatureFlowException>(() => judge.CompareAsync([new PairQuestion("a", "b")]))).Code);
    }

    [Theory]
    [InlineData("names of ships", "Ship names, references to sailing", 4 / 5.0)] // name, ship | name, ship, sail
    [InlineData("the word 'stories'", "story", 1.0)]
    [InlineData("cats and dogs", "a theory of numbers", 0.0)] // cat, dog | theory, number: nothing shared
    [InlineData("references to certain words", "ships", null)] // says only how it is written
    public void Descriptions_share_words(string first, string second, double? share)
    {
        Assert.Equal(share, WordJudge.Overlap(first, second));
        Assert.Equal(share, WordJudge.Overlap(second, first));
    }

    [Fact]
    public async Task Shared_words_are_three_grades_both_ways()
    {
        using var judge = Judges.OpenForPairs(new JudgeSettings { Kind = JudgeKind.Lexicon }, null);
        var answers = await judge.Judge.CompareAsync([new("ships at sea", "the sea"), new("ships, harbours, islands", "ships, whales, captains, islands, oars"), new("ships", "cats"), new("ships", "of the")]);
        // sea | ship, sea: 2/3; 2 of 8: 1/2; none; nothing to compare
        Assert.Equal([3, 3, 1, null], answers.Select(a => a.Similarity));
        Assert.Equal(2, (await judge.Judge.CompareAsync([new("ships, harbours, islands", "ships, whales, captains, oars")]))[0].Similarity); // 2 / 7
        Assert.NotNull(answers[3].Problem);
        Assert.Equal("FF5312", (await Assert.ThrowsAsync<FeatureFlowException>(() => judge.Judge.ScoreAsync([new TextQuestion("x", [])]))).Code);
    }

    [Fact]
    public void Words_of_a_subject_are_counted_once_each()
    {
        var lexicon = new SubjectLexicon(new Dictionary<string, IReadOnlyList<string>> { ["Sea"] = ["ship", "sail*", "high tide", "tide"], ["physics"] = ["black hole"] }, full: 0.5);
        double Of(string subject, string text) => lexicon.Measure(new TextQuestion(text, [new Subject(subject)]))[0]!.Value;

        Assert.Equal(0.25 / 0.5, Of("sea", "The SHIP was late"), 1e-12);
        Assert.Equal(0, Of("sea", "shipping is no ship's business"));
        Assert.Equal(0.5 / 0.5, Of("sea", "Sailors sailed on, tired"), 1e-12);
        Assert.Equal(0.4 / 0.5, Of("sea", "at high tide we slept"), 1e-12); // 'tide' is in the phrase and a word: one place
        Assert.Equal(1, Of("sea", "ship ship ship"));
        Assert.Equal(0, Of("sea", ""));
        Assert.Equal(0.5 / 0.5, Of("physics", "a black hole grows"), 1e-12);
        Assert.Equal(0, Of("physics", "a black cat in a hole"));
        Assert.Equal("FF5321", Assert.Throws<FeatureFlowException>(() => Of("law", "x")).Code);
        Assert.Equal("FF5320", Assert.Throws<FeatureFlowException>(() => new SubjectLexicon(new Dictionary<string, IReadOnlyList<string>> { ["law"] = [" ", "*"] })).Code);
    }

    [Fact]
    public async Task The_unsteered_model_tells_its_own_texts_from_noise_and_loops()
    {
        using var model = LanguageModel.Open(Repository.Example("storyworld", "model"), CpuEngine.Shared);
        var coherence = new ModelCoherence(model);
        var sea = new SubjectLexicon(new Dictionary<string, IReadOnlyList<string>> { ["sea"] = [.. StoryJudge.Lexicon("sea").Select(w => w.Word)] });
        var judge = new OfflineJudge(coherence, sea);
        Assert.Equal("lexicon + perplexity", judge.Name);

        var teller = new StoryTeller(seed: 5);
        var stories = Enumerable.Range(0, 12).Select(i => teller.Text(i)).ToList();
        TextQuestion Question(string text, string prompt = "") => new(text, [new Subject("sea")], prompt);
        var told = await judge.ScoreAsync([.. stories.Select(s => Question(s))]);
        Assert.True(told.Average(a => a.Coherence) > 4.5, $"{told.Average(a => a.Coherence)}");

        var random = new Prng(1);
        var shuffled = await judge.ScoreAsync([.. stories.Select(s =>
        {
            var words = s.Split(' ');
            random.Shuffle(words.AsSpan());
            return Question(string.Join(' ', words));
        })]);
        Assert.True(shuffled.Average(a => a.Coherence) < 1.5, $"{shuffled.Average(a => a.Coherence)}");

        var loop = (await judge.ScoreAsync([Question(string.Concat(Enumerable.Repeat(" The anchor held.", 12)), "Anna stirred the soup.")]))[0];
        Assert.True(loop.Coherence < 1.5, $"{loop.Coherence}");
        Assert.Equal(5, loop.Behavioral[0]);

        // nothing after the prompt: nothing to say
        Assert.Null((await judge.ScoreAsync([Question("", "Anna stirred the soup.")]))[0].Coherence);
    }

    [Fact]
    public void Variety()
    {
        Assert.Equal(1, ModelCoherence.Variety("one two three"));
        Assert.Equal(1, ModelCoherence.Variety("one two three four five six seven"));
        Assert.Equal(3 / 10.0 / 0.5, ModelCoherence.Variety("a b c a b c a b c a b c"), 1e-12); // 10 runs, 3 distinct
    }

    [Fact]
    public async Task Cancelled_at_once()
    {
        using var cancel = new CancellationTokenSource();
        cancel.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => OfflineJudge.Storyworld().ScoreAsync([new TextQuestion("The anchor held.", [])], null, cancel.Token));
    }
}
