using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using FeatureFlow.Models;

namespace FeatureFlow.Experiments;

/// <summary>
/// The folder of a run: <c>resolved.yaml</c> and <c>inputs.json</c> first, <c>units/</c> as they are computed, the results, <c>manifest.json</c>
/// last. Every file is whole or not there, so that a run killed at any moment goes on where it was, and a manifest means that all is done.
/// </summary>
internal sealed class RunFolder(string path)
{
    public const string ResolvedName = "resolved.yaml";
    private const string UnitSchema = "featureflow-unit/1";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, NewLine = "\n" };

    public string Path { get; } = System.IO.Path.GetFullPath(path);

    public string Resolved => At(ResolvedName);

    public string Manifest => At("manifest.json");

    private string InputsFile => At("inputs.json");

    private string Units => At("units");

    /// <summary>Makes the folder this experiment's; with <paramref name="force"/> whatever other settings left there goes.</summary>
    /// <exception cref="FeatureFlowException">FF5030: something else is in it.</exception>
    public void Claim(string resolved, IReadOnlyDictionary<string, string> inputs, bool force)
    {
        var taken = File.Exists(Resolved);
        if (!taken && !force && Directory.Exists(Path) && Directory.EnumerateFileSystemEntries(Path).Any(e => !e.EndsWith(".tmp", StringComparison.Ordinal)))
            throw ExperimentErrors.FolderTaken(Path, "it holds other files");
        if (taken && File.ReadAllText(Resolved) is var before && before != resolved)
        {
            if (!force) throw ExperimentErrors.FolderTaken(Path, $"it holds results of other settings ({FirstDifference(before, resolved)})");
            Clear();
        }

        // this one first: it is what makes the folder ours, should the next moment be the last
        AtomicFile.WriteText(Resolved, resolved);
        AtomicFile.WriteText(InputsFile, JsonSerializer.Serialize(new SortedDictionary<string, string>(inputs.ToDictionary(), StringComparer.Ordinal), Indented) + "\n");
    }

    /// <summary>Whether any unit was stored.</summary>
    public bool HasUnits => Directory.Exists(Units) && Directory.EnumerateFiles(Units, "*.json").Any();

    /// <summary>The inputs that the units of this folder were made from, or null.</summary>
    public IReadOnlyDictionary<string, string>? TryInputs()
    {
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, string>>(File.ReadAllBytes(InputsFile));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    /// <summary>The stored result of a unit, or null: not there, damaged, or made from other inputs.</summary>
    public string? TryUnit(string id, string inputs)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(UnitFile(id)));
            var root = json.RootElement;
            return root.GetProperty("schema").GetString() == UnitSchema && root.GetProperty("unit").GetString() == id && root.GetProperty("inputs").GetString() == inputs
                ? root.GetProperty("result").GetRawText()
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Stores the result of a unit.</summary>
    public void WriteUnit(string id, string inputs, string result) =>
        AtomicFile.WriteText(UnitFile(id), $"{{\"schema\":\"{UnitSchema}\",\"unit\":{JsonSerializer.Serialize(id)},\"inputs\":\"{inputs}\",\"result\":{result.TrimEnd()}}}\n");

    /// <summary>What a unit's result depends on, as one hash.</summary>
    public static string Hash(string settings, IReadOnlyDictionary<string, string> inputs) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(settings + string.Concat(inputs.OrderBy(i => i.Key, StringComparer.Ordinal).Select(i => $"\n{i.Key} {i.Value}")))));

    private string At(string name) => System.IO.Path.Combine(Path, name);

    private string UnitFile(string id) => System.IO.Path.Combine(Units, id + ".json");

    // only what a run wrote: the folder may hold notes of its owner
    private void Clear()
    {
        File.Delete(Manifest);
        File.Delete(Resolved);
        if (Directory.Exists(Units)) Directory.Delete(Units, recursive: true);
    }

    private static string FirstDifference(string before, string now)
    {
        var old = before.Split('\n');
        var lines = now.Split('\n');
        var i = old.Zip(lines).TakeWhile(p => p.First == p.Second).Count();
        return $"'{old.ElementAtOrDefault(i)?.Trim()}' there, '{lines.ElementAtOrDefault(i)?.Trim()}' now";
    }
}

/// <summary>The files that an experiment leaves for its users; remembers what was written, for the manifest.</summary>
internal sealed class RunOutputs(string folder)
{
    private readonly List<string> _files = [];

    /// <summary>Files written, relative to the folder.</summary>
    public IReadOnlyList<string> Files => _files;

    /// <summary>The full path of a result; to be written whole or not at all.</summary>
    public string Add(string relative)
    {
        _files.Add(relative);
        return System.IO.Path.Combine([folder, .. relative.Split('/')]);
    }
}
