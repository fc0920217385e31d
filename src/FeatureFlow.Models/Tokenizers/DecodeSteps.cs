using System.Globalization;
using System.Text;

namespace FeatureFlow.Models.Tokenizers;

/// <summary>
/// One step on the way from tokens to text. Steps keep what they cannot yet write, so a chain serves one text: token by token as it is generated, or all
/// at once.
/// </summary>
internal abstract class DecodeStep
{
    /// <summary>Takes the next token.</summary>
    /// <param name="literal">The token is an added one: its text stands for itself, whatever the vocabulary's alphabet.</param>
    public abstract void Take(string piece, bool literal);

    /// <summary>Writes what was kept.</summary>
    public abstract void Finish();
}

/// <summary>How a chain of steps is used.</summary>
/// <param name="Streaming">Characters are written as soon as they are whole, even where later tokens may show the bytes around them to be damaged.</param>
/// <param name="Continues">Other text stands before this one: nothing is taken off its start.</param>
internal readonly record struct DecodeMode(bool Streaming, bool Continues);

/// <summary>The end of every chain: the text so far.</summary>
internal sealed class TextSink(string between) : DecodeStep
{
    private bool _any;

    public StringBuilder Text { get; } = new();

    public override void Take(string piece, bool literal)
    {
        if (_any) Text.Append(between);
        _any = true;
        Text.Append(piece);
    }

    public override void Finish()
    {
    }
}

/// <summary>Bytes written in the alphabet of <see cref="ByteMap"/> become UTF-8; what is no UTF-8 becomes U+FFFD.</summary>
internal sealed class ByteLevelDecode(DecodeStep next) : DecodeStep
{
    private readonly Decoder _utf8 = Encoding.UTF8.GetDecoder();

    public override void Take(string piece, bool literal) => Write(literal ? Encoding.UTF8.GetBytes(piece) : ByteMap.Read(piece), flush: false);

    public override void Finish()
    {
        Write([], flush: true);
        next.Finish();
    }

    private void Write(byte[] bytes, bool flush)
    {
        var characters = new char[_utf8.GetCharCount(bytes, flush)];
        var count = _utf8.GetChars(bytes, characters, flush);
        if (count > 0) next.Take(new string(characters, 0, count), literal: false);
    }
}

/// <summary>A row of <c>&lt;0xE2&gt;</c> tokens becomes the text of their bytes, or one U+FFFD each where they are no UTF-8.</summary>
internal sealed class ByteFallbackDecode(bool streaming, DecodeStep next) : DecodeStep
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);
    private readonly List<byte> _kept = [];

    public override void Take(string piece, bool literal)
    {
        if (Byte(piece) is { } value)
        {
            _kept.Add(value);
            if (streaming && System.Text.Unicode.Utf8.IsValid(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_kept))) Flush();
        }
        else
        {
            Flush();
            next.Take(piece, literal);
        }
    }

    public override void Finish()
    {
        Flush();
        next.Finish();
    }

    /// <summary>The byte of a token such as <c>&lt;0xE2&gt;</c>, or null.</summary>
    public static byte? Byte(string piece) =>
        piece.Length == 6 && piece.StartsWith("<0x", StringComparison.Ordinal) && piece[5] == '>' && byte.TryParse(piece.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) ? value : null;

    private void Flush()
    {
        if (_kept.Count == 0) return;
        byte[] bytes = [.. _kept];
        _kept.Clear();
        next.Take(System.Text.Unicode.Utf8.IsValid(bytes) ? Strict.GetString(bytes) : new string('\uFFFD', bytes.Length), literal: false);
    }
}

/// <summary>Every occurrence of a text becomes another, token by token.</summary>
internal sealed class ReplaceDecode(string what, string with, DecodeStep next) : DecodeStep
{
    public override void Take(string piece, bool literal) => next.Take(piece.Replace(what, with, StringComparison.Ordinal), literal);

    public override void Finish() => next.Finish();
}

/// <summary>Takes up to some number of one character off the start and the end of every token, or off the start of the whole text.</summary>
internal sealed class StripDecode(char what, int start, int stop, bool whole, DecodeStep next) : DecodeStep
{
    private int _taken; // from the start of the whole text

    public override void Take(string piece, bool literal)
    {
        var most = whole ? start - _taken : start;
        var first = 0;
        while (first < piece.Length && first < most && piece[first] == what) first++;
        _taken = first < piece.Length ? start : _taken + first;
        var last = piece.Length;
        while (!whole && last > first && piece.Length - last < stop && piece[last - 1] == what) last--;
        next.Take(piece[first..last], literal);
    }

    public override void Finish() => next.Finish();
}

/// <summary>The sign of Metaspace becomes a space, and nothing in the first token when the pre-tokenizer puts one there.</summary>
internal sealed class MetaspaceDecode(char sign, bool prepended, bool continues, DecodeStep next) : DecodeStep
{
    private bool _first = !continues;

    public override void Take(string piece, bool literal)
    {
        next.Take(_first && prepended ? piece.Replace(sign.ToString(), "", StringComparison.Ordinal) : piece.Replace(sign, ' '), literal);
        _first = false;
    }

    public override void Finish() => next.Finish();
}
