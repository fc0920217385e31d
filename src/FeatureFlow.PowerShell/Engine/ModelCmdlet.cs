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

    /// <summary>The folder, as PowerShell sees it; a hub id stays one.</summary>
    private protected string ModelPath
    {
        get
        {
            var path = FilePath(Model);
            return Directory.Exists(path) || !FeatureFlow.Models.HubCache.IsRepositoryId(Model) ? path : Model;
        }
    }
}
