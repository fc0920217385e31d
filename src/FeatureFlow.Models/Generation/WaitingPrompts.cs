namespace FeatureFlow.Models.Generation;

/// <summary>
/// Prompts that wait to be continued, equal ones one after the other so that one computation serves them. Several generators may take from one queue, each on its own thread;
/// towards the end they share what is left, so that they end together.
/// </summary>
/// <param name="prompts">All of them.</param>
/// <param name="takers">How many generators take.</param>
public sealed class WaitingPrompts(IReadOnlyList<GenerationPrompt> prompts, int takers = 1)
{
    private readonly Lock _lock = new();
    private readonly Queue<int> _waiting = new(Grouped(prompts));
    private int _running;

    /// <summary>All prompts, those that were taken too.</summary>
    public IReadOnlyList<GenerationPrompt> Prompts => prompts;

    /// <summary>Numbers of prompts in the order in which they are taken: as they were given, but equal ones with the first of them.</summary>
    public static IEnumerable<int> Grouped(IReadOnlyList<GenerationPrompt> prompts) => Enumerable.Range(0, prompts.Count).GroupBy(i => new PromptKey(prompts[i])).SelectMany(g => g);

    /// <summary>Whether all were taken.</summary>
    public bool IsEmpty
    {
        get
        {
            lock (_lock) return _waiting.Count == 0;
        }
    }

    /// <summary>What one computation serves, of the prompt that is next; null when none is.</summary>
    internal PromptKey? Next
    {
        get
        {
            lock (_lock) return _waiting.TryPeek(out var next) ? new PromptKey(prompts[next]) : null;
        }
    }

    /// <summary>Takes prompts, equal ones together.</summary>
    /// <param name="places">How many at most.</param>
    /// <param name="running">How many the taker has under way.</param>
    /// <param name="tokens">Stops before distinct prompts have more tokens than this together.</param>
    /// <param name="known">Prompts that need no computation, and so are taken alone.</param>
    internal List<(PromptKey Key, List<int> Numbers)> Take(int places, int running, int tokens, Predicate<PromptKey> known)
    {
        lock (_lock)
        {
            places = Math.Min(places, ((_waiting.Count + _running + takers - 1) / takers) - running);
            var groups = new List<(PromptKey Key, List<int> Numbers)>();
            var sum = 0;
            for (; places > 0 && _waiting.TryPeek(out var next); places--)
            {
                var key = new PromptKey(prompts[next]);
                if (groups.Count == 0 || !groups[^1].Key.Equals(key))
                {
                    sum += key.Prompt.Ids.Length;
                    if (groups.Count > 0 && (sum > tokens || known(groups[0].Key))) break;
                    groups.Add((key, []));
                }

                groups[^1].Numbers.Add(_waiting.Dequeue());
                _running++;
            }

            return groups;
        }
    }

    /// <summary>Says that one that was taken is finished.</summary>
    internal void Finish()
    {
        lock (_lock) _running--;
    }
}

/// <summary>Prompts that one computation serves.</summary>
internal readonly struct PromptKey(GenerationPrompt prompt) : IEquatable<PromptKey>
{
    public GenerationPrompt Prompt { get; } = prompt;

    public bool Equals(PromptKey other) => Equals(Prompt.Variant, other.Prompt.Variant) && Prompt.Ids.AsSpan().SequenceEqual(other.Prompt.Ids);

    public override bool Equals(object? obj) => obj is PromptKey other && Equals(other);

    public override int GetHashCode()
    {
        var hash = default(HashCode);
        foreach (var id in Prompt.Ids) hash.Add(id);
        hash.Add(Prompt.Variant);
        return hash.ToHashCode();
    }
}
