using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary>What a pack.yaml may say (docs/packs.md).</summary>
internal static class PackSchema
{
    /// <summary>The word that picks, of several SAEs, the one whose L0 is nearest 100: what SAELens calls canonical.</summary>
    public const string Canonical = "canonical";

    public static YamlRecord Sae { get; } = new(
        "sae",
        "SAEs of one site, all layers.",
        new YamlField("site", YamlType.Choice([.. Sites.Names]), "The site they read.", Required: true),
        new YamlField("path", YamlType.Text, "File or folder of an SAE, relative to the pack (or to the repository): '{layer}' stands for the layer's number, '*' and '?' for characters of a name.", Required: true),
        new YamlField("layers", YamlType.Layers, "Layers to take; each must exist.", Default: "every layer that exists"),
        new YamlField("l0", YamlType.Either(YamlType.Choice(Canonical), YamlType.OneOrMany(YamlType.Integer(0, int.MaxValue))), "Picks among several SAEs of a layer by the L0 in their path: one number, one for each layer (of 'layers', or counted from 0), or 'canonical' for the one nearest 100.", Default: "several are an error"),
        new YamlField("repo", YamlType.Text, "Repository of the Hugging Face hub that holds them, looked up in the local cache.", Default: "the pack's own folder"),
        new YamlField("revision", YamlType.Text, "Branch or commit of the repository.", Default: "main"),
        new YamlField("neuronpedia", YamlType.Text, "Model and source at Neuronpedia, as in 'gemma-2-2b/{layer}-gemmascope-res-16k'.", Default: "what the files say"),
        new YamlField("neuronpedia_layers", YamlType.Layers, "Layers whose SAE is the one at Neuronpedia.", Default: "all"));

    public static YamlRecord Description { get; } = new(
        "description",
        "A file of descriptions that does not say itself which SAE it is about.",
        new YamlField("path", YamlType.Text, "File, relative to the pack: '{layer}' stands for the layer's number, '*' and '?' for characters of a name.", Required: true),
        new YamlField("site", YamlType.Choice([.. Sites.Names]), "The site it is about.", Required: true),
        new YamlField("layer", YamlType.Integer(0, 999), "The layer it is about.", Default: "the number at {layer}"));

    public static YamlRecord Pack { get; } = new(
        "pack",
        "A model's sparse autoencoders (docs/packs.md).",
        new YamlField("version", YamlType.Integer(1, 1), "Version of this form: 1.", Required: true),
        new YamlField("name", YamlType.Text, "Name shown.", Default: "the file's or folder's name"),
        new YamlField("model", YamlType.Text, "Checkpoint folder, relative to the pack, or hub id of the model."),
        new YamlField("saes", YamlType.List(Sae), "The SAEs.", Required: true),
        new YamlField("descriptions", YamlType.OneOrMany(YamlType.Either(Description, YamlType.Text)), "Neuronpedia exports (.json, .jsonl, .gz) or CSV files with index,description; relative to the pack, '*' and '?' allowed.", Default: "none"));
}
