using System.Text;

namespace FeatureFlow.Models.Tokenizers;

/// <summary>One change to the text before it is cut.</summary>
internal interface INormalizer
{
    /// <summary>The changed text.</summary>
    string Apply(string text);
}

/// <summary>Unicode normalization (NFC, NFD, NFKC, NFKD).</summary>
internal sealed class UnicodeNormalizer(NormalizationForm form) : INormalizer
{
    // without Unicode data (invariant globalization) .NET hands text back as it was, and says nothing
    private static readonly bool Works = "e\u0301".Normalize(NormalizationForm.FormC) == "é";

    public string Apply(string text)
    {
        if (System.Text.Ascii.IsValid(text)) return text;
        if (!Works) throw ModelErrors.NoNormalization(form.ToString());
        return text.IsNormalized(form) ? text : text.Normalize(form);
    }
}

/// <summary>Every occurrence of a text becomes another.</summary>
internal sealed class ReplaceNormalizer(string what, string with) : INormalizer
{
    public string Apply(string text) => text.Replace(what, with, StringComparison.Ordinal);
}

/// <summary>A text before every text that is not empty.</summary>
internal sealed class PrependNormalizer(string what) : INormalizer
{
    public string Apply(string text) => text.Length == 0 ? text : what + text;
}

/// <summary>White space at the ends goes.</summary>
internal sealed class StripNormalizer(bool left, bool right) : INormalizer
{
    public string Apply(string text) => (left, right) switch
    {
        (true, true) => text.Trim(),
        (true, false) => text.TrimStart(),
        (false, true) => text.TrimEnd(),
        _ => text,
    };
}

/// <summary>Small letters.</summary>
internal sealed class LowercaseNormalizer : INormalizer
{
    public string Apply(string text) => text.ToLowerInvariant();
}

/// <summary>One after the other.</summary>
internal sealed class SequenceNormalizer(IReadOnlyList<INormalizer> steps) : INormalizer
{
    public string Apply(string text)
    {
        foreach (var step in steps) text = step.Apply(text);
        return text;
    }
}
