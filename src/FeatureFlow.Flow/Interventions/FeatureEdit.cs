using System.Globalization;
using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>What is done to a feature in the hidden state (Feature Flow, sections 5.2 and 5.3).</summary>
public enum EditMethod
{
    /// <summary>h ← h + c·v: brings the feature in.</summary>
    Add,

    /// <summary>h ← h + (c − 1)·z·v with the feature's own activation z: 0 removes it, 1 leaves it, 2 doubles it.</summary>
    Rescale,
}

/// <summary>One feature, and what is done to it at its own site. The state is changed directly: no reconstruction, hence no error of the SAE, is ever put in its place.</summary>
/// <param name="Feature">The feature.</param>
/// <param name="Method">What is done.</param>
/// <param name="Coefficient">c.</param>
/// <param name="Folded">For <see cref="EditMethod.Add"/>: v is scaled by the feature's threshold (its fold, where there is none). Without effect on rescaling.</param>
public sealed record FeatureEdit(FeatureId Feature, EditMethod Method, double Coefficient, bool Folded = false)
{
    /// <summary>True when the state stays as it is whatever it is.</summary>
    public bool IsNothing => Coefficient == (Method == EditMethod.Add ? 0 : 1);

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Feature} {(Method == EditMethod.Add ? "+" : "×")}{Coefficient}{(Folded ? " folded" : "")}");
}

/// <summary>The positions of a row at which edits are made, BOS being 0.</summary>
/// <param name="First">From here.</param>
/// <param name="Last">To here, inclusive.</param>
/// <param name="Only">Of those, these alone; null for all.</param>
public sealed record EditPositions(int First = 0, int Last = int.MaxValue, IReadOnlySet<int>? Only = null)
{
    /// <summary>Every token.</summary>
    public static EditPositions All { get; } = new();

    /// <summary>One token.</summary>
    public static EditPositions At(int position) => new(position, position);

    /// <summary>Whether edits are made at a position.</summary>
    public bool Contains(int position) => position >= First && position <= Last && Only?.Contains(position) != false;
}
