namespace FeatureFlow.Models.Texts;

/// <summary>One text as token ids, ready for a forward pass.</summary>
/// <param name="Ids">Token ids, at least one.</param>
/// <param name="StartsWithBos">The first token is BOS: it takes part in the pass and in no statistic.</param>
/// <param name="Source">Where it is from, for people.</param>
public sealed record TokenDocument(int[] Ids, bool StartsWithBos, string Source)
{
    /// <summary>The first position that counts: 1 after BOS, else 0.</summary>
    public int FirstPosition => StartsWithBos ? 1 : 0;

    /// <summary>How many positions count.</summary>
    public int Positions => Ids.Length - FirstPosition;
}
