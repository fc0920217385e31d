using System.Runtime.CompilerServices;
using FeatureFlow.Testing;

namespace FeatureFlow.PowerShell.Tests;

/// <summary>The trained example pack, copied where a test may write beside it.</summary>
internal static class Stories
{
    public const int Layers = 5;
    public const int Features = 512;

    public static string Folder { get; } = Repository.Example("stories260k");

    /// <summary>No index of this suite may land in the user's own cache.</summary>
    [ModuleInitializer]
    internal static void UseTemporaryCache() =>
        Environment.SetEnvironmentVariable("FEATUREFLOW_CACHE", Path.Combine(Path.GetTempPath(), $"featureflow-test-cache-{Environment.ProcessId}"));

    /// <summary>A pack.yaml in a folder of its own that names the example's SAEs by copies, with two descriptions of features.</summary>
    public static TempFolder Described()
    {
        var folder = new TempFolder();
        foreach (var site in new[] { "res", "mlp" })
        {
            foreach (var layer in new[] { 3, 4 })
            {
                var from = Directory.EnumerateFiles(Path.Combine(Folder, "saes", site, $"layer_{layer}"), "params.npz", SearchOption.AllDirectories).Single();
                Directory.CreateDirectory(folder.File(site));
                File.Copy(from, folder.File(site, $"layer_{layer}.npz"));
            }
        }

        Directory.CreateDirectory(folder.File("said"));
        File.WriteAllText(folder.File("said", "4.csv"), "index,description\n7,names of animals\n9,\"the word the\"\n7,pets\n");
        File.WriteAllText(folder.File("pack.yaml"), """
            version: 1
            name: described
            saes:
              - site: res
                path: res/layer_{layer}.npz
              - site: mlp
                path: mlp/layer_{layer}.npz
            descriptions:
              - path: said/4.csv
                site: res
                layer: 4
            """);
        return folder;
    }
}
