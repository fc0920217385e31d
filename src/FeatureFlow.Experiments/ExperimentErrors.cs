using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary>Every message of the experiment floor (FF50xx).</summary>
internal static partial class ExperimentErrors
{
    public static FeatureFlowException Yaml(string source, int line, int column, string what) =>
        new(FailureKind.Usage, "FF5001", Sentence(what), source, line, column);

    public static FeatureFlowException YamlKey(string source, int line, int column, string what) =>
        new(FailureKind.Usage, "FF5002", Sentence(what), source, line, column);

    public static FeatureFlowException YamlMissing(string source, int line, int column, string what) =>
        new(FailureKind.Usage, "FF5003", Sentence(what), source, line, column);

    public static FeatureFlowException YamlValue(string source, int line, int column, string what) =>
        new(FailureKind.Usage, "FF5004", Sentence(what), source, line, column);

    public static FeatureFlowException BadOverride(string setting, string what) =>
        new(FailureKind.Usage, "FF5005", $"--set {setting}: {what}");

    public static FeatureFlowException Unreadable(string path, string what) =>
        new(FailureKind.Input, "FF5006", $"Cannot be read: {what}", path);

    public static FeatureFlowException NoPack(string path, string? near, IEnumerable<string> presets) =>
        new(FailureKind.Input, "FF5010", $"There is no pack '{path}': neither a pack.yaml, nor a folder, nor a preset ({string.Join(", ", presets)}).{(near is null ? "" : $" Did you mean '{near}'?")}");

    public static FeatureFlowException EmptyPack(string path) =>
        new(FailureKind.Input, "FF5011", "The folder holds no pack.yaml and no SAE that FeatureFlow reads (docs/formats.md lists the layouts).", path);

    public static FeatureFlowException NoSaeMatches(string source, int line, int column, string pattern, string where, int? layer) =>
        new(FailureKind.Input, "FF5012", $"Nothing matches '{pattern}' in {where}{(layer is { } l ? $" for layer {l}" : "")}.", source, line, column);

    public static FeatureFlowException Ambiguous(string source, int line, int column, int layer, Site site, IEnumerable<string> candidates) =>
        new(FailureKind.Usage, "FF5013", $"Layer {layer} of {site.Name()} has several SAEs: {string.Join(", ", candidates)}; say which with 'l0', or a narrower 'path'.", source, line, column);

    public static FeatureFlowException NoSuchL0(string source, int line, int column, int layer, Site site, long l0, IEnumerable<string> candidates) =>
        new(FailureKind.Input, "FF5014", $"Layer {layer} of {site.Name()} has no SAE with L0 {l0}; there are {string.Join(", ", candidates)}.", source, line, column);

    public static FeatureFlowException L0Count(string source, int line, int column, int given, int layers) =>
        new(FailureKind.Usage, "FF5015", $"'l0' has {given} entries for {layers} layers; give one for each layer, or a single one.", source, line, column);

    public static FeatureFlowException NoLayerInPath(string source, int line, int column, string path) =>
        new(FailureKind.Usage, "FF5016", $"The path '{path}' has no {{layer}}; write it where the layer's number stands, or name the one layer in 'layers'.", source, line, column);

    public static FeatureFlowException NoPlace(string path, string what) =>
        new(FailureKind.Input, "FF5017", $"Neither the files nor their path say which {what} this SAE belongs to; name it in a pack.yaml.", path);

    public static FeatureFlowException Description(string path, int line, string what) =>
        new(FailureKind.Input, "FF5020", Sentence(what), path, line, line > 0 ? 1 : 0);

    public static FeatureFlowException DescriptionPlace(string path, int line, string source, IEnumerable<string> known) =>
        new(FailureKind.Input, "FF5021", $"The description is for '{source}', which is no SAE of the pack{(known.Any() ? $" (it has {string.Join(", ", known)})" : "")}; name site and layer in the pack's 'descriptions'.", path, line, 1);

    public static FeatureFlowException NoDescriptions(string source, int line, int column, string pattern, string root) =>
        new(FailureKind.Input, "FF5022", $"No file matches '{pattern}' in {root}.", source, line, column);

    public static FeatureFlowException Table(string path, int line, string what) =>
        new(FailureKind.Input, "FF5023", Sentence(what), path, line, 1);

    public static FeatureFlowException FolderTaken(string folder, string why) =>
        new(FailureKind.Usage, "FF5030", $"Results cannot go here: {why}. Name another folder with --out, or use --force.", folder);

    public static FeatureFlowException BadShard(string text, string what) =>
        new(FailureKind.Usage, "FF5031", $"--shard {text}: {what}");

    public static FeatureFlowException UnitsMissing(string folder, IReadOnlyList<string> missing, int of) =>
        new(FailureKind.Retry, "FF5032", $"{missing.Count} of {of} units are not computed yet, the first {missing[0]}; run the shares that are left, and merge all their folders.", folder);

    public static FeatureFlowException NotAShare(string folder, string why) =>
        new(FailureKind.Usage, "FF5033", $"Not a share of the run: {why}.", folder);

    public static FeatureFlowException NoSeeds(string source, int line, int column, string what) =>
        new(FailureKind.Usage, "FF5034", $"There is nothing to trace: {what}.", source, line, column);

    public static FeatureFlowException UnitDamaged(string unit, string what) =>
        new(FailureKind.Input, "FF5035", $"The stored result of unit {unit} cannot be read: {what} Delete the folder's units/{unit}.json and run again.");

    private static string Sentence(string text) => char.ToUpperInvariant(text[0]) + text[1..];
}
