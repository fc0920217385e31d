using System.Text;
using System.Text.Json.Nodes;

namespace FeatureFlow.Models.Tests.Tokenizers;

/// <summary>
/// Reads the vocabulary of a GGUF file and writes it as the tokenizer.json that Hugging Face's converter makes of a Llama 2 vocabulary: merges from
/// the scores, the normalizer that puts the sign before the text.
/// </summary>
internal sealed class GgufVocabulary
{
    private readonly Dictionary<string, object> _values = new(StringComparer.Ordinal);

    private GgufVocabulary(BinaryReader reader)
    {
        Assert.Equal("GGUF", Encoding.ASCII.GetString(reader.ReadBytes(4)));
        reader.ReadUInt32();
        reader.ReadUInt64();
        var count = reader.ReadUInt64();
        for (var i = 0ul; i < count; i++) _values[Text(reader)] = Value(reader, reader.ReadUInt32());
    }

    public string[] Tokens => [.. ((object[])_values["tokenizer.ggml.tokens"]).Cast<string>()];

    public float[] Scores => [.. ((object[])_values["tokenizer.ggml.scores"]).Cast<float>()];

    /// <summary>1 text, 2 unknown, 3 control, 4 user-defined, 6 byte.</summary>
    public int[] Types => [.. ((object[])_values["tokenizer.ggml.token_type"]).Cast<int>()];

    public static GgufVocabulary Open(string path)
    {
        using var reader = new BinaryReader(File.OpenRead(path));
        return new GgufVocabulary(reader);
    }

    public string ToTokenizerJson()
    {
        var (tokens, scores, types) = (Tokens, Scores, Types);
        var ids = tokens.Select((t, i) => (t, i)).ToDictionary(p => p.t, p => p.i, StringComparer.Ordinal);
        var merges = new List<(string Left, string Right, float Score)>();
        foreach (var (token, id) in ids)
        {
            var splits = new List<(int Left, int Right)>();
            for (var cut = 1; cut < token.Length; cut++)
            {
                if (ids.TryGetValue(token[..cut], out var left) && ids.TryGetValue(token[cut..], out var right)) splits.Add((left, right));
            }

            merges.AddRange(splits.Order().Select(s => (tokens[s.Left], tokens[s.Right], scores[id])));
        }

        var ranked = merges.OrderByDescending(m => m.Score).ThenByDescending(m => m.Left.EnumerateRunes().Count()).ThenByDescending(m => m.Right.EnumerateRunes().Count());
        return new JsonObject
        {
            ["added_tokens"] = new JsonArray([.. Enumerable.Range(0, tokens.Length).Where(i => types[i] is 2 or 3).Select(i => MadeUp.Added(i, tokens[i]))]),
            ["normalizer"] = JsonNode.Parse("""{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}"""),
            ["post_processor"] = MadeUp.Template("<s>", 1),
            ["decoder"] = JsonNode.Parse(MadeUp.LlamaDecoder),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["unk_token"] = "<unk>",
                ["fuse_unk"] = true,
                ["byte_fallback"] = true,
                ["vocab"] = new JsonObject(tokens.Select((t, i) => KeyValuePair.Create<string, JsonNode?>(t, i))),
                ["merges"] = new JsonArray([.. ranked.Select(m => (JsonNode)new JsonArray(m.Left, m.Right))]),
            },
        }.ToJsonString();
    }

    private static string Text(BinaryReader reader) => Encoding.UTF8.GetString(reader.ReadBytes(checked((int)reader.ReadUInt64())));

    private static object Value(BinaryReader reader, uint type) => type switch
    {
        0 => reader.ReadByte(),
        1 => reader.ReadSByte(),
        2 => reader.ReadUInt16(),
        3 => reader.ReadInt16(),
        4 => reader.ReadUInt32(),
        5 => reader.ReadInt32(),
        6 => reader.ReadSingle(),
        7 => reader.ReadByte() != 0,
        8 => Text(reader),
        9 => Many(reader),
        10 => reader.ReadUInt64(),
        11 => reader.ReadInt64(),
        12 => reader.ReadDouble(),
        _ => throw new InvalidDataException($"GGUF value type {type}"),
    };

    private static object[] Many(BinaryReader reader)
    {
        var type = reader.ReadUInt32();
        var values = new object[reader.ReadUInt64()];
        for (var i = 0; i < values.Length; i++) values[i] = Value(reader, type);
        return values;
    }
}
