using System.Management.Automation;
using System.Reflection;
using System.Runtime.Loader;

namespace FeatureFlow.PowerShell;

/// <summary>
/// Finds the module's own assemblies. Cmdlets and the records that users hold live in PowerShell's load context, so that
/// <c>$x -is [FeatureFlow.Flow.FlowGraph]</c> is true for everybody; FeatureFlow.Experiments and the packages it uses live in a private
/// one, so that they never meet the YamlDotNet or CsvHelper of another module.
/// </summary>
/// <remarks>
/// This is the bridge pattern (an initializer in the cmdlet assembly) rather than a loader script: the manifest's root module is the
/// assembly itself, which makes importing faster, and importing again with -Force meets no nested module whose cmdlets get lost.
/// There is no clean-up on removal: assemblies stay loaded, other runspaces of the process still need the handler, and the running
/// engine is to be there when the module is imported again.
/// </remarks>
public sealed class Dependencies : IModuleAssemblyInitializer
{
    private const string Ours = "FeatureFlow.";
    private static readonly string s_folder = Path.GetDirectoryName(typeof(Dependencies).Assembly.Location)!;
    private static readonly Lazy<AssemblyLoadContext> s_private = new(() => new PrivateContext(Path.Combine(s_folder, "Dependencies")));
    private static int s_hooked;

    /// <summary>Called by PowerShell on every import; only the first of the process does anything.</summary>
    public void OnImport()
    {
        if (Interlocked.Exchange(ref s_hooked, 1) == 0) AssemblyLoadContext.Default.Resolving += Resolve;
    }

    // answers for our own names only: whoever else asks the default context for a YamlDotNet does not get ours
    private static Assembly? Resolve(AssemblyLoadContext context, AssemblyName name)
    {
        if (name.Name?.StartsWith(Ours, StringComparison.Ordinal) != true) return null;
        var shared = Path.Combine(s_folder, name.Name + ".dll");
        return File.Exists(shared) ? context.LoadFromAssemblyPath(shared) : s_private.Value.LoadFromAssemblyName(name);
    }

    /// <summary>Loads what lies in its folder; everything else, the shared records among it, comes from the default context.</summary>
    private sealed class PrivateContext(string folder) : AssemblyLoadContext("FeatureFlow")
    {
        protected override Assembly? Load(AssemblyName assemblyName)
        {
            var path = Path.Combine(folder, assemblyName.Name + ".dll");
            return File.Exists(path) ? LoadFromAssemblyPath(path) : null;
        }
    }
}
