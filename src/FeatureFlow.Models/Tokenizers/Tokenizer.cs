using System.Text;

namespace FeatureFlow.Models.Tokenizers;

/// <summary>
/// Text to token ids and back, as a model's tokenizer.json says: byte-level BPE (GPT-2, GPT-NeoX, Llama 3) and SentencePiece-style BPE with byte
/// fallback (Llama 2, Gemma). Safe from several threads.
/// </summary>
public sealed class Tokenizer
{
    private static readonly string[] OtherForms = ["tokenizer.model", "vocab.json", "spiece.model"];
    private readonly TokenizerParts _parts;
    private readonly AddedTokenFinder _beforeNormalizing;
    private readonly AddedTokenFinder _afterNormalizing;
    private readonly HashSet<int> _special;
    private readonly HashSet<int> _added;
    private readonly int[] _before;
    private readonly int[] _after;

    private Tokenizer(TokenizerParts parts, SpecialTokens names)
    {
        _parts = parts;
        var added = parts.Added.OrderByDescending(t => t.Special).ToList(); // of two with one text the special one is meant
        _beforeNormalizing = new AddedTokenFinder(added.Where(t => !t.Normalized).Select(t => (t.Content, t)));
        _afterNormalizing = new AddedTokenFinder(added.Where(t => t.Normalized).Select(t => (parts.Normalizer?.Apply(t.Content) ?? t.Content, t)));
        _special = [.. parts.Added.Where(t => t.Special).Select(t => t.Id)];
        _added = [.. parts.Added.Select(t => t.Id)];
        BosId = names.Bos;
        EosId = names.Eos;
        _before = [.. Chosen(parts.Before, BosId, names.AddBos, atStart: true)];
        _after = [.. Chosen(parts.After, EosId, names.AddEos, atStart: false)];
    }

    /// <summary>
    /// Reads a tokenizer: a tokenizer.json, the folder of a checkpoint (tokenizer_config.json there names the tokens of begin and end), or a hub id
    /// that the local cache has.
    /// </summary>
    /// <exception cref="FeatureFlowException">FF2101: none there; FF2102: a kind that is not supported, by name; FF2103: damaged.</exception>
    public static Tokenizer Load(string folderOrFile)
    {
        var file = Find(folderOrFile);
        var parts = TokenizerFile.Read(file);
        return new Tokenizer(parts, SpecialTokens.Read(file, parts));
    }

    /// <summary>One more than the highest id. A model's embedding may be longer, padded to a round number.</summary>
    public int VocabularySize => _parts.Pieces.Length;

    /// <summary>The token that begins a text, or null. Id 0 is a token like any other.</summary>
    public int? BosId { get; }

    /// <summary>The token that ends a text, or null.</summary>
    public int? EosId { get; }

    /// <summary>Whether <see cref="Encode"/> puts the BOS token before a text by itself.</summary>
    public bool AddsBos => BosId is { } bos && _before.Contains(bos);

    /// <summary>The ids of a text; <paramref name="special"/> puts what the template says around it, but never a second BOS. Surrogates that stand alone count as U+FFFD.</summary>
    public int[] Encode(string text, bool special = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        text = WellFormed(text);
        var ids = new List<int>(text.Length / 3 + 8);
        if (special) ids.AddRange(_before);
        foreach (var (token, start, end) in _beforeNormalizing.Cut(text))
        {
            if (token is not null) ids.Add(token.Id);
            else EncodeStretch(text[start..end], start == 0, ids);
        }

        if (special && _before.Length > 0 && ids.Count > _before.Length && _before[^1] == BosId && ids[_before.Length] == BosId) ids.RemoveAt(_before.Length);
        if (special) ids.AddRange(_after);
        return [.. ids];
    }

    /// <summary>The text of ids; ids that no piece belongs to (a padded embedding has some) give nothing.</summary>
    /// <param name="skipSpecial">Leaves special tokens out.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial = false)
    {
        var (first, sink) = _parts.Decoder(default);
        foreach (var id in ids) Push(first, id, skipSpecial);
        first.Finish();
        return sink.Text.ToString();
    }

