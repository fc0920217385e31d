namespace FeatureFlow.Flow;

/// <summary>Which layers of a lineage are edited (Feature Flow, section 5.3).</summary>
public enum SteeringMode
{
    /// <summary>Features of one layer.</summary>
    Single,

    /// <summary>Features of the layer and of all below.</summary>
    Cumulative,

    /// <summary>Features of the whole similarity span, whatever the layer.</summary>
    Span,

    /// <summary>As <see cref="Cumulative"/>, all perturbations scaled by one factor so that their norms add up to that of <see cref="Single"/> at the layer, with s as it is.</summary>
    Budget,
}

/// <summary>How the coefficient of what is added changes over layers (Feature Flow, appendix B). Layers count absolutely. Rescaling keeps one r.</summary>
public enum SteeringSchedule
{
    /// <summary>s at every layer.</summary>
    Constant,

    /// <summary>s·e^(αl) at layer l.</summary>
    Exponential,

    /// <summary>From s at the span's first layer to s* at its last.</summary>
    Linear,
}

/// <summary>How features become a plan.</summary>
public sealed record SteeringRecipe
{
    /// <summary>What is done to features that do not say otherwise.</summary>
    public EditMethod Method { get; init; } = EditMethod.Add;

    /// <summary>s of <see cref="EditMethod.Add"/>, r of <see cref="EditMethod.Rescale"/>.</summary>
    public double Coefficient { get; init; }

    /// <summary>Which layers.</summary>
    public SteeringMode Mode { get; init; } = SteeringMode.Cumulative;

    /// <summary>The layer l; null for the end of the span, for <see cref="SteeringMode.Single"/> for the layer of the first target.</summary>
    public int? Layer { get; init; }

    /// <summary>Schedule of s.</summary>
    public SteeringSchedule Schedule { get; init; } = SteeringSchedule.Constant;

    /// <summary>α of the exponential schedule.</summary>
    public double Alpha { get; init; } = -0.05;

    /// <summary>s* of the linear schedule.</summary>
    public double End { get; init; } = 1;

    /// <summary>Embeddings scaled by their thresholds.</summary>
    public bool Folded { get; init; }

    /// <summary>The coefficient of <see cref="EditMethod.Add"/> at a layer, of a span from <paramref name="start"/> to <paramref name="end"/>.</summary>
    public double At(double s, int layer, int start, int end) => Schedule switch
    {
        SteeringSchedule.Exponential => s * Math.Exp(Alpha * layer),
        SteeringSchedule.Linear when end > start => s + (End - s) / (end - start) * (layer - start),
        _ => s,
    };

    /// <summary>Refuses numbers that mean nothing.</summary>
    /// <exception cref="FeatureFlowException">FF4041.</exception>
    internal void Check()
    {
        if (!double.IsFinite(Coefficient) || !double.IsFinite(Alpha) || !double.IsFinite(End)) throw FlowErrors.Plan("Coefficient, alpha and end of a steering plan must be finite numbers.");
        if (Layer is < 0) throw FlowErrors.Plan($"There is no layer {Layer}; layers count from 0.");
    }
}
