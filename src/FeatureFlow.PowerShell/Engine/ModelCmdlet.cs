using System.Management.Automation;

namespace FeatureFlow.PowerShell;

/// <summary>A cmdlet that runs a language model.</summary>
public abstract class ModelCmdlet : EngineCmdlet
{
    /// <summary>The model.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipelineByPropertyName = true, HelpMessage = "Folder of a Hugging Face checkpoint, or a hub id that the local cache has")]
    [ValidateNotNullOrEmpty]
    public string Model { get; set; } = "";

    private protected override object? Target => Model;

    /// <summary>Its folder, or the hub id.</summary>
    private protected string ModelPath => ModelAt(Model);
}
