using System.Management.Automation;
using FeatureFlow.Flow;

namespace FeatureFlow.PowerShell;

/// <summary>Find-FeaturePredecessor: where features come from.</summary>
[Cmdlet(VerbsCommon.Find, "FeaturePredecessor", DefaultParameterSetName = ByPlace)]
[OutputType(typeof(FeatureMatch))]
public sealed class FindFeaturePredecessorCommand : FindMatchCommand
{
    internal override Search Find => PredecessorSearch.Find;

    private protected override (int Id, string Text) Activity => (7003, "Finding predecessors");
}
