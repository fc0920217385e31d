using System.Text.Json;

namespace FeatureFlow.Models.Tokenizers;

/// <summary>What a tokenizer.json says, checked and ready for use.</summary>
/// <param name="Pieces">Text of every id; null where an id has none.</param>
/// <param name="Cut">First step from normalized text to ids.</param>
/// <param name="Decoder">Makes the chain from tokens to text.</param>
/// <param name="Before">Ids that the template puts before a text.</param>
/// <param name="After">Ids that it puts after.</param>
internal sealed record TokenizerParts(
    string?[] Pieces,
    IReadOnlyDictionary<string, int> Vocabulary,
    IReadOnlyList<AddedToken> Added,
    INormalizer? Normalizer,
    PieceStep Cut,
    Func<DecodeMode, (DecodeStep First, TextSink Sink)> Decoder,
    bool ByteLevel,
    IReadOnlyList<int> Before,
    IReadOnlyList<int> After);

/// <summary>Reads tokenizer.json: the parts that are known, and a refusal by name for every other.</summary>
internal sealed partial class TokenizerFile
{
    private const int MostTokens = 1 << 24;
    private readonly JsonConfig _root;
    private readonly Dictionary<string, int> _vocabulary = new(StringComparer.Ordinal);

    private TokenizerFile(JsonConfig root) => _root = root;

    /// <summary>Reads a file.</summary>
    public static TokenizerParts Read(string path)
    {
        var root = JsonConfig.Open(path);
        try
        {
            return new TokenizerFile(root).Read();
        }
        catch (InvalidOperationException e)
        {
            throw ModelErrors.TokenizerContent(root.Path, $"a text in it is no Unicode ({e.Message})"); // "\ud800" alone
        }
    }

    private TokenizerParts Read()
    {
        var model = _root.Object("model") ?? throw ModelErrors.NoKey(_root.Path, "model");
        RequireBpe(model);
        ReadVocabulary(model);
        var added = ReadAdded();
        var (steps, byteLevel) = PreTokenizer(_root.Object("pre_tokenizer"));
        PieceStep cut = new BpeModel(Bpe(model, byteLevel));
        foreach (var step in steps.Reverse()) cut = step(cut);
        var (before, after) = Template(_root.Object("post_processor"));
        return new TokenizerParts(
            Pieces(added),
            _vocabulary,
            added,
            _root.Object("normalizer") is { } n ? Normalizer(n) : null,
            cut,
            Decoder(_root.Object("decoder")),
            byteLevel,
            before,
            after);
    }

    private Exception Refuse(JsonConfig at, string key, string what) => ModelErrors.TokenizerPart(_root.Path, at.NameOf(key), what);

    private Exception Bad(string what) => ModelErrors.TokenizerContent(_root.Path, what);

    // old files of GPT-2 name no type
    private void RequireBpe(JsonConfig model)
    {
        var type = model.Text("type") ?? (model.Has("merges") ? "BPE" : model.Kind("vocab") == JsonValueKind.Array ? "Unigram" : "WordPiece");
        if (type != "BPE") throw Refuse(model, "type", $"'{type}'");
        if (model.Number("dropout") is { } dropout && dropout != 0) throw Refuse(model, "dropout", $"{dropout}: random merges");
        foreach (var key in new[] { "continuing_subword_prefix", "end_of_word_suffix" })
        {
            if (model.Text(key) is { Length: > 0 } mark) throw Refuse(model, key, $"'{mark}'");
        }
    }

    private void ReadVocabulary(JsonConfig model)
    {
        if (model.Kind("vocab") != JsonValueKind.Object) throw Bad("model.vocab is no object of pieces and ids.");
        var taken = new HashSet<int>();
        foreach (var entry in model.Value("vocab").EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out var id) || id is < 0 or >= MostTokens) throw Bad($"the id of '{entry.Name}' is {entry.Value.GetRawText()}.");
            if (!taken.Add(id)) throw Bad($"two pieces have the id {id}; one is '{entry.Name}'.");
            _vocabulary.Add(entry.Name, id);
        }
    }

    private BpeParts Bpe(JsonConfig model, bool byteLevel)
    {
        if (model.Kind("merges") != JsonValueKind.Array) throw Bad("model.merges is no list.");
        var merges = new List<(int, int, int)>();
        foreach (var entry in model.Value("merges").EnumerateArray())
        {
            var (left, right) = entry.ValueKind switch
            {
                JsonValueKind.String when entry.GetString()!.Split(' ') is [var a, var b] => (a, b),
                JsonValueKind.Array when entry.GetArrayLength() == 2 && entry[0].ValueKind == JsonValueKind.String && entry[1].ValueKind == JsonValueKind.String => (entry[0].GetString()!, entry[1].GetString()!),
                _ => throw Bad($"merge {merges.Count} is {entry.GetRawText()}, not a pair."),
            };
            merges.Add((Id(left), Id(right), Id(left + right)));

            int Id(string piece) => _vocabulary.TryGetValue(piece, out var id) ? id : throw Bad($"merge {merges.Count} ('{left}' and '{right}') needs '{piece}', which the vocabulary does not have.");
        }

        int? unknown = model.Text("unk_token") is { } name ? _vocabulary.TryGetValue(name, out var id) ? id : throw Bad($"model.unk_token '{name}' is not in the vocabulary.") : null;
        return new BpeParts(_vocabulary, merges, unknown, model.Flag("fuse_unk") ?? false, model.Flag("byte_fallback") ?? false, model.Flag("ignore_merges") ?? false, byteLevel);
    }

    private List<AddedToken> ReadAdded()
    {
        var tokens = new List<AddedToken>();
        foreach (var token in _root.Objects("added_tokens"))
        {
            var content = token.Need(token.Text("content"), "content");
            var id = _vocabulary.TryGetValue(content, out var known) ? known : token.Need(token.Int("id"), "id");
            if (id is < 0 or >= MostTokens) throw Bad($"the id of the added token '{content}' is {id}.");
            tokens.Add(new AddedToken(id, content, token.Flag("lstrip") ?? false, token.Flag("rstrip") ?? false, token.Flag("single_word") ?? false, token.Flag("normalized") ?? true, token.Flag("special") ?? false));
        }

        return tokens;
    }

    private string?[] Pieces(List<AddedToken> added)
    {
        var pieces = new string?[_vocabulary.Values.Concat(added.Select(t => t.Id)).DefaultIfEmpty(-1).Max() + 1];
        if (pieces.Length == 0) throw Bad("the vocabulary is empty.");
        foreach (var (piece, id) in _vocabulary) pieces[id] = piece;
        foreach (var token in added) pieces[token.Id] = token.Content;
        return pieces;
    }
}
