using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>An SAE as <c>Measure-Sae</c> finds it on texts. Flat, so that it can be exported.</summary>
public sealed record SaeMeasurement
{
    internal SaeMeasurement(string pack, SaeMeasures measures)
    {
        Pack = pack;
        Layer = measures.Info.Layer;
        Site = measures.Info.Site?.Name();
        FeatureCount = measures.Info.FeatureCount;
        MeanL0 = measures.MeanL0;
        DeclaredL0 = measures.DeclaredL0;
        ExplainedVariance = measures.ExplainedVariance;
        ExplainedVarianceUncentred = measures.ExplainedVarianceUncentred;
        MeanSquaredError = measures.MeanSquaredError;
        DeltaLoss = measures.DeltaLoss;
        BaseLoss = measures.BaseLoss;
        DeadShare = measures.DeadShare;
        Tokens = measures.Tokens;
        Path = measures.Info.Path;
    }

    /// <summary>The pack.</summary>
    public string Pack { get; }

    /// <summary>Layer.</summary>
    public int? Layer { get; }

    /// <summary>Site name.</summary>
    public string? Site { get; }

    /// <summary>Number of features, F.</summary>
    public int FeatureCount { get; }

    /// <summary>Active features of a token.</summary>
    public double MeanL0 { get; }

    /// <summary>What the release declares.</summary>
    public double? DeclaredL0 { get; }

    /// <summary>1 − Var(x̂ − x)/Var(x).</summary>
    public double ExplainedVariance { get; }

    /// <summary>1 − Σ|x̂ − x|²/Σ|x − mean x|².</summary>
    public double ExplainedVarianceUncentred { get; }

    /// <summary>Mean of |x̂ − x|².</summary>
    public double MeanSquaredError { get; }

    /// <summary>Rise of the next-token cross-entropy with the SAE in place, in nats.</summary>
    public double? DeltaLoss { get; }

    /// <summary>Cross-entropy of the model as it is.</summary>
    public double? BaseLoss { get; }

    /// <summary>Features active at none of the tokens.</summary>
    public double DeadShare { get; }

    /// <summary>Tokens measured.</summary>
    public long Tokens { get; }

    /// <summary>File or folder.</summary>
    public string Path { get; }
}
