using System.Globalization;
using System.Runtime.CompilerServices;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Flow.Tests;

/// <summary>The trained example pack, opened without its YAML (which is read two floors up), and its reference results.</summary>
internal static class Stories
{
    public const int Layers = 5;
    public const int Features = 512;

    /// <summary>No index of this suite may land in the user's own cache.</summary>
    [ModuleInitializer]
    internal static void UseTemporaryCache() =>
        Environment.SetEnvironmentVariable("FEATUREFLOW_CACHE", Path.Combine(Path.GetTempPath(), $"featureflow-test-cache-{Environment.ProcessId}"));

    /// <summary>The pack; <paramref name="source"/> decides where its index lies, <paramref name="saes"/> where its SAEs are.</summary>
    public static Pack Pack(string source, string? saes = null)
    {
        saes ??= Repository.Example("stories260k", "saes");
        return new Pack(
            "stories260k",
            source,
            null,
            from site in new[] { Site.Res, Site.Mlp, Site.Att }
            from layer in Enumerable.Range(0, Layers)
            select new PackSae(layer, site, SaeFile(saes, layer, site)),
            []);
    }

    public static string SaeFile(string saes, int layer, Site site) =>
        Directory.EnumerateFiles(Path.Combine(saes, site.Name(), $"layer_{layer}"), "params.npz", SearchOption.AllDirectories).Single();

    /// <summary>Opened in an engine of its own, with its index in <paramref name="folder"/>.</summary>
    public static OpenedPack Open(TempFolder folder, int threads = 2) => Open(folder, Engine(threads));

    public static OpenedPack Open(TempFolder folder, FlowEngine engine)
    {
        var yaml = folder.File("pack.yaml");
        if (!File.Exists(yaml)) File.WriteAllText(yaml, "");
        return engine.Open(Pack(yaml), FeatureDescriptions.None);
    }

    public static FlowEngine Engine(int threads = 2) => new(TestEngine.Of(threads));

    /// <summary>A private copy of the SAEs, to be changed.</summary>
    public static string CopySaes(TempFolder folder)
    {
        var (from, to) = (Repository.Example("stories260k", "saes"), folder.File("saes"));
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        return to;
    }

    /// <summary>Rows of a reference file as column → text.</summary>
    public static List<Dictionary<string, string>> Golden(string file)
    {
        var lines = Lines(file).ToArray();
        var columns = lines[0].Split(',');
        return [.. lines.Skip(1).Select(l => columns.Zip(l.Split(',')).ToDictionary(c => c.First, c => c.Second))];
    }

    // the largest is kept gzipped
    private static IEnumerable<string> Lines(string file)
    {
        var path = Repository.Fixture("golden", "stories260k", file);
        if (File.Exists(path)) return File.ReadLines(path);
        using var text = new StreamReader(new System.IO.Compression.GZipStream(File.OpenRead(path + ".gz"), System.IO.Compression.CompressionMode.Decompress));
        return text.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    public static int Int(this Dictionary<string, string> row, string column) => int.Parse(row[column], CultureInfo.InvariantCulture);

    public static double Number(this Dictionary<string, string> row, string column) => double.Parse(row[column], CultureInfo.InvariantCulture);
}
