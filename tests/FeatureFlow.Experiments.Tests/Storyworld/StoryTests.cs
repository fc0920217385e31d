using System.Security.Cryptography;
using System.Text;
using FeatureFlow.Experiments.Storyworld;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Storyworld;

public sealed class StoryTests
{
    private static readonly StoryTeller Teller = new(11);

    [Fact]
    public void Stories_are_the_same_text_everywhere()
    {
        var text = new StringBuilder();
        for (var i = 0; i < 8; i++) text.Append(Teller.Tell(i).Text).Append("\n\n");
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', Enumerable.Range(0, 500).Select(i => Teller.Tell(i).Text))));
        text.Append("500 stories: sha256 ").Append(Convert.ToHexStringLower(hash)).Append('\n');
        Golden.Check("FeatureFlow.Experiments/storyworld/stories.txt", text.ToString());
    }

    [Fact]
    public void A_story_does_not_need_those_before_it()
    {
        var all = Enumerable.Range(0, 20).Select(i => Teller.Tell(i)).ToList();
        Assert.Equal(all[17].Text, new StoryTeller(11).Tell(17).Text);
        Assert.Equal(all[17].LogProbability, new StoryTeller(11).Tell(17).LogProbability);
        Assert.NotEqual(all[17].Text, new StoryTeller(12).Tell(17).Text);
        Assert.Equal(20, all.Select(s => s.Text).Distinct().Count());
    }

    [Fact]
    public void Every_story_is_coherent_whole_and_wherever_it_is_cut()
    {
        for (var i = 0; i < 300; i++)
        {
            var story = Teller.Tell(i);
            var score = StoryJudge.Score(story.Text, cut: false);
            Assert.All(score.Sentences, s => Assert.True(s.Parses, s.Text));
            Assert.Equal(1, score.Coherence);
            Assert.InRange(score.Sentences.Count, 8, 30);
            var cut = story.Text[..(story.Text.Length * ((i % 90) + 5) / 100)];
            Assert.True(StoryJudge.Score(cut).Coherence == 1, cut);
        }
    }

    [Fact]
    public void The_judge_finds_the_themes_that_the_teller_hid()
    {
        var (right, apart) = (0, 0.0);
        const int Stories = 400;
        for (var i = 0; i < Stories; i++)
        {
            var story = Teller.Tell(i);
            var shares = StoryJudge.Score(story.Text).Themes;
            Assert.Equal(1, shares.Sum(), 9);
            if (Top(shares) == Top(story.Themes)) right++;
            apart += shares.Zip(story.Themes, (a, b) => Math.Abs(a - b)).Sum() / Stories;
        }

        Assert.InRange(right, Stories * 0.75, Stories);
        Assert.InRange(apart, 0, 0.5);
        static int Top(IReadOnlyList<double> s) => s.ToList().IndexOf(s.Max());
    }

    [Theory]
    [InlineData("The queen was a old ring.")]
    [InlineData("Anna lost his key in the kitchen.")]
    [InlineData("The ship in the harbour were rough.")]
    [InlineData("anna stirred the soup.")]
    [InlineData("Anna stirred stirred the soup.")]
    [InlineData("Anna stir the soup.")]
    [InlineData("Tom was cutting the cake when the bride smile.")]
    [InlineData("Anna stirred the soup .")]
    [InlineData("Anna and Anna stirred the soup.")]
    [InlineData("\"dinner is ready,\" said Tom.")]
    [InlineData("The of and the.")]
    [InlineData("Colourless green ideas sleep furiously.")]
    public void What_the_grammar_cannot_say_does_not_parse(string sentence) =>
        Assert.Equal(0, StoryJudge.Score(sentence).Coherence);

    [Theory]
    [InlineData("I think the bride smiled.")]
    [InlineData("Anna stirred the soup and dropped the anchor.")]
    [InlineData("\"Dinner is ready,\" said Tom.")]
    [InlineData("\"Can you stir the soup?\" asked Tom.")]
    [InlineData("The ships in the harbour were rough.")]
    [InlineData("In the hospital, she healed the wound.")]
    [InlineData("I think ")]
    [InlineData("I think the brid")]
    public void What_it_can_say_parses(string sentence) => Assert.Equal(1, StoryJudge.Score(sentence).Coherence);

    [Fact]
    public void Words_in_a_wrong_order_are_not_coherent()
    {
        var (parsed, all) = (0, 0);
        for (var i = 0; i < 60; i++)
        {
            foreach (var (sentence, _) in StoryJudge.Score(Teller.Tell(i).Text).Sentences)
            {
                var words = sentence[..^1].Split(' ');
                if (words.Length < 4) continue;
                (words[1], words[2]) = (words[2], words[1]);
                all++;
                if (StoryJudge.Score(string.Join(' ', words) + sentence[^1], cut: false).Coherence == 1) parsed++;
            }
        }

        Assert.InRange(parsed / (double)all, 0, 0.05);
    }

    [Fact]
    public void Scores_of_mixed_text_are_shares()
    {
        var score = StoryJudge.Score("Anna stirred the soup. Soup the stirred. The anchor held.");
        Assert.Equal(2 / 3.0, score.Coherence, 12);
        Assert.True(score.Of("kitchen") > 0.4 && score.Of("sea") > 0.2, string.Join(' ', score.Themes));
        Assert.Equal("FF5201", Assert.Throws<FeatureFlowException>(() => score.Of("cooking")).Code);
        Assert.Equal(0, StoryJudge.Score(" \n").Coherence);
        Assert.All(StoryJudge.Score("Xyz.").Themes, t => Assert.Equal(0, t));
        Assert.Contains("soup", StoryJudge.Lexicon("kitchen").Take(40).Select(w => w.Word));
    }

    [Fact]
    public void Chances_of_all_paths_and_phrases_sum_to_one()
    {
        var lexicon = StoryLexicon.Shared;
        var n = lexicon.Themes.Count;
        double total = 0;
        for (var path = 0; path < n * n * n; path++)
        {
            double[][] Only(int theme) => [[.. Enumerable.Range(0, n).Select(t => t == theme ? 1.0 : 0)]];
            total += Math.Exp(lexicon.Chain.LogLikelihood([Only(path % n), Only(path / n % n), Only(path / n / n)]));
        }

        Assert.Equal(1, total, 9);
        foreach (var theme in lexicon.Themes)
        {
            foreach (var category in Enum.GetValues<Category>()) Assert.Equal(1, theme[category].Probabilities.Sum(), 9);
        }
    }

    [Fact]
    public void The_entropy_that_the_stories_have_is_known()
    {
        // nats per story over 500 stories: a change of grammar moves it, and what the model is compared with
        var nats = -Enumerable.Range(0, 500).Average(i => Teller.Tell(i).LogProbability);
        Assert.InRange(nats, 145, 165);
    }
}
