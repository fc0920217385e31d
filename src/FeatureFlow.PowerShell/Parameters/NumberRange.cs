using System.Globalization;

namespace FeatureFlow.PowerShell;

/// <summary>Numbers as <c>-Layer</c> and <c>-Index</c> take them: <c>4</c>, <c>0-4</c> (or <c>0..4</c>), or <c>*</c> for all.</summary>
public sealed record NumberRange
{
    private const int All = int.MaxValue;

    /// <summary>One number.</summary>
    public NumberRange(int number)
        : this(number, number)
    {
        if (number < 0) throw CmdletErrors.NotARange(number.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>One number, as JSON has them.</summary>
    public NumberRange(long number)
        : this(number is >= 0 and < All ? (int)number : -1)
    {
    }

    private NumberRange(int first, int last) => (First, Last) = (first, last);

    /// <summary>The first.</summary>
    public int First { get; }

    /// <summary>The last, inclusive.</summary>
    public int Last { get; }

    /// <summary>True for a single number: one that is missing is then an error, while a range just has fewer.</summary>
    public bool IsOne => First == Last;

    /// <summary>Reads one; PowerShell finds it by its name.</summary>
    /// <exception cref="FeatureFlowException">FF7001: neither number, range nor *.</exception>
    public static NumberRange Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var trimmed = text.Trim();
        if (trimmed == "*") return new NumberRange(0, All);
        var parts = trimmed.Split(trimmed.Contains("..", StringComparison.Ordinal) ? ".." : "-", 2);
        return Number(parts[0]) is { } first && Number(parts[^1]) is { } last && first <= last
            ? new NumberRange(first, last)
            : throw CmdletErrors.NotARange(text);
    }

    /// <inheritdoc/>
    public override string ToString() => IsOne
        ? First.ToString(CultureInfo.InvariantCulture)
        : (First, Last) == (0, All) ? "*" : string.Create(CultureInfo.InvariantCulture, $"{First}-{Last}");

    /// <summary>Those of the range below a count.</summary>
    internal IEnumerable<int> Below(int count)
    {
        for (var i = First; i <= Last && i < count; i++) yield return i;
    }

    private static int? Number(string text) =>
        int.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number < All ? number : null;
}
