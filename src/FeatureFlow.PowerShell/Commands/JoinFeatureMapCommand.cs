using System.Management.Automation;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;

namespace FeatureFlow.PowerShell;

/// <summary>Join-FeatureMap: maps one after another as one map.</summary>
[Cmdlet(VerbsCommon.Join, "FeatureMap")]
[OutputType(typeof(FeatureMap))]
public sealed class JoinFeatureMapCommand : EngineCmdlet
{
    private readonly List<FeatureMap> _maps = [];

    /// <summary>The maps, in order.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, HelpMessage = "Maps in the order they are followed")]
    [ValidateNotNullOrEmpty]
    public FeatureMap[] Map { get; set; } = [];

    /// <summary>The map it is held against.</summary>
    [Parameter(HelpMessage = "A map from the first to the last dictionary: Agreement then says how many targets are the same")]
    public FeatureMap? Direct { get; set; }

    /// <summary>File to write.</summary>
    [Parameter(HelpMessage = "Also write the map, .csv or .npy")]
    [ValidateNotNullOrEmpty]
    public string? OutFile { get; set; }

    private protected override void Process() => _maps.AddRange(Map);

    private protected override void End()
    {
        if (_maps.Count == 0) return;
        var joined = Run(_ => FeatureMapAlgebra.Join(_maps));
        if (Direct is not null) joined = joined with { Agreement = FeatureMapAlgebra.Agreement(joined, Direct) };
        FeatureMaps.Write(this, joined, OutFile, 0, _maps.Count);
        WriteObject(joined);
    }
}

/// <summary>What the cmdlets of maps share.</summary>
internal static class FeatureMaps
{
    /// <summary>Writes a map where one is asked for; {from} and {to} stand for layers.</summary>
    public static void Write(EngineCmdlet cmdlet, FeatureMap map, string? file, int from, int to)
    {
        if (file is null) return;
        var name = file.Replace("{from}", from.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal).Replace("{to}", to.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal);
        FeatureMapFile.Write(map, cmdlet.FilePath(name));
    }
}
