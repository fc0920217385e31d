using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>Every message of the file and model floor (FF20xx).</summary>
internal static partial class ModelErrors
{
    public static Exception Missing(string path) =>
        Input("FF2001", "There is no such file; check the path.", path);

    public static Exception Unreadable(string path, Exception why) =>
        Input("FF2002", $"The file cannot be read: {why.Message}", path, why);

    public static Exception IsFolder(string path) =>
        Input("FF2003", "This is a folder where a file is needed.", path);

    public static Exception Empty(string path) =>
        Input("FF2004", "The file is empty (0 bytes): a download that did not finish? Fetch it again.", path);

    public static Exception NoTensor(string path, string name, IEnumerable<string> have) =>
        Input("FF2005", $"There is no array '{name}'; the file has {List(have)}.", path);

    public static Exception UnsupportedType(string path, string name, string type, string remedy) =>
        Input("FF2006", $"Array '{name}' is stored as {type}, which is not read; {remedy}", path);

    public static Exception Safetensors(string path, string what) =>
        Input("FF2010", $"Not a valid safetensors file: {what}", path);

    public static Exception NotZip(string path) =>
        Input("FF2020", "Not an .npz file: no zip archive is in it (a single .npy array, a web page saved as a file, or a cut download?).", path);

    public static Exception Zip(string path, string what) =>
        Input("FF2021", $"The zip archive is damaged: {what}", path);

    public static Exception ZipRefused(string path, string member, string what) =>
        Input("FF2022", $"Member '{member}' {what}; write the file again with numpy.savez.", path);

    public static Exception MemberLeaves(string path, string member) =>
        Input("FF2023", $"Member '{member}' has a name that leads out of the archive. No honest .npz holds such a name; nothing of the file is read.", path);

    public static Exception Npy(string path, string array, string what) =>
        Input("FF2024", $"Array '{array}': {what}", path);

    public static Exception Crc(string path, string array, uint expected, uint actual) =>
        Input("FF2026", $"Array '{array}' is damaged: its CRC-32 is {actual:x8}, the archive says {expected:x8}. Fetch the file again.", path);

    public static Exception Pickle(string path, string what) =>
        Input("FF2027", $"{what} Pickles are never read, for loading one can run any program. Convert it once in Python: "
            + "import torch, safetensors.torch as s; s.save_file({k: v.contiguous().clone() for k, v in torch.load('FILE.pt', weights_only=True).items()}, 'FILE.safetensors')", path);

    public static Exception ObjectArray(string path, string array, string type) =>
        Input("FF2028", $"Array '{array}' is an array of Python objects ({type}): its data is a pickle, which is never read, for loading one can run any program. Write the file with plain numbers, as numpy.savez does with float32 arrays.", path);

    public static Exception CannotWrite(string path, Exception why) =>
        new FeatureFlowException(why is UnauthorizedAccessException ? FailureKind.Usage : FailureKind.Retry, "FF2030", $"The file cannot be written: {why.Message}", path, inner: why);

    public static Exception TensorNames(string path, string name) =>
        new FeatureFlowException(FailureKind.Internal, "FF2031", $"A safetensors file cannot hold two tensors named '{name}', nor one named __metadata__.", path);

    public static Exception NotHost(string what) =>
        new FeatureFlowException(FailureKind.Internal, "FF2032", $"{what} lives on a device; copy it to a host tensor first.");

    public static Exception NotRelative(string root, string path) =>
        new FeatureFlowException(FailureKind.Usage, "FF2040", $"'{path}' leads out of {root}; write a path relative to it, without '..'.");

    public static Exception LinkLeaves(string root, string path, string target) =>
        new FeatureFlowException(FailureKind.Usage, "FF2041", $"'{path}' is a link to {target}, which is outside {root}; put the file itself there.");

    public static Exception TooManyLinks(string path) =>
        Input("FF2042", "The path goes in circles: too many symbolic links.", path);

    public static Exception RepositoryId(string id) =>
        new FeatureFlowException(FailureKind.Usage, "FF2050", $"'{id}' is not a Hugging Face repository; write owner/name, as in google/gemma-scope-2b-pt-res.");

    public static Exception NotInCache(string repository, string pattern, string cache, string how) =>
        Input("FF2051", $"{repository} has no file {pattern} in the local cache {cache}, and nothing is downloaded silently. Get it with: {how}", null);

    public static Exception Json(string path, string what, long line, long column, Exception? inner = null) =>
        new FeatureFlowException(FailureKind.Input, "FF2060", $"Not valid JSON: {what}", path, (int)line, (int)column, inner);

    public static Exception NoKey(string path, string key) =>
        Input("FF2061", $"The key '{key}' is missing.", path);

    public static Exception KeyType(string path, string key, string wanted, string found) =>
        Input("FF2062", $"'{key}' must be {wanted}, not {found}.", path);

    public static Exception UnknownSite(string name) =>
        new FeatureFlowException(FailureKind.Usage, "FF2070", $"There is no site '{name}'; sites are {string.Join(", ", Sites.Names)}.");

    private static FeatureFlowException Input(string code, string text, string? path, Exception? inner = null) =>
        new(FailureKind.Input, code, text, path, inner: inner);

    /// <summary>A list of names, cut where it would fill the screen.</summary>
    internal static string List(IEnumerable<string> names)
    {
        const int most = 24;
        var all = names.ToList();
        return all.Count switch
        {
            0 => "nothing",
            > most => string.Join(", ", all.Take(most)) + $" and {all.Count - most} more",
            _ => string.Join(", ", all),
        };
    }
}
