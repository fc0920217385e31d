namespace FeatureFlow.Experiments.Judging;

/// <summary>A key that is sent to its endpoint and shown nowhere: it prints as dots, and is taken out of whatever is kept or told.</summary>
internal sealed class JudgeSecret
{
    private const string Hidden = "[key]";

    // what is this short stands in every text by chance, and protects nothing
    private const int LeastHidden = 6;

    private readonly string _value;

    /// <summary>Takes a key as it was found, with the line end that files and consoles leave.</summary>
    /// <param name="value">The key; null or blank for endpoints that ask for none.</param>
    /// <param name="from">Where it was found, for the error.</param>
    /// <exception cref="FeatureFlowException">FF5303: it cannot stand in a header.</exception>
    public JudgeSecret(string? value, string from)
    {
        _value = value?.Trim() ?? "";
        if (_value.Any(c => c is < '!' or > '~')) throw ExperimentErrors.JudgeKeyDamaged(from);
    }

    /// <summary>Whether there is one.</summary>
    public bool Given => _value.Length > 0;

    /// <summary>For the client alone. Endpoints without keys are sent a word, for the client insists.</summary>
    public string Reveal() => Given ? _value : "none";

    /// <summary>A text with the key taken out.</summary>
    public string Redact(string text) => _value.Length < LeastHidden ? text : text.Replace(_value, Hidden, StringComparison.Ordinal);

    /// <inheritdoc/>
    public override string ToString() => Given ? "…" : "";
}
