using System.Management.Automation;
using FeatureFlow.Flow;

namespace FeatureFlow.PowerShell;

/// <summary>Measure-FeatureMap: the errors of a map by group of parameters, and where its features go.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "FeatureMap")]
[OutputType(typeof(FeatureMapMeasurement))]
public sealed class MeasureFeatureMapCommand : EngineCmdlet
{
    /// <summary>The maps.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, HelpMessage = "Maps, from New-FeatureMap or Join-FeatureMap")]
    [ValidateNotNullOrEmpty]
    public FeatureMap[] Map { get; set; } = [];

    private protected override void Process()
    {
        foreach (var map in Map) WriteObject(FeatureMapMeasurement.Of(map));
    }
}
