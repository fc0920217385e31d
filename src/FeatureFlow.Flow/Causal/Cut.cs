using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>A cut: what is done to features at one token of a document.</summary>
/// <param name="Row">Which of the sampled positions.</param>
/// <param name="Edits">What is done.</param>
internal sealed record Cut(int Row, IReadOnlyList<FeatureEdit> Edits);

/// <summary>What one wants to know of a cut.</summary>
/// <param name="Cut">Its number.</param>
/// <param name="Feature">Index of the target.</param>
/// <param name="Watched">Candidates whose activity after the cut is asked for, by res, mlp, att.</param>
internal readonly record struct CutQuestion(int Cut, int Feature, IReadOnlyList<FeatureId>?[]? Watched);

/// <summary>What a cut did to a target.</summary>
/// <param name="Pre">Pre-activation of the target; null where features compete.</param>
/// <param name="Activation">Its activation.</param>
/// <param name="Active">Sites at which a watched candidate is active after the cut.</param>
internal readonly record struct CutOutcome(double? Pre, double Activation, PredecessorSites Active);

/// <summary>Cuts that are to be tried, and what is asked of them: a cut that several targets have in common is made once.</summary>
internal sealed class CutPlan
{
    private readonly Dictionary<Cut, int> _numbers = new(new SameEdits());
    private readonly List<Cut> _cuts = [];
    private readonly List<CutQuestion> _questions = [];

    /// <summary>Cuts that differ.</summary>
    public IReadOnlyList<Cut> Cuts => _cuts;

    /// <summary>What is asked, in the order of asking.</summary>
    public IReadOnlyList<CutQuestion> Questions => _questions;

    /// <summary>The number of a cut.</summary>
    public int Add(int row, IReadOnlyList<FeatureEdit> edits)
    {
        var cut = new Cut(row, edits);
        if (_numbers.TryGetValue(cut, out var number)) return number;
        _numbers[cut] = number = _cuts.Count;
        _cuts.Add(cut);
        return number;
    }

    /// <summary>Asks what a cut does to a target.</summary>
    /// <returns>The number of the question, and of its outcome.</returns>
    public int Ask(int cut, int feature, IReadOnlyList<FeatureId>?[]? watched = null)
    {
        _questions.Add(new CutQuestion(cut, feature, watched));
        return _questions.Count - 1;
    }

    private sealed class SameEdits : IEqualityComparer<Cut>
    {
        public bool Equals(Cut? x, Cut? y) => x!.Row == y!.Row && x.Edits.SequenceEqual(y.Edits);

        public int GetHashCode(Cut cut)
        {
            var hash = new HashCode();
            hash.Add(cut.Row);
            foreach (var edit in cut.Edits)
            {
                hash.Add(edit.Feature.Site);
                hash.Add(edit.Feature.Index);
                hash.Add(edit.Coefficient);
            }

            return hash.ToHashCode();
        }
    }
}
