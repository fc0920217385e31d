using FeatureFlow.Models;

namespace FeatureFlow.Saes;

/// <summary>Every message of the SAE floor (FF30xx).</summary>
internal static partial class SaeErrors
{
    public static Exception NotAFeature(string text) =>
        new FeatureFlowException(FailureKind.Usage, "FF3002", $"'{text}' is not a feature; write layer/site/index, as in 24/res/14548.");

    public static Exception TwoSaes(string pack, int layer, Site site, string first, string second) =>
        new FeatureFlowException(FailureKind.Usage, "FF3003", $"Two SAEs at {layer}/{site.Name()}: {first} and {second}; name one (l0: picks among several).", pack);

    public static Exception Missing(string path) =>
        Input("FF3004", "There is no such file or folder; check the path.", path);

    public static Exception NoSae(string folder, IEnumerable<string> holds) =>
        Input("FF3005", $"No SAE of a known format is here (docs/formats.md lists them); the folder holds {Names(holds)}.", folder);

    public static Exception SeveralSaes(string folder, IReadOnlyList<string> found) =>
        Input("FF3006", $"{found.Count} SAEs are below this folder; name one: {Names(found)}.", folder);

    public static Exception NotAnSaeFile(string path) =>
        Input("FF3007", "This file is not an SAE of a known format (docs/formats.md lists them).", path);

    public static Exception Shape(string path, TensorEntry entry, int[]? wanted) =>
        Input("FF3010", $"'{entry.Name}' is {entry} where {(wanted is null ? "a matrix" : $"[{string.Join(",", wanted)}]")} is needed.", path);

    public static Exception NonFinite(string path, string name, TensorEntry entry, TensorScan scan) =>
        Input("FF3011", $"'{name}' {entry} holds {scan.NonFinite} {(scan.NonFinite == 1 ? "number that is" : "numbers that are")} NaN or infinite, the first at element {scan.FirstNonFinite}.", path);

    public static Exception NotFloating(string path, TensorEntry entry) =>
        Input("FF3012", $"'{entry.Name}' is {entry}; weights are read as F32, BF16, F16 or F64.", path);

    public static Exception MissingArray(string path, string name, IEnumerable<string> have) =>
        Input("FF3013", $"'{name}' is missing; the file has {Names(have)}.", path);

    public static Exception Mismatch(string path, string key, object says, string fact) =>
        Input("FF3014", $"'{key}' says {says}, but {fact}.", path);

    public static Exception Unsupported(string path, string key, string value, string why) =>
        Input("FF3015", $"{key} '{value}' is not read: {why}", path);

    public static Exception NotPositive(string path, string name, int index, double value) =>
        Input("FF3016", $"'{name}' must be positive; element {index} is {value}.", path);

    public static Exception Pickle(string path, string recipe) =>
        Input("FF3017", $"This SAE is stored as a pickle, which is never read, for loading one can run any program. Convert it once in Python: {recipe}", path);

    public static Exception MissingFile(string path, string name, string why) =>
        Input("FF3018", $"{name} is missing: {why}", path);

    public static Exception TooManyFolders(string folder, int most) =>
        Input("FF3019", $"More than {most} folders are below this one; name the folder of the SAE.", folder);

    public static Exception Operand(string path, string what, Tensors.Tensor got, string wanted) =>
        new FeatureFlowException(FailureKind.Usage, "FF3020", $"{what} is {got}; this SAE takes {wanted}.", path);

    private static FeatureFlowException Input(string code, string text, string path) => new(FailureKind.Input, code, text, path);

    private static string Names(IEnumerable<string> names)
    {
        const int most = 16;
        var all = names.ToList();
        return all.Count == 0 ? "nothing" : string.Join(", ", all.Take(most)) + (all.Count > most ? $" and {all.Count - most} more" : "");
    }
}
