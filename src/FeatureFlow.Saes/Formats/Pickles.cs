using FeatureFlow.Models;

namespace FeatureFlow.Saes.Formats;

/// <summary>Files that hold a pickle. They are recognised, to say how to convert them, and never read.</summary>
internal static class Pickles
{
    private static readonly string[] s_extensions = [".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt"];

    /// <summary>True for the usual extensions, and for a file that begins like a pickle.</summary>
    public static bool IsPickle(string path)
    {
        if (s_extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase)) return true;
        Span<byte> start = stackalloc byte[2];
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            return file.ReadAtLeast(start, 2, throwOnEndOfStream: false) == 2 && start[0] == 0x80 && start[1] is >= 2 and <= 5;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>The first pickle in a folder or below, or null.</summary>
    public static string? Find(string folder, int depth)
    {
        var options = new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = depth, AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = true };
        return Directory.EnumerateFiles(folder, "*", options)
            .Where(f => s_extensions.Contains(Path.GetExtension(f), StringComparer.OrdinalIgnoreCase))
            .Order(StringComparer.Ordinal)
            .FirstOrDefault();
    }

    /// <summary>The refusal, with the lines that convert this very file.</summary>
    public static Exception Refusal(string path)
    {
        var (from, to) = (Path.GetFileName(path), Path.GetFileNameWithoutExtension(path) + ".safetensors");
        return SaeErrors.Pickle(path, "import torch, safetensors.torch as s; "
            + $"s.save_file({{k: v.contiguous().clone() for k, v in torch.load('{from}', map_location='cpu', weights_only=True).items()}}, '{to}'); then open {to} (its configuration beside it).");
    }
}
