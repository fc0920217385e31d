using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace FeatureFlow.Experiments;

/// <summary>Names a model by its content, for what depends on it.</summary>
internal static class ModelIdentity
{
    /// <summary>SHA-256 of a checkpoint: configuration whole, weights by their headers and lengths, so that 5 GB are not read to name them. A hub id names itself.</summary>
    public static string Of(string model)
    {
        if (!Directory.Exists(model)) return model;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var path in Directory.GetFiles(model).Where(p => Path.GetExtension(p) is ".json" or ".safetensors").Order(StringComparer.Ordinal))
        {
            using var file = File.OpenRead(path);
            hash.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(path)} {file.Length}\n")));
            var head = new byte[Math.Min(file.Length, 1 << 20)];
            file.ReadExactly(head);
            hash.AppendData(head);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
