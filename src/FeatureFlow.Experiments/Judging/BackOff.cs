using System.Globalization;

namespace FeatureFlow.Experiments.Judging;

/// <summary>
/// How long to wait before asking again: what the server says, else twice as long each time with a seeded share taken off, so that questions that failed
/// together do not come back together. A wait that the server names holds for all questions under way.
/// </summary>
internal sealed class BackOff(TimeProvider clock, ulong seed = 0)
{
    /// <summary>A server that wants longer is out of reach for now.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan First = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestGuess = TimeSpan.FromSeconds(60);

    private readonly Lock _lock = new();
    private readonly Prng _random = new(seed, 0x0FF);
    private DateTimeOffset _open = DateTimeOffset.MinValue;

    /// <summary>Waits until the server may be asked.</summary>
    public async Task Gate(CancellationToken cancel)
    {
        while (true)
        {
            TimeSpan wait;
            lock (_lock) wait = _open - clock.GetUtcNow();
            if (wait <= TimeSpan.Zero) return;
            await Task.Delay(wait, clock, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Waits after a failure.</summary>
    /// <param name="attempt">1 after the first.</param>
    /// <param name="told">What the server asked for, or null.</param>
    /// <param name="cancel">Ends the wait.</param>
    public async Task Wait(int attempt, TimeSpan? told, CancellationToken cancel)
    {
        if (told is { } wanted)
        {
            lock (_lock)
            {
                var until = clock.GetUtcNow() + wanted;
                if (until > _open) _open = until;
            }

            await Gate(cancel).ConfigureAwait(false);
            return;
        }

        var guess = TimeSpan.FromTicks(Math.Min(LongestGuess.Ticks, First.Ticks << Math.Min(attempt - 1, 20)));
        double share;
        lock (_lock) share = 0.5 + (0.5 * _random.NextDouble());
        await Task.Delay(guess * share, clock, cancel).ConfigureAwait(false);
    }

    /// <summary>Retry-After, in seconds or as a date, or OpenAI's retry-after-ms; null when it says nothing that can be read.</summary>
    public TimeSpan? Told(string? retryAfterMs, string? retryAfter)
    {
        if (double.TryParse(retryAfterMs, NumberStyles.Float, CultureInfo.InvariantCulture, out var ms) && ms is >= 0 and < 1e12) return TimeSpan.FromMilliseconds(ms);
        if (double.TryParse(retryAfter, NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds)) return seconds is >= 0 and < 1e9 ? TimeSpan.FromSeconds(seconds) : null;
        if (!DateTimeOffset.TryParse(retryAfter, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date)) return null;
        var wait = date - clock.GetUtcNow();
        return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
    }
}
