namespace FeatureFlow.Saes.Formats;

/// <summary>SAEs stored as pickles (dictionary_learning's ae.pt and others): recognised by name, and refused with the way to convert them.</summary>
internal sealed class PickleFormat : ISaeFormat
{
    private static readonly string[] Endings = [".pt", ".pth", ".bin", ".pkl", ".ckpt"];

    public bool Matches(SaeFiles files) => Find(files) is not null;

    public SaeParts Read(SaeFiles files)
    {
        var path = Find(files)!;
        var name = Path.GetFileName(path);
        var to = Path.GetFileNameWithoutExtension(path) + ".safetensors";
        throw SaeErrors.Pickle(path, $"import torch, safetensors.torch; safetensors.torch.save_file({{k: v.contiguous() for k, v in torch.load('{name}', weights_only=True).items()}}, '{to}')");
    }

    private static string? Find(SaeFiles files)
    {
        if (files.File is { } name) return IsPickle(name) ? files.Path : null;
        return Directory.EnumerateFiles(files.Folder).Where(IsPickle).Order(StringComparer.Ordinal).FirstOrDefault();
    }

    private static bool IsPickle(string path) => Endings.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase);
}
