using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace FeatureFlow.Models;

/// <summary>A configuration file in JSON, or an object inside one. Values are asked for by key and type; null counts as absent.</summary>
public sealed class JsonConfig
{
    private const long MaxBytes = 64 << 20;

    private readonly JsonElement _root;
    private readonly string _prefix;

    private JsonConfig(string path, JsonElement root, string prefix)
    {
        Path = path;
        _root = root;
        _prefix = prefix;
    }

    /// <summary>Full path.</summary>
    public string Path { get; }

    /// <summary>The keys whose value is not null, in the order of the file.</summary>
    public IEnumerable<string> Keys => _root.EnumerateObject().Where(p => p.Value.ValueKind != JsonValueKind.Null).Select(p => p.Name);

    /// <summary>Reads a file that holds one JSON object.</summary>
    /// <exception cref="FeatureFlowException">FF2001-FF2004: not readable; FF2060: not valid JSON, with line and column.</exception>
    public static JsonConfig Open(string path)
    {
        var full = System.IO.Path.GetFullPath(path);
        if (Directory.Exists(full)) throw ModelErrors.IsFolder(full);
        if (!File.Exists(full)) throw ModelErrors.Missing(full);
        byte[] bytes;
        try
        {
            var length = new FileInfo(full).Length;
            if (length == 0) throw ModelErrors.Empty(full);
            if (length > MaxBytes) throw ModelErrors.Json(full, $"{length} bytes are too many for a configuration.", 0, 0);
            bytes = File.ReadAllBytes(full);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ModelErrors.Unreadable(full, e);
        }

        var json = bytes.AsMemory(bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? 3 : 0);
        if (!Utf8.IsValid(json.Span)) throw ModelErrors.Json(full, "it is not UTF-8.", 0, 0);
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? new JsonConfig(full, document.RootElement.Clone(), "")
                : throw ModelErrors.Json(full, "it holds no object { ... }.", 1, 1);
        }
        catch (InvalidOperationException e)
        {
            throw ModelErrors.Json(full, $"a key is no Unicode text ({e.Message})", 0, 0, e); // "\ud800" alone
        }
        catch (JsonException e)
        {
            var what = e.Message;
            var cut = what.IndexOf(" LineNumber:", StringComparison.Ordinal);
            throw ModelErrors.Json(full, cut < 0 ? what : what[..cut], (e.LineNumber ?? 0) + 1, (e.BytePositionInLine ?? 0) + 1, e);
        }
    }

    /// <summary>True when the key is there and says null, which some configurations mean as "none".</summary>
    public bool IsNull(string key) => _root.TryGetProperty(key, out var e) && e.ValueKind == JsonValueKind.Null;

    /// <summary>Whole numbers: one, or a list of them; empty when absent.</summary>
    /// <exception cref="FeatureFlowException">FF2062: something else.</exception>
    public IReadOnlyList<int> Ints(string key)
    {
        if (Find(key) is not { } e) return [];
        if (e.ValueKind != JsonValueKind.Array) return [Int(key)!.Value];
        return e.EnumerateArray().All(i => i.ValueKind == JsonValueKind.Number && i.TryGetInt32(out _)) ? [.. e.EnumerateArray().Select(i => i.GetInt32())] : throw Wrong(key, "whole numbers", e);
    }

    /// <summary>A list of texts, or null when absent.</summary>
    /// <exception cref="FeatureFlowException">FF2062: something else.</exception>
    public IReadOnlyList<string>? Texts(string key) => Find(key) is { } e
        ? e.ValueKind == JsonValueKind.Array && e.EnumerateArray().All(i => i.ValueKind == JsonValueKind.String) ? [.. e.EnumerateArray().Select(i => i.GetString()!)] : throw Wrong(key, "a list of texts", e)
        : null;

    /// <summary>True when the key is there and not null.</summary>
    public bool Has(string key) => Find(key) is not null;

    /// <summary>A text, or null when absent.</summary>
    /// <exception cref="FeatureFlowException">FF2062: something else.</exception>
    public string? Text(string key) => Find(key) is { } e ? e.ValueKind == JsonValueKind.String ? e.GetString() : throw Wrong(key, "a text", e) : null;

    /// <summary>A whole number, or null when absent; 8.0 counts as 8.</summary>
    /// <exception cref="FeatureFlowException">FF2062: something else.</exception>
    public int? Int(string key)
    {
        if (Find(key) is not { } e) return null;
        if (e.ValueKind == JsonValueKind.Number && e.TryGetInt32(out var n)) return n;
        if (e.ValueKind == JsonValueKind.Number && e.TryGetDouble(out var d) && d == Math.Truncate(d) && Math.Abs(d) < int.MaxValue) return (int)d;
        throw Wrong(key, "a whole number", e);
    }

    /// <summary>A number, or null when absent.</summary>
    /// <exception cref="FeatureFlowException">FF2062: something else.</exception>
    public double? Number(string key) => Find(key) is { } e
        ? e.ValueKind == JsonValueKind.Number && e.TryGetDouble(out var n) && double.IsFinite(n) ? n : throw Wrong(key, "a number", e)
        : null;

    /// <summary>True or false, or null when absent.</summary>
    /// <exception cref="FeatureFlowException">FF2062: something else.</exception>
    public bool? Flag(string key) => Find(key) is { } e
        ? e.ValueKind is JsonValueKind.True or JsonValueKind.False ? e.GetBoolean() : throw Wrong(key, "true or false", e)
        : null;

    /// <summary>An object inside, or null when absent.</summary>
    /// <exception cref="FeatureFlowException">FF2062: something else.</exception>
    public JsonConfig? Object(string key) => Find(key) is { } e
        ? e.ValueKind == JsonValueKind.Object ? new JsonConfig(Path, e, _prefix + key + ".") : throw Wrong(key, "an object", e)
        : null;

    /// <summary>The objects of a list, empty when the key is absent.</summary>
    /// <exception cref="FeatureFlowException">FF2062: something else.</exception>
    public IReadOnlyList<JsonConfig> Objects(string key)
    {
        if (Find(key) is not { } list) return [];
        if (list.ValueKind != JsonValueKind.Array || list.EnumerateArray().Any(e => e.ValueKind != JsonValueKind.Object)) throw Wrong(key, "a list of objects", list);
        return [.. list.EnumerateArray().Select((e, i) => new JsonConfig(Path, e, $"{_prefix}{key}[{i}]."))];
    }

    /// <summary>The value under a key as it is (<see cref="JsonValueKind.Undefined"/> when absent or null).</summary>
    public JsonElement Value(string key) => Find(key) ?? default;

    /// <summary>How a key of this object is called in messages: the way to it from the root of the file.</summary>
    public string NameOf(string key) => _prefix + key;

    /// <summary>The kind of value under a key (<see cref="JsonValueKind.Undefined"/> when absent or null).</summary>
    public JsonValueKind Kind(string key) => Find(key)?.ValueKind ?? JsonValueKind.Undefined;

    /// <summary>The value of a key that must be there: <c>config.Need(config.Int("d_in"), "d_in")</c>.</summary>
    /// <exception cref="FeatureFlowException">FF2061: missing.</exception>
    public T Need<T>(T? value, string key)
        where T : struct => value ?? throw ModelErrors.NoKey(Path, _prefix + key);

    /// <summary>The text of a key that must be there.</summary>
    /// <exception cref="FeatureFlowException">FF2061: missing.</exception>
    public string Need(string? value, string key) => value ?? throw ModelErrors.NoKey(Path, _prefix + key);

    private JsonElement? Find(string key) => _root.TryGetProperty(key, out var e) && e.ValueKind != JsonValueKind.Null ? e : null;

    private Exception Wrong(string key, string wanted, JsonElement found)
    {
        var text = found.GetRawText();
        return ModelErrors.KeyType(Path, _prefix + key, wanted, text.Length > 40 ? text[..40] + "…" : text);
    }
}