    /// <summary>Ids without what <see cref="Encode"/> put around the text (BOS, mostly), where it is there: decoded, they are the text again.</summary>
    public ReadOnlySpan<int> WithoutTemplate(ReadOnlySpan<int> ids)
    {
        if (ids.StartsWith(_before)) ids = ids[_before.Length..];
        return ids.EndsWith(_after) ? ids[..^_after.Length] : ids;
    }

    /// <summary>A token as shown to people: its text, with its space, and bytes that are no character as <c>&lt;0xE2&gt;</c>.</summary>
    /// <exception cref="FeatureFlowException">FF2106: no such token.</exception>
    public string Piece(int id)
    {
        if ((uint)id >= (uint)VocabularySize) throw ModelErrors.NoSuchToken(id, VocabularySize);
        if (_parts.Pieces[id] is not { } piece) return $"<{id}>";
        if (_special.Contains(id)) return piece;
        if (_parts.ByteLevel) return _added.Contains(id) ? piece : Readable(ByteMap.Read(piece));
        if (ByteFallbackDecode.Byte(piece) is { } value) return value < 0x80 ? ((char)value).ToString() : piece;
        var (first, sink) = _parts.Decoder(new DecodeMode(Streaming: false, Continues: true));
        first.Take(piece, literal: false);
        first.Finish();
        return sink.Text.ToString();
    }

    /// <summary>The id of a piece as the vocabulary writes it (<c>Ġthe</c>, <c>▁the</c>, <c>&lt;bos&gt;</c>), or null.</summary>
    public int? IdOf(string piece) => SpecialTokens.Find(_parts, piece);

    /// <summary>True for tokens that mark something (BOS, EOS, turns) and are no text.</summary>
    public bool IsSpecial(int id) => _special.Contains(id);

    internal (DecodeStep First, TextSink Sink) Decoder(DecodeMode mode) => _parts.Decoder(mode);

    internal void Push(DecodeStep first, int id, bool skipSpecial)
    {
        if ((uint)id >= (uint)VocabularySize || _parts.Pieces[id] is not { } piece || (skipSpecial && _special.Contains(id))) return;
        first.Take(piece, _added.Contains(id));
    }

    private void EncodeStretch(string text, bool first, List<int> ids)
    {
        if (_parts.Normalizer is { } normalizer) text = normalizer.Apply(text);
        foreach (var (token, start, end) in _afterNormalizing.Cut(text))
        {
            if (token is not null) ids.Add(token.Id);
            else _parts.Cut.Take(text.AsSpan(start, end - start), first && start == 0, ids);
        }
    }

    private static IEnumerable<int> Chosen(IReadOnlyList<int> template, int? id, bool? wanted, bool atStart)
    {
        if (id is not { } token || wanted is not { } asked || template.Contains(token) == asked) return template;
        if (!asked) return template.Where(t => t != token);
        return atStart ? [token, .. template] : [.. template, token];
    }

    private static string WellFormed(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF')) return text;
        var whole = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes()) whole.Append(rune.ToString()); // reads a lone surrogate as U+FFFD
        return whole.ToString();
    }

    private static string Readable(byte[] bytes)
    {
        var text = new StringBuilder();
        for (var at = 0; at < bytes.Length;)
        {
            if (Rune.DecodeFromUtf8(bytes.AsSpan(at), out var rune, out var length) == System.Buffers.OperationStatus.Done)
            {
                text.Append(rune.ToString());
                at += length;
            }
            else
            {
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $"<0x{bytes[at++]:X2}>");
            }
        }

        return text.ToString();
    }

    private static string Find(string folderOrFile)
    {
        var full = Path.GetFullPath(folderOrFile);
        if (File.Exists(full)) return full;
        if (!Directory.Exists(full))
        {
            return HubCache.IsRepositoryId(folderOrFile) ? HubCache.Default.Find(folderOrFile, "tokenizer.json")[0] : throw ModelErrors.Missing(full);
        }

        var file = Path.Combine(full, "tokenizer.json");
        if (File.Exists(file)) return file;
        var other = OtherForms.FirstOrDefault(f => File.Exists(Path.Combine(full, f)));
        throw ModelErrors.NoTokenizer(full, other is null
            ? "give the folder of a checkpoint that has one, or the file itself."
            : $"{other} alone is not read. Write the other form once in Python: transformers.AutoTokenizer.from_pretrained('{Path.GetFileName(full)}').save_pretrained('{Path.GetFileName(full)}').");
    }
}
