using System.Text;

namespace FeatureFlow.Models.Generation;

/// <summary>Lets text pass until a stop text appears, keeping back what may be the beginning of one.</summary>
internal sealed class StopScanner(IReadOnlyList<string> stops)
{
    private readonly StringBuilder _passed = new();
    private string _kept = "";

    /// <summary>Everything that has passed.</summary>
    public string Text => _passed.ToString();

    /// <summary>True once a stop text has appeared.</summary>
    public bool Stopped { get; private set; }

    /// <summary>Takes new text; returns what of it may be shown.</summary>
    public string Push(string text)
    {
        if (Stopped) return "";
        var all = _kept + text;
        var cut = stops.Select(s => all.IndexOf(s, StringComparison.Ordinal)).Where(i => i >= 0).DefaultIfEmpty(-1).Min();
        Stopped = cut >= 0;
        var show = Stopped ? cut : all.Length - Beginning(all);
        _kept = all[show..];
        _passed.Append(all, 0, show);
        return all[..show];
    }

    /// <summary>What was kept back, when no more comes.</summary>
    public string Finish()
    {
        if (Stopped) return "";
        _passed.Append(_kept);
        return _kept;
    }

    // length of the longest end of the text that is the beginning of a stop text
    private int Beginning(string text)
    {
        var longest = 0;
        foreach (var stop in stops)
        {
            for (var n = Math.Min(stop.Length - 1, text.Length); n > longest; n--)
            {
                if (text.AsSpan(text.Length - n).SequenceEqual(stop.AsSpan(0, n))) longest = n;
            }
        }

        return longest;
    }
}
