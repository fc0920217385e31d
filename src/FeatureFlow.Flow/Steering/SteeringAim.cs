namespace FeatureFlow.Flow;

/// <summary>What steering is to do to a subject.</summary>
public enum SteeringAim
{
    /// <summary>Bring it in.</summary>
    Activate,

    /// <summary>Take it out.</summary>
    Deactivate,
}

/// <summary>The scores of a steered text (Feature Flow 5.3).</summary>
public static class SteeringScore
{
    /// <summary>The highest coherence and behavioral score.</summary>
    public const double Most = 5;

    /// <summary>Behavioral·Coherence for activation, (1 − Behavioral)·Coherence for deactivation, both brought to 0 ... 1 first.</summary>
    /// <param name="coherence">0 to 5.</param>
    /// <param name="behavioral">0 to 5: how much of the subject is in the text.</param>
    /// <param name="aim">What was wanted.</param>
    public static double Total(double coherence, double behavioral, SteeringAim aim)
    {
        var present = behavioral / Most;
        return (aim == SteeringAim.Activate ? present : 1 - present) * (coherence / Most);
    }
}
