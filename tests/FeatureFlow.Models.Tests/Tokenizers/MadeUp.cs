using System.Text.Json.Nodes;
using FeatureFlow.Models.Tokenizers;
using FeatureFlow.Testing;

namespace FeatureFlow.Models.Tests.Tokenizers;

/// <summary>Small tokenizers of every family, made by hand so that a bare clone tests them all.</summary>
internal static class MadeUp
{
    public const string LlamaDecoder = """{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}""";
    private const string ByteLevel = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}""";

    /// <summary>GPT-2: 256 bytes, then the merges; end of text last.</summary>
    public static JsonObject Gpt2()
    {
        var model = ByteModel("t h", "Ġ th", "Ġth e", "h e", "l l", "Ġ a", "' s", "1 2", "12 3", "Ã ©", "Ġ Ġ", "th e");
        return new JsonObject
        {
            ["added_tokens"] = new JsonArray(Added(model["vocab"]!.AsObject().Count, "<|endoftext|>")),
            ["pre_tokenizer"] = JsonNode.Parse(ByteLevel),
            ["post_processor"] = JsonNode.Parse(ByteLevel),
            ["decoder"] = JsonNode.Parse(ByteLevel),
            ["model"] = model,
        };
    }

    /// <summary>GPT-NeoX: NFC, ids 0 and 1 special, runs of spaces as added tokens of the normalized text.</summary>
    public static JsonObject Neox()
    {
        var root = Gpt2();
        root["normalizer"] = new JsonObject { ["type"] = "NFC" };
        var vocabulary = root["model"]!["vocab"]!.AsObject();
        var shifted = new JsonObject([new("<|endoftext|>", 0), new("<|padding|>", 1), .. vocabulary.Select(p => KeyValuePair.Create<string, JsonNode?>(p.Key, (int)p.Value! + 2))]);
        root["model"]!["vocab"] = shifted;
        var tokens = new JsonArray(Added(0, "<|endoftext|>"), Added(1, "<|padding|>"));
        for (var spaces = 6; spaces >= 2; spaces--) tokens.Add(Added(shifted.Count + 6 - spaces, new string(' ', spaces), special: false, normalized: true));
        root["added_tokens"] = tokens;
        return root;
    }

    /// <summary>Llama 3: its own pattern, words taken whole, a template with BOS.</summary>
    public static JsonObject Llama3()
    {
        var root = Gpt2();
        root["model"]!["ignore_merges"] = true;
        var vocabulary = root["model"]!["vocab"]!.AsObject();
        vocabulary["Ġwhole"] = vocabulary.Count; // no merge leads here
        var bos = vocabulary.Count;
        root["added_tokens"] = new JsonArray(Added(bos, "<|begin_of_text|>"), Added(bos + 1, "<|end_of_text|>"), Added(bos + 2, "<|eot_id|>"));
        root["pre_tokenizer"] = new JsonObject
        {
            ["type"] = "Sequence",
            ["pretokenizers"] = new JsonArray(
                new JsonObject { ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = PatternScanner.Llama3Pattern }, ["behavior"] = "Isolated", ["invert"] = false },
                JsonNode.Parse("""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}""")),
        };
        root["post_processor"] = new JsonObject { ["type"] = "Sequence", ["processors"] = new JsonArray(JsonNode.Parse(ByteLevel), Template("<|begin_of_text|>", bos)) };
        return root;
    }

    /// <summary>Llama 2 as Hugging Face converts it: a sign before the text, byte fallback.</summary>
    public static JsonObject Llama2() => new()
    {
        ["added_tokens"] = new JsonArray(Added(0, "<unk>"), Added(1, "<s>"), Added(2, "</s>")),
        ["normalizer"] = JsonNode.Parse("""{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}"""),
        ["post_processor"] = Template("<s>", 1),
        ["decoder"] = JsonNode.Parse(LlamaDecoder),
        ["model"] = SignModel(["<unk>", "<s>", "</s>"]),
    };

    /// <summary>The same vocabulary with Metaspace instead of normalizers, as newer conversions have it.</summary>
    public static JsonObject Metaspace(string scheme = "first", bool split = false)
    {
        var root = Llama2();
        root["normalizer"] = null;
        var metaspace = new JsonObject { ["type"] = "Metaspace", ["replacement"] = "▁", ["prepend_scheme"] = scheme, ["split"] = split };
        root["pre_tokenizer"] = metaspace;
        return root;
    }

    /// <summary>Gemma: no sign before the text, user-defined tokens that are not special, a string decoder.</summary>
    public static JsonObject Gemma()
    {
        var model = SignModel(["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "\n\n", "\n", "▁▁", "▁▁▁", "<h1>"]);
        return new JsonObject
        {
            ["added_tokens"] = new JsonArray(Added(0, "<pad>"), Added(1, "<eos>"), Added(2, "<bos>"), Added(3, "<unk>"), Added(4, "<start_of_turn>"), Added(5, "\n\n", special: false), Added(6, "\n", special: false), Added(7, "▁▁", special: false), Added(8, "▁▁▁", special: false), Added(9, "<h1>", special: false)),
            ["normalizer"] = JsonNode.Parse("""{"type":"Replace","pattern":{"String":" "},"content":"▁"}"""),
            ["pre_tokenizer"] = JsonNode.Parse("""{"type":"Split","pattern":{"String":" "},"behavior":"MergedWithPrevious","invert":false}"""),
            ["post_processor"] = Template("<bos>", 2),
            ["decoder"] = JsonNode.Parse("""{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"}]}"""),
            ["model"] = model,
        };
    }

    public static JsonObject Added(int id, string content, bool special = true, bool normalized = false) => new()
    {
        ["id"] = id,
        ["content"] = content,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = normalized,
        ["special"] = special,
    };

    public static JsonObject Template(string bos, int id) => new()
    {
        ["type"] = "TemplateProcessing",
        ["single"] = new JsonArray(new JsonObject { ["SpecialToken"] = new JsonObject { ["id"] = bos, ["type_id"] = 0 } }, new JsonObject { ["Sequence"] = new JsonObject { ["id"] = "A", ["type_id"] = 0 } }),
        ["special_tokens"] = new JsonObject { [bos] = new JsonObject { ["id"] = bos, ["ids"] = new JsonArray(id), ["tokens"] = new JsonArray(bos) } },
    };

    public static Tokenizer Load(JsonObject root, string? config = null)
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File("tokenizer.json"), root.ToJsonString());
        if (config is not null) File.WriteAllText(folder.File("tokenizer_config.json"), config);
        return Tokenizer.Load(folder.Path);
    }

    /// <summary>All bytes, then one piece for every merge.</summary>
    private static JsonObject ByteModel(params string[] merges)
    {
        var vocabulary = new JsonObject();
        for (var b = 0; b < 256; b++) vocabulary[ByteMap.Character((byte)b).ToString()] = b;
        foreach (var merge in merges) vocabulary.TryAdd(merge.Replace(" ", "", StringComparison.Ordinal), vocabulary.Count);
        return new JsonObject
        {
            ["type"] = "BPE",
            ["dropout"] = null,
            ["unk_token"] = null,
            ["continuing_subword_prefix"] = "",
            ["vocab"] = vocabulary,
            ["merges"] = new JsonArray([.. merges.Select(m => (JsonNode)m!)]),
        };
    }

    /// <summary>Some named tokens, 256 byte tokens, letters, and a few words with the sign before them.</summary>
    private static JsonObject SignModel(string[] named)
    {
        var vocabulary = new JsonObject();
        foreach (var name in named) vocabulary[name] = vocabulary.Count;
        for (var b = 0; b < 256; b++) vocabulary[$"<0x{b:X2}>"] = vocabulary.Count;
        string[] merges = ["t h", "▁ th", "▁th e", "h e", "l l", "▁ a", "▁ ▁", "▁▁ ▁▁", "th e"];
        foreach (var c in "▁thelawordsHi,.!é0123<>/") vocabulary.TryAdd(c.ToString(), vocabulary.Count);
        foreach (var merge in merges) vocabulary.TryAdd(merge.Replace(" ", "", StringComparison.Ordinal), vocabulary.Count);
        return new JsonObject
        {
            ["type"] = "BPE",
            ["unk_token"] = "<unk>",
            ["fuse_unk"] = true,
            ["byte_fallback"] = true,
            ["vocab"] = vocabulary,
            ["merges"] = new JsonArray([.. merges.Select(m => (JsonNode)new JsonArray(m.Split(' ')[0], m.Split(' ')[1]))]),
        };
    }
}
