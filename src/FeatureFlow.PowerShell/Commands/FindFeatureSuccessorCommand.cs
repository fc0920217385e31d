using System.Management.Automation;
using FeatureFlow.Flow;

namespace FeatureFlow.PowerShell;

/// <summary>Find-FeatureSuccessor: where features go.</summary>
[Cmdlet(VerbsCommon.Find, "FeatureSuccessor", DefaultParameterSetName = ByPlace)]
[OutputType(typeof(FeatureMatch))]
public sealed class FindFeatureSuccessorCommand : FindMatchCommand
{
    internal override Search Find => SuccessorSearch.Find;

    private protected override (int Id, string Text) Activity => (7004, "Finding successors");
}
