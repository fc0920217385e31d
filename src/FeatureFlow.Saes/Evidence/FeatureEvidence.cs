namespace FeatureFlow.Saes;

/// <summary>A token that a feature's decoder row makes likelier, or less likely.</summary>
/// <param name="Id">Token id.</param>
/// <param name="Text">As shown to people.</param>
/// <param name="Effect">Change of its logit, the row alone being what the final norm reads.</param>
public sealed record TokenEffect(int Id, string Text, double Effect);

/// <summary>A token of a context.</summary>
/// <param name="Text">As shown to people.</param>
/// <param name="Activation">Of the feature, here; 0 where it is not active.</param>
public sealed record ContextToken(string Text, float Activation);

/// <summary>A place in a text where a feature is active.</summary>
/// <param name="Source">Which document.</param>
/// <param name="Position">Of the token with the largest activation, in the document.</param>
/// <param name="Activation">The largest activation of the document.</param>
/// <param name="Peak">Which of <paramref name="Tokens"/> has it.</param>
/// <param name="Tokens">The tokens around it, in order.</param>
public sealed record FeatureContext(string Source, int Position, float Activation, int Peak, IReadOnlyList<ContextToken> Tokens)
{
    /// <summary>The text, the peak between marks.</summary>
    public override string ToString() => string.Concat(Tokens.Select((t, i) => i == Peak ? $"«{t.Text}»" : t.Text));
}

/// <summary>What can be said of a feature without asking anybody: where it is most active, and what its decoder row does to the next token.</summary>
/// <param name="Layer">Layer.</param>
/// <param name="Site">Site name.</param>
/// <param name="Index">Index in its SAE.</param>
/// <param name="Frequency">Share of the tokens at which it is active.</param>
/// <param name="MaxActivation">Largest activation seen; 0 when it was never active.</param>
/// <param name="Promoted">Tokens that it makes likelier, most first; none where decoder rows do not live in the residual stream (att_z).</param>
/// <param name="Suppressed">Tokens that it makes less likely, most first.</param>
/// <param name="Contexts">Texts where it is most active, one of each document, most first.</param>
public sealed record FeatureEvidence(
    int Layer,
    string Site,
    int Index,
    double Frequency,
    float MaxActivation,
    IReadOnlyList<TokenEffect> Promoted,
    IReadOnlyList<TokenEffect> Suppressed,
    IReadOnlyList<FeatureContext> Contexts)
{
    private const int Said = 4;

    /// <summary><c>layer/site/index</c>.</summary>
    public string Feature => new FeatureId(Layer, Sites.Parse(Site), Index).ToString();

    /// <summary>A description of our own, in the place of one that somebody wrote: tokens it is most active on, tokens that it promotes.</summary>
    public string Description
    {
        get
        {
            var on = Contexts.Select(c => c.Tokens[c.Peak].Text.Trim()).Where(t => t.Length > 0).Distinct().Take(Said).ToList();
            var promotes = Promoted.Select(t => t.Text.Trim()).Where(t => t.Length > 0).Distinct().Take(Said).ToList();
            var parts = new List<string>();
            if (on.Count > 0) parts.Add($"active on {Quoted(on)}");
            if (promotes.Count > 0) parts.Add($"promotes {Quoted(promotes)}");
            if (Contexts.Count == 0) parts.Insert(0, "not active in these texts");
            return string.Join("; ", parts);
        }
    }

    private static string Quoted(IEnumerable<string> texts) => string.Join(", ", texts.Select(t => $"“{t}”"));
}

/// <summary>How much evidence is looked for.</summary>
public sealed record EvidenceOptions
{
    /// <summary>Contexts of a feature.</summary>
    public int Contexts { get; init; } = 8;

    /// <summary>Tokens of a context on either side of the peak.</summary>
    public int Window { get; init; } = 12;

    /// <summary>Tokens promoted, and as many suppressed.</summary>
    public int Tokens { get; init; } = 10;
}
