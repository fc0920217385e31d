using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;

namespace FeatureFlow.Models.Tokenizers;

/// <summary>What a BPE vocabulary says of itself.</summary>
/// <param name="Vocabulary">Piece to id.</param>
/// <param name="Merges">In order of rank.</param>
/// <param name="UnknownId">The token of symbols that are not in the vocabulary, or null: they are left out.</param>
/// <param name="FuseUnknown">Unknown symbols in a row become one token.</param>
/// <param name="ByteFallback">An unknown symbol becomes the <c>&lt;0xE2&gt;</c> tokens of its bytes where the vocabulary has all of them.</param>
/// <param name="IgnoreMerges">A word that is in the vocabulary is taken whole.</param>
/// <param name="ByteLevel">The first symbols are bytes, as <see cref="ByteMap"/> writes them; else characters.</param>
internal sealed record BpeParts(
    IReadOnlyDictionary<string, int> Vocabulary,
    IReadOnlyList<(int Left, int Right, int Made)> Merges,
    int? UnknownId,
    bool FuseUnknown,
    bool ByteFallback,
    bool IgnoreMerges,
    bool ByteLevel);

/// <summary>Words to tokens by byte pair encoding, with a memory of short words. Safe from several threads.</summary>
internal sealed class BpeModel : PieceStep
{
    private const char Sign = '▁';
    private const int CachedLength = 48;
    private const int CachedWords = 1 << 17;
    private readonly BpeParts _parts;
    private readonly MergeTable _merges;
    private readonly int[] _symbols; // of a byte, or of a character of the basic plane; -1 when there is none
    private readonly int[]? _byteTokens;
    private readonly bool _cutsAtSign;
    private readonly ConcurrentDictionary<string, int[]> _cache = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private int _cached;

    public BpeModel(BpeParts parts)
    {
        _parts = parts;
        _merges = new MergeTable(parts.Merges);
        _symbols = new int[parts.ByteLevel ? 256 : 0x10000];
        for (var c = 0; c < _symbols.Length; c++)
        {
            _symbols[c] = parts.Vocabulary.GetValueOrDefault((parts.ByteLevel ? ByteMap.Character((byte)c) : (char)c).ToString(), -1);
        }

        if (parts.ByteFallback) _byteTokens = [.. Enumerable.Range(0, 256).Select(b => parts.Vocabulary.GetValueOrDefault($"<0x{b:X2}>", -1))];
        _cutsAtSign = !parts.ByteLevel && !parts.IgnoreMerges && _symbols[Sign] >= 0 && SignsOnlyLead(parts);
        _lookup = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public override void Take(ReadOnlySpan<char> piece, bool first, List<int> ids)
    {
        if (!_cutsAtSign)
        {
            Word(piece, ids);
            return;
        }

        // no token spans the place before a sign, so that each word can be merged, and remembered, by itself
        var start = 0;
        for (var at = 1; at < piece.Length; at++)
        {
            if (piece[at] != Sign || piece[at - 1] == Sign) continue;
            Word(piece[start..at], ids);
            start = at;
        }

        Word(piece[start..], ids);
    }

    private void Word(ReadOnlySpan<char> word, List<int> ids)
    {
        if (word.Length > CachedLength)
        {
            CollectionExtensions.AddRange(ids, Encode(word).AsSpan());
            return;
        }

        if (!_lookup.TryGetValue(word, out var known))
        {
            known = Encode(word);
            if (Volatile.Read(ref _cached) < CachedWords && _cache.TryAdd(word.ToString(), known)) Interlocked.Increment(ref _cached);
        }

        CollectionExtensions.AddRange(ids, known.AsSpan());
    }

    private int[] Encode(ReadOnlySpan<char> word)
    {
        var symbols = new List<int>(word.Length + 8);
        if (_parts.ByteLevel)
        {
            var bytes = new byte[Encoding.UTF8.GetByteCount(word)];
            Encoding.UTF8.GetBytes(word, bytes);
            if (_parts.IgnoreMerges && _parts.Vocabulary.TryGetValue(ByteMap.Write(bytes), out var whole)) return [whole];
            ByteSymbols(bytes, symbols);
        }
        else
        {
            if (_parts.IgnoreMerges && _parts.Vocabulary.TryGetValue(word.ToString(), out var whole)) return [whole];
            CharacterSymbols(word, symbols);
        }

        var span = CollectionsMarshal.AsSpan(symbols);
        return span[..BpeMerger.Merge(span, _merges)].ToArray();
    }

    private void ByteSymbols(ReadOnlySpan<byte> bytes, List<int> symbols)
    {
        var unknown = false;
        foreach (var value in bytes) Add(_symbols[value], symbols, ref unknown);
        Flush(symbols, ref unknown);
    }

    private void CharacterSymbols(ReadOnlySpan<char> word, List<int> symbols)
    {
        var unknown = false;
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var rune in word.EnumerateRunes())
        {
            var id = rune.IsBmp ? _symbols[rune.Value] : _parts.Vocabulary.GetValueOrDefault(rune.ToString(), -1);
            if (id < 0 && _byteTokens is { } tokens)
            {
                var bytes = utf8[..rune.EncodeToUtf8(utf8)];
                var known = true;
                foreach (var value in bytes) known &= tokens[value] >= 0;
                if (known)
                {
                    foreach (var value in bytes) symbols.Add(tokens[value]); // an unknown symbol that waits keeps waiting, as in the reference
                    continue;
                }
            }

            Add(id, symbols, ref unknown);
        }

        Flush(symbols, ref unknown);
    }

    // an unknown symbol waits until it is clear whether more follow
    private void Add(int id, List<int> symbols, ref bool unknown)
    {
        if (id >= 0)
        {
            Flush(symbols, ref unknown);
            symbols.Add(id);
        }
        else if (_parts.UnknownId is not null)
        {
            if (!_parts.FuseUnknown) Flush(symbols, ref unknown);
            unknown = true;
        }
    }

    private void Flush(List<int> symbols, ref bool unknown)
    {
        if (unknown) symbols.Add(_parts.UnknownId!.Value);
        unknown = false;
    }

    private static bool SignsOnlyLead(BpeParts parts)
    {
        var made = parts.Merges.Select(m => m.Made).ToHashSet();
        foreach (var (piece, id) in parts.Vocabulary)
        {
            if (!made.Contains(id)) continue;
            for (var i = 1; i < piece.Length; i++)
            {
                if (piece[i] == Sign && piece[i - 1] != Sign) return false;
            }
        }

        return true;
    }
}
