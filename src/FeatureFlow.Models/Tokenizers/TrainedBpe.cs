using System.Collections.Concurrent;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FeatureFlow.Models.Tokenizers;

/// <summary>A byte-level vocabulary that <see cref="BpeTrainer"/> learned: writes tokenizer.json and encodes training text.</summary>
public sealed class TrainedBpe
{
    /// <summary>The piece that begins every text.</summary>
    public const string BosPiece = "<s>";

    /// <summary>The piece that ends every text.</summary>
    public const string EosPiece = "</s>";

    private const int FirstByte = 2;

    private static readonly char[] ByteLetters = [.. Enumerable.Range(0, 256).Select(b => ByteMap.Character((byte)b))];

    private readonly IReadOnlyList<string> _pieces;
    private readonly IReadOnlyList<(int Left, int Right)> _merges;
    private readonly Dictionary<(int Left, int Right), int> _rank;
    private readonly ConcurrentDictionary<string, int[]> _known = new(StringComparer.Ordinal);

    internal TrainedBpe(IReadOnlyList<string> pieces, IReadOnlyList<(int Left, int Right)> merges)
    {
        _pieces = pieces;
        _merges = merges;
        _rank = merges.Select((m, i) => (m, i)).ToDictionary(m => m.m, m => m.i);
    }

    /// <summary>Ids that there are.</summary>
    public int VocabularySize => _pieces.Count;

    /// <summary>Id of <see cref="BosPiece"/>.</summary>
    public static int Bos => 0;

    /// <summary>Id of <see cref="EosPiece"/>.</summary>
    public static int Eos => 1;

    /// <summary>Ids of a text, without begin and end.</summary>
    public int[] Encode(string text)
    {
        var ids = new List<int>();
        foreach (var match in BpeTrainer.Words().EnumerateMatches(text)) ids.AddRange(_known.GetOrAdd(text.Substring(match.Index, match.Length), Word));
        return [.. ids];
    }

    /// <summary>Writes tokenizer.json and tokenizer_config.json in the form of the Hugging Face library.</summary>
    /// <exception cref="FeatureFlowException">FF2030: cannot be written.</exception>
    public void Save(string folder, int modelMaxLength)
    {
        AtomicFile.WriteText(Path.Combine(folder, "tokenizer.json"), Print(ToJson()));
        AtomicFile.WriteText(Path.Combine(folder, "tokenizer_config.json"), Print(new JsonObject
        {
            ["tokenizer_class"] = "PreTrainedTokenizerFast",
            ["add_bos_token"] = true,
            ["add_eos_token"] = false,
            ["bos_token"] = BosPiece,
            ["eos_token"] = EosPiece,
            ["clean_up_tokenization_spaces"] = false,
            ["model_max_length"] = modelMaxLength,
        }));
    }

    /// <summary>The bytes of an id; none for begin and end.</summary>
    public byte[] Bytes(int id) => id < FirstByte ? [] : ByteMap.Read(_pieces[id]);

    internal static List<string> FirstPieces() => [BosPiece, EosPiece, .. ByteLetters.Select(c => c.ToString())];

    internal static List<int> Symbols(string word) => [.. Encoding.UTF8.GetBytes(word).Select(b => b + FirstByte)];

    internal static void Merge(List<int> symbols, (int Left, int Right) pair, int id)
    {
        var kept = 0;
        for (var i = 0; i < symbols.Count; i++, kept++)
        {
            if (i + 1 < symbols.Count && (symbols[i], symbols[i + 1]) == pair)
            {
                symbols[kept] = id;
                i++;
            }
            else
            {
                symbols[kept] = symbols[i];
            }
        }

        symbols.RemoveRange(kept, symbols.Count - kept);
    }

    private static string Print(JsonObject json) => json.ToJsonString(new JsonSerializerOptions { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) + "\n";

    private int[] Word(string word)
    {
        var symbols = Symbols(word);
        while (true)
        {
            var best = int.MaxValue;
            for (var i = 1; i < symbols.Count; i++) best = Math.Min(best, _rank.GetValueOrDefault((symbols[i - 1], symbols[i]), int.MaxValue));
            if (best == int.MaxValue) return [.. symbols];
            Merge(symbols, _merges[best], FirstByte + ByteLetters.Length + best);
        }
    }

    private JsonObject ToJson()
    {
        var vocabulary = new JsonObject();
        for (var i = 0; i < _pieces.Count; i++) vocabulary[_pieces[i]] = i;
        return new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray(Special(Bos), Special(Eos)),
            ["normalizer"] = null,
            ["pre_tokenizer"] = ByteLevel(),
            ["post_processor"] = new JsonObject
            {
                ["type"] = "TemplateProcessing",
                ["single"] = new JsonArray(Token(0), Sequence("A", 0)),
                ["pair"] = new JsonArray(Token(0), Sequence("A", 0), Token(1), Sequence("B", 1)),
                ["special_tokens"] = new JsonObject { [BosPiece] = new JsonObject { ["id"] = BosPiece, ["ids"] = new JsonArray(Bos), ["tokens"] = new JsonArray(BosPiece) } },
            },
            ["decoder"] = ByteLevel(),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = null,
                ["continuing_subword_prefix"] = null,
                ["end_of_word_suffix"] = null,
                ["fuse_unk"] = false,
                ["byte_fallback"] = false,
                ["ignore_merges"] = false,
                ["vocab"] = vocabulary,
                ["merges"] = new JsonArray([.. _merges.Select(m => (JsonNode)$"{_pieces[m.Left]} {_pieces[m.Right]}")]),
            },
        };

        JsonObject Special(int id) => new()
        {
            ["id"] = id, ["content"] = _pieces[id], ["single_word"] = false, ["lstrip"] = false, ["rstrip"] = false, ["normalized"] = false, ["special"] = true,
        };
        static JsonObject ByteLevel() => new() { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = true };
        static JsonObject Token(int type) => new() { ["SpecialToken"] = new JsonObject { ["id"] = BosPiece, ["type_id"] = type } };
        static JsonObject Sequence(string id, int type) => new() { ["Sequence"] = new JsonObject { ["id"] = id, ["type_id"] = type } };
    }
}
