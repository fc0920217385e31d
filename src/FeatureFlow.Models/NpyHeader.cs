using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>
/// The header of a .npy array: magic, version, and a Python dictionary of <c>descr</c>, <c>fortran_order</c> and <c>shape</c>,
/// read by a small parser of just that. Shapes of Fortran order are given as stored; the reader transposes.
/// </summary>
/// <param name="Type">The type it is read as, or null when it is not read.</param>
/// <param name="Descr">The type as written, such as <c>&lt;f4</c>.</param>
/// <param name="BigEndian">True when the bytes of each element must be turned round.</param>
/// <param name="FortranOrder">True when the first axis varies fastest.</param>
/// <param name="Shape">The extents.</param>
/// <param name="Length">Bytes of the header itself.</param>
internal sealed record NpyHeader(DType? Type, string Descr, bool BigEndian, bool FortranOrder, int[] Shape, int Length)
{
    private static readonly Dictionary<string, DType> Types = new(StringComparer.Ordinal)
    {
        ["f4"] = DType.F32, ["f2"] = DType.F16, ["f8"] = DType.F64, ["i8"] = DType.I64, ["i4"] = DType.I32, ["u1"] = DType.U8,
    };

    /// <summary>True for an array of Python objects: its data is a pickle.</summary>
    public bool IsObject => Descr.TrimStart('|', '<', '>', '=') is "O" or ['O', ..] || Descr.Contains("'O", StringComparison.Ordinal) || Descr.Contains("|O", StringComparison.Ordinal);

    /// <summary>Bytes of the data that the header announces; −1 when that is beyond counting.</summary>
    public long DataLength
    {
        get
        {
            var bytes = (UInt128)Type!.Value.Size();
            foreach (var n in Shape)
            {
                if (n == 0) return 0;
                bytes *= (uint)n;
                if (bytes > long.MaxValue) return -1;
            }

            return (long)bytes;
        }
    }

    /// <summary>Bytes to read before <see cref="TryMeasure"/> can tell the length of the header.</summary>
    public const int Prefix = 12;

    /// <summary>The length of the whole header, from its first <see cref="Prefix"/> bytes; false when they are not those of a .npy array.</summary>
    public static bool TryMeasure(ReadOnlySpan<byte> prefix, out long length)
    {
        length = 0;
        if (prefix.Length < Prefix || prefix[0] != 0x93 || !prefix[1..].StartsWith("NUMPY"u8) || prefix[6] is not (1 or 2 or 3)) return false;
        length = prefix[6] == 1 ? 10L + BinaryPrimitives.ReadUInt16LittleEndian(prefix[8..]) : 12L + BinaryPrimitives.ReadUInt32LittleEndian(prefix[8..]);
        return true;
    }

    /// <summary>Reads a whole header; <paramref name="fail"/> makes the error from what is wrong.</summary>
    public static NpyHeader Parse(ReadOnlySpan<byte> header, Func<string, Exception> fail)
    {
        var skip = header[6] == 1 ? 10 : 12;
        var text = (header[6] == 3 ? Encoding.UTF8 : Encoding.Latin1).GetString(header[skip..]);
        var parser = new Literal(text, fail);
        string? descr = null;
        bool? fortran = null;
        List<long>? shape = null;
        parser.Expect('{');
        while (!parser.Take('}'))
        {
            var key = parser.Text();
            parser.Expect(':');
            if (key == "descr" && descr is null) descr = parser.TextOrList();
            else if (key == "fortran_order" && fortran is null) fortran = parser.Boolean();
            else if (key == "shape" && shape is null) shape = parser.Numbers();
            else throw fail($"its .npy header has an unknown or repeated key '{key}'.");
            if (!parser.Take(',') && !parser.At('}')) parser.Expect(',');
        }

        parser.End();
        if (descr is null || fortran is null || shape is null) throw fail("its .npy header lacks descr, fortran_order or shape.");
        foreach (var n in shape)
        {
            if (n > int.MaxValue) throw fail($"it has an extent of {n}; at most {int.MaxValue} is read.");
        }

        var big = descr.StartsWith('>');
        DType? type = Types.TryGetValue(descr.TrimStart('|', '<', '>', '='), out var known) && !descr.StartsWith('(') ? known : null;
        return new NpyHeader(type, descr, big, fortran.Value, [.. shape.Select(n => (int)n)], header.Length);
    }

    // the corner of Python's grammar that numpy writes
    private ref struct Literal(string text, Func<string, Exception> fail)
    {
        private int _at;

        public bool At(char c)
        {
            Blank();
            return _at < text.Length && text[_at] == c;
        }

        public bool Take(char c)
        {
            if (!At(c)) return false;
            _at++;
            return true;
        }

        public void Expect(char c)
        {
            if (!Take(c)) throw Broken();
        }

        public void End()
        {
            Blank();
            if (_at != text.Length) throw Broken();
        }

        public string Text()
        {
            Blank();
            if (_at >= text.Length || text[_at] is not ('\'' or '"')) throw Broken();
            var close = text.IndexOf(text[_at], _at + 1);
            if (close < 0) throw Broken();
            var found = text[(_at + 1)..close];
            _at = close + 1;
            return found;
        }

        // a structured type is a list of fields: kept as text, for the message
        public string TextOrList()
        {
            Blank();
            if (!At('[')) return Text();
            var start = _at;
            var depth = 0;
            for (; _at < text.Length; _at++)
            {
                depth += text[_at] switch { '[' or '(' => 1, ']' or ')' => -1, _ => 0 };
                if (depth == 0) return text[start..++_at];
            }

            throw Broken();
        }

        public bool Boolean()
        {
            Blank();
            foreach (var value in (ReadOnlySpan<bool>)[true, false])
            {
                var word = value ? "True" : "False";
                if (!text.AsSpan(_at).StartsWith(word)) continue;
                _at += word.Length;
                return value;
            }

            throw Broken();
        }

        public List<long> Numbers()
        {
            Expect('(');
            var numbers = new List<long>();
            while (!Take(')'))
            {
                Blank();
                var start = _at;
                while (_at < text.Length && char.IsAsciiDigit(text[_at])) _at++;
                if (!long.TryParse(text.AsSpan(start, _at - start), NumberStyles.None, CultureInfo.InvariantCulture, out var n)) throw Broken();
                if (_at < text.Length && text[_at] == 'L') _at++; // written by Python 2
                numbers.Add(n);
                if (numbers.Count > 32) throw fail("it has more than 32 axes.");
                if (!Take(',') && !At(')')) throw Broken();
            }

            return numbers;
        }

        private void Blank()
        {
            while (_at < text.Length && text[_at] is (' ' or '\n' or '\r' or '\t')) _at++;
        }

        private readonly Exception Broken() => fail($"its .npy header cannot be read at character {_at}.");
    }
}
