using FeatureFlow.Models.Generation;

namespace FeatureFlow.Models.Tests;

public sealed class WaitingPromptsTests
{
    private static GenerationPrompt Prompt(int id, int sample) => new([id, 7], sample);

    [Fact]
    public void Equal_prompts_come_together_and_known_ones_alone()
    {
        var waiting = new WaitingPrompts([Prompt(1, 0), Prompt(2, 0), Prompt(1, 1), Prompt(2, 1), Prompt(3, 0)]);
        var first = waiting.Take(3, 0, 4096, _ => false);
        Assert.Equal([[0, 2], [1]], first.Select(g => g.Numbers));
        var second = waiting.Take(5, 3, 4096, key => key.Prompt.Ids[0] == 2);
        Assert.Equal([[3]], second.Select(g => g.Numbers));
        Assert.Equal([[4]], waiting.Take(5, 4, 4096, _ => false).Select(g => g.Numbers));
        Assert.True(waiting.IsEmpty);
        Assert.Empty(waiting.Take(5, 5, 4096, _ => false));
    }

    [Fact]
    public void Distinct_prompts_have_no_more_tokens_together_than_asked_for()
    {
        var waiting = new WaitingPrompts([Prompt(1, 0), Prompt(2, 0), Prompt(3, 0)]);
        Assert.Equal([[0], [1]], waiting.Take(3, 0, 5, _ => false).Select(g => g.Numbers));
    }

    [Fact]
    public void Takers_share_what_is_left()
    {
        var waiting = new WaitingPrompts([.. Enumerable.Range(0, 40).Select(i => Prompt(1, i))], takers: 2);
        Assert.Equal(20, waiting.Take(32, 0, 4096, _ => false).Sum(g => g.Numbers.Count));
        Assert.Equal(20, waiting.Take(32, 0, 4096, _ => false).Sum(g => g.Numbers.Count));

        // one has nine of ten under way when the other comes back for more: it gets what makes them equal
        waiting = new WaitingPrompts([.. Enumerable.Range(0, 25).Select(i => Prompt(1, i))], takers: 2);
        Assert.Equal(10, waiting.Take(10, 0, 4096, _ => false).Sum(g => g.Numbers.Count));
        Assert.Equal(10, waiting.Take(10, 0, 4096, _ => false).Sum(g => g.Numbers.Count));
        waiting.Finish();
        for (var i = 0; i < 10; i++) waiting.Finish();
        Assert.Equal(5, waiting.Take(10, 0, 4096, _ => false).Sum(g => g.Numbers.Count));
        Assert.Empty(waiting.Take(1, 9, 4096, _ => false));
    }
}
