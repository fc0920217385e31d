using System.Management.Automation;
using System.Management.Automation.Runspaces;

namespace FeatureFlow.PowerShell;

/// <summary>Paths while completing: a completer has no session of its own, only the runspace that it runs in.</summary>
internal static class CurrentFolder
{
    /// <summary>The full path that PowerShell means, or null when it means none.</summary>
    public static string? Resolve(string path)
    {
        try
        {
            return Runspace.DefaultRunspace?.SessionStateProxy.Path.GetUnresolvedProviderPathFromPSPath(path);
        }
        catch (RuntimeException)
        {
            return null;
        }
    }
}
