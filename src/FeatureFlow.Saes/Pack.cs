namespace FeatureFlow.Saes;

/// <summary>
/// A named set of SAEs over one model, resolved to files (docs/packs.md). Opening a pack reads no weights; <see cref="PackSae.Path"/>
/// leads to them. The YAML form is read one floor up (FeatureFlow.Experiments.PackFile).
/// </summary>
public sealed class Pack
{
    private readonly SortedDictionary<(int Layer, Site Site), PackSae> _saes = [];

    /// <summary>Makes one from resolved SAEs; two SAEs at one layer and site are refused.</summary>
    public Pack(string name, string source, string? model, IEnumerable<PackSae> saes, IReadOnlyList<DescriptionFile> descriptionFiles)
    {
        Name = name;
        Source = source;
        Model = model;
        DescriptionFiles = descriptionFiles;
        foreach (var sae in saes)
        {
            if (!_saes.TryAdd((sae.Layer, sae.Site), sae)) throw SaeErrors.TwoSaes(source, sae.Layer, sae.Site, _saes[(sae.Layer, sae.Site)].Path, sae.Path);
        }
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>The pack.yaml or folder it was opened from, full path; also its identity in caches and in the <c>Pack</c> property of objects.</summary>
    public string Source { get; }

    /// <summary>Checkpoint folder or hub id, if the pack names one.</summary>
    public string? Model { get; }

    /// <summary>Files of descriptions.</summary>
    public IReadOnlyList<DescriptionFile> DescriptionFiles { get; }

    /// <summary>Every SAE, by layer and site.</summary>
    public IReadOnlyCollection<PackSae> Saes => _saes.Values;

    /// <summary>Layers that have an SAE, ascending.</summary>
    public IReadOnlyList<int> Layers => [.. _saes.Keys.Select(k => k.Layer).Distinct()];

    /// <summary>Sites that have an SAE, in the order of <see cref="Site"/>.</summary>
    public IReadOnlyList<Site> SitesPresent => [.. _saes.Keys.Select(k => k.Site).Distinct().Order()];

    /// <summary>The SAE at a layer and site, or null.</summary>
    public PackSae? Find(int layer, Site site) => _saes.GetValueOrDefault((layer, site));
}

/// <summary>One SAE of a pack.</summary>
/// <param name="Layer">Layer, from 0.</param>
/// <param name="Site">Site.</param>
/// <param name="Path">Its file or folder, full path.</param>
/// <param name="NeuronpediaId"><c>model/source</c> at Neuronpedia (<c>gemma-2-2b/20-gemmascope-res-16k</c>), or null.</param>
public sealed record PackSae(int Layer, Site Site, string Path, string? NeuronpediaId = null);

/// <summary>A file that describes features: a Neuronpedia export or a CSV.</summary>
/// <param name="Path">The file, full path.</param>
/// <param name="Layer">The layer it is about, where the pack says so; else the file must.</param>
/// <param name="Site">The site it is about, where the pack says so; else the file must.</param>
public sealed record DescriptionFile(string Path, int? Layer = null, Site? Site = null);
