namespace FeatureFlow.Saes;

/// <summary>What the scale of a feature is when an SAE is folded (SAE Match, section 3.1).</summary>
public enum FoldRule
{
    /// <summary>1 for all: not folded.</summary>
    None,

    /// <summary>The feature's threshold θ: the paper's fold, for architectures that have thresholds.</summary>
    Threshold,

    /// <summary>The inverse norm of the feature's decoder row: the substitute that needs no data. Activations then are in units of the hidden state.</summary>
    DecoderNorm,

    /// <summary>The mean of the feature's activation where it is active, measured on text: the substitute nearest to a threshold.</summary>
    MeanActivation,
}

/// <summary>Names of fold rules in files and on the command line.</summary>
public static class FoldRules
{
    /// <summary><c>none</c>, <c>threshold</c>, <c>decoder-norm</c>, <c>mean-activation</c>.</summary>
    public static string Name(this FoldRule rule) => rule switch
    {
        FoldRule.None => "none",
        FoldRule.Threshold => "threshold",
        FoldRule.DecoderNorm => "decoder-norm",
        _ => "mean-activation",
    };

    /// <summary>Every name.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Enum.GetValues<FoldRule>().Select(Name)];

    /// <summary>The rule of a name.</summary>
    public static FoldRule Parse(string name) => Enum.GetValues<FoldRule>().First(r => r.Name() == name);

    /// <summary>The rule for an SAE when nobody chooses: its thresholds if it has them, else <see cref="FoldRule.DecoderNorm"/>.</summary>
    public static FoldRule For(Sae sae) => sae.Info.Architecture == SaeArchitecture.JumpRelu ? FoldRule.Threshold : FoldRule.DecoderNorm;
}
