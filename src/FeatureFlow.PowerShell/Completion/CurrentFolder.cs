using System.Management.Automation;
using Shell = System.Management.Automation.PowerShell;

namespace FeatureFlow.PowerShell;

/// <summary>Paths while completing: a completer has no session of its own, only the runspace that it runs in.</summary>
internal static class CurrentFolder
{
    private const string Script = "param($path) $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($path)";

    /// <summary>The full path that PowerShell means, or null when it means none.</summary>
    public static string? Resolve(string path)
    {
        try
        {
            // nested in the pipeline that completes: the runspace's own proxy refuses to be asked while one runs
            using var shell = Shell.Create(RunspaceMode.CurrentRunspace);
            return shell.AddScript(Script, useLocalScope: true).AddArgument(path).Invoke<string>().FirstOrDefault();
        }
        catch (Exception e) when (e is RuntimeException or InvalidOperationException)
        {
            return null;
        }
    }
}
