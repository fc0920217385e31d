using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Checkpoints;

/// <summary>
/// The weights of a Hugging Face folder, mapped and used in their stored type: model.safetensors, or the shards that
/// model.safetensors.index.json names. A missing <c>prefix.</c> before every name is forgiven; what no model asks for (stray buffers) is left alone.
/// </summary>
public sealed class Checkpoint : IDisposable
{
    private const string Single = "model.safetensors";
    private const string Index = "model.safetensors.index.json";

    private readonly Dictionary<string, TensorFile> _where = new(StringComparer.Ordinal);
    private readonly List<TensorFile> _files = [];

    private Checkpoint(string folder, JsonConfig config)
    {
        Folder = folder;
        Config = config;
    }

    /// <summary>The folder, full path.</summary>
    public string Folder { get; }

    /// <summary>config.json.</summary>
    public JsonConfig Config { get; }

    /// <summary>Names of all arrays.</summary>
    public IEnumerable<string> Names => _where.Keys;

    /// <summary>Bytes of all files.</summary>
    public long ByteLength => _files.Sum(f => f.ByteLength);

    /// <summary>A folder, or the id of a model in the local Hugging Face cache.</summary>
    /// <exception cref="FeatureFlowException">FF2201, FF2208, FF2209: no whole checkpoint; FF2216: no such folder or model; FF20xx: unreadable files.</exception>
    public static Checkpoint Open(string folderOrId)
    {
        var folder = Resolve(folderOrId);
        var configPath = Path.Combine(folder, "config.json");
        if (!File.Exists(configPath)) throw ModelErrors.NotACheckpoint(folder, "it has no config.json.");
        var checkpoint = new Checkpoint(folder, JsonConfig.Open(configPath));
        try
        {
            checkpoint.OpenFiles();
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>The folder that a path or the id of a model in the local cache stands for.</summary>
    /// <exception cref="FeatureFlowException">FF2216: neither.</exception>
    public static string Resolve(string folderOrId)
    {
        if (Directory.Exists(folderOrId)) return Path.GetFullPath(folderOrId);
        if (File.Exists(folderOrId) && Path.GetDirectoryName(Path.GetFullPath(folderOrId)) is { } parent) return parent;
        if (!HubCache.IsRepositoryId(folderOrId)) throw ModelErrors.NotACheckpoint(Path.GetFullPath(folderOrId), "there is no such folder.");
        return HubCache.Default.TrySnapshot(folderOrId) ?? throw ModelErrors.NoModel(folderOrId, HubCache.Default.Folder);
    }

    /// <summary>True when there is such an array, with or without the prefix.</summary>
    public bool Has(string prefix, string name) => Find(prefix, name) is not null;

    /// <summary>A weight of a known shape, in its stored type.</summary>
    /// <exception cref="FeatureFlowException">FF2203: missing; FF2204: another shape; FF2205: a type that is not computed with.</exception>
    public Tensor Weight(string prefix, string name, params ReadOnlySpan<int> shape)
    {
        var (file, full) = Find(prefix, name) ?? throw ModelErrors.WeightMissing(_files.Count == 1 ? _files[0].Path : Folder, prefix + name);
        var tensor = file.Get(full);
        if (!tensor.Shape.SequenceEqual(shape)) throw ModelErrors.WeightShape(file.Path, full, tensor.Shape.ToArray(), shape.ToArray());
        return tensor.DType.IsComputable() ? tensor : throw ModelErrors.WeightType(file.Path, full, tensor.DType);
    }

    /// <summary>The same, or null when there is none.</summary>
    public Tensor? OptionalWeight(string prefix, string name, params ReadOnlySpan<int> shape) => Has(prefix, name) ? Weight(prefix, name, shape) : null;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var file in _files) file.Dispose();
    }

    private (TensorFile File, string Name)? Find(string prefix, string name)
    {
        foreach (var full in new[] { prefix + name, name })
        {
            if (_where.TryGetValue(full, out var file)) return (file, full);
        }

        return null;
    }

    private void OpenFiles()
    {
        var single = Path.Combine(Folder, Single);
        var index = Path.Combine(Folder, Index);
        if (File.Exists(single))
        {
            Add(SafetensorsFile.Open(single), null);
            return;
        }

        if (!File.Exists(index))
        {
            foreach (var pickle in new[] { "pytorch_model.bin", "pytorch_model.bin.index.json", "model.bin" })
            {
                if (File.Exists(Path.Combine(Folder, pickle))) throw ModelErrors.PickleWeights(Folder, pickle);
            }

            throw ModelErrors.NotACheckpoint(Folder, $"it has neither {Single} nor {Index}.");
        }

        var map = JsonConfig.Open(index).Object("weight_map") ?? throw ModelErrors.NoKey(index, "weight_map");
        foreach (var shard in map.Keys.Select(k => (Name: k, File: map.Need(map.Text(k), k))).GroupBy(e => e.File, StringComparer.Ordinal))
        {
            var path = SafePath.Resolve(Folder, shard.Key);
            if (!File.Exists(path)) throw ModelErrors.ShardMissing(index, shard.Key);
            var file = SafetensorsFile.Open(path);
            Add(file, [.. shard.Select(e => e.Name)]);
        }
    }

    // a shard holds what the index says, or the index is wrong and says so at the first missing name
    private void Add(TensorFile file, IReadOnlyList<string>? names)
    {
        _files.Add(file);
        foreach (var name in names ?? [.. file.Entries.Select(e => e.Name), .. file.Unreadable])
        {
            if (file.Contains(name)) _where[name] = file;
            else throw ModelErrors.WeightMissing(file.Path, name);
        }
    }
}
