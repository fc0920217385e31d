using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>
/// The header of a safetensors file. Reading refuses what the format refuses: a length beyond the file or 100 MB, bytes that are not
/// UTF-8, a name twice, arrays that overlap or leave holes, a shape that does not fit its bytes, data cut short or left over.
/// </summary>
internal sealed record SafetensorsHeader(long DataStart, IReadOnlyDictionary<string, string> Metadata, IReadOnlyList<SafetensorsEntry> Tensors)
{
    public const string MetadataKey = "__metadata__";

    private const long MaxLength = 100_000_000;

    // name -> bits of one element, and the type we read it as
    private static readonly Dictionary<string, (int Bits, DType? Type)> Types = new(StringComparer.Ordinal)
    {
        ["F32"] = (32, DType.F32), ["BF16"] = (16, DType.BF16), ["F16"] = (16, DType.F16), ["F64"] = (64, DType.F64),
        ["I64"] = (64, DType.I64), ["I32"] = (32, DType.I32), ["U8"] = (8, DType.U8),
        ["BOOL"] = (8, null), ["I8"] = (8, null), ["I16"] = (16, null), ["U16"] = (16, null), ["U32"] = (32, null), ["U64"] = (64, null),
        ["F8_E5M2"] = (8, null), ["F8_E4M3"] = (8, null), ["F8_E8M0"] = (8, null), ["F8_E4M3FNUZ"] = (8, null), ["F8_E5M2FNUZ"] = (8, null),
        ["F4"] = (4, null), ["F6_E2M3"] = (6, null), ["F6_E3M2"] = (6, null), ["C64"] = (64, null),
    };

    public static SafetensorsHeader Read(MappedFile file)
    {
        Span<byte> prefix = stackalloc byte[8];
        if (!file.TryRead(0, prefix)) throw Bad($"it has {file.Length} bytes, fewer than the 8 of a header length.");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > (ulong)(file.Length - 8)) throw Bad($"its header length (the first 8 bytes) says {length}, but only {file.Length - 8} bytes follow.");
        if (length > MaxLength) throw Bad($"its header length says {length}; the format allows {MaxLength}.");
        var json = new byte[length];
        if (!file.TryRead(8, json)) throw Bad("it ends inside its header.");
        if (!Utf8.IsValid(json)) throw Bad($"its header is not UTF-8 (byte {8 + FirstInvalid(json)}).");
        if (length == 0 || json[0] != (byte)'{') throw Bad("its header does not begin with '{' (byte 8).");
        try
        {
            var (metadata, tensors) = Parse(json);
            CheckLayout(tensors, file.Length - 8 - (long)length);
            return new SafetensorsHeader(8 + (long)length, metadata, tensors);
        }
        catch (JsonException e)
        {
            throw Bad($"its header is not JSON near byte {8 + ByteOf(json, e)}.");
        }

        Exception Bad(string what) => ModelErrors.Safetensors(file.Path, what);

        (Dictionary<string, string>, List<SafetensorsEntry>) Parse(byte[] bytes)
        {
            var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
            var tensors = new List<SafetensorsEntry>();
            var names = new HashSet<string>(StringComparer.Ordinal);
            var reader = new Utf8JsonReader(bytes);
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var name = Text(ref reader);
                if (!names.Add(name)) throw Bad($"'{name}' appears twice in its header (byte {8 + reader.TokenStartIndex}).");
                reader.Read();
                if (name == MetadataKey) ReadMetadata(ref reader, metadata);
                else tensors.Add(ReadEntry(ref reader, name));
            }

            // padding blanks may follow; the reader refuses anything else
            while (reader.Read())
            {
            }

            return (metadata, tensors);
        }

        void ReadMetadata(ref Utf8JsonReader reader, Dictionary<string, string> metadata)
        {
            if (reader.TokenType != JsonTokenType.StartObject) throw Bad("__metadata__ is not an object of texts.");
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var key = Text(ref reader);
                reader.Read();
                if (reader.TokenType != JsonTokenType.String) throw Bad($"__metadata__ '{key}' is not a text.");
                if (!metadata.TryAdd(key, Text(ref reader))) throw Bad($"__metadata__ '{key}' appears twice.");
            }
        }

        SafetensorsEntry ReadEntry(ref Utf8JsonReader reader, string name)
        {
            if (reader.TokenType != JsonTokenType.StartObject) throw Bad($"the entry of '{name}' is not an object.");
            string? type = null;
            List<long>? shape = null, offsets = null;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var key = Text(ref reader);
                reader.Read();
                var twice = key switch
                {
                    "dtype" => type is not null,
                    "shape" => shape is not null,
                    "data_offsets" => offsets is not null,
                    _ => throw Bad($"the entry of '{name}' has an unknown key '{key}'."),
                };
                if (twice) throw Bad($"the entry of '{name}' has '{key}' twice.");
                if (key == "shape") shape = Numbers(ref reader, name, key);
                else if (key == "data_offsets") offsets = Numbers(ref reader, name, key);
                else if (reader.TokenType == JsonTokenType.String) type = Text(ref reader);
                else throw Bad($"dtype of '{name}' is not a text.");
            }

            if (type is null || shape is null || offsets is not { Count: 2 }) throw Bad($"the entry of '{name}' needs dtype, shape and two data_offsets.");
            if (!Types.TryGetValue(type, out var known)) throw Bad($"'{name}' has an unknown dtype '{type}'.");
            var (begin, end) = (offsets[0], offsets[1]);
            var wanted = new UInt128(0, (ulong)known.Bits);
            foreach (var n in shape)
            {
                if (n > int.MaxValue) throw Bad($"'{name}' has an extent of {n}; at most {int.MaxValue} is read.");
                wanted = wanted > ulong.MaxValue ? wanted : wanted * (ulong)n;
            }

            if (begin > end || wanted != (UInt128)(ulong)(end - begin) * 8)
            {
                throw Bad($"'{name}' {type}[{string.Join(",", shape)}] needs {(wanted > ulong.MaxValue ? "more bytes than any file has" : $"{(wanted + 7) / 8} bytes")}, but its data_offsets [{begin}, {end}] give {end - begin}.");
            }

            return new SafetensorsEntry(name, type, known.Type, [.. shape.Select(n => (int)n)], begin, end);
        }

        List<long> Numbers(ref Utf8JsonReader reader, string name, string key)
        {
            if (reader.TokenType != JsonTokenType.StartArray) throw Bad($"{key} of '{name}' is not a list.");
            var numbers = new List<long>();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var n) || n < 0) throw Bad($"{key} of '{name}' holds something that is not a whole number from 0.");
                numbers.Add(n);
            }

            return numbers;
        }

        string Text(ref Utf8JsonReader reader)
        {
            try
            {
                return reader.GetString()!;
            }
            catch (InvalidOperationException)
            {
                throw Bad($"its header holds half of a surrogate pair (byte {8 + reader.TokenStartIndex}).");
            }
        }

        void CheckLayout(List<SafetensorsEntry> tensors, long dataLength)
        {
            // an overlap leaves a hole elsewhere: tell the cause before the consequence
            List<SafetensorsEntry> ordered = [.. tensors.OrderBy(t => t.Begin).ThenBy(t => t.End)];
            foreach (var (first, second) in ordered.Zip(ordered.Skip(1)))
            {
                if (second.Begin < first.End) throw Bad($"'{first.Name}' [{first.Begin}, {first.End}] and '{second.Name}' [{second.Begin}, {second.End}] overlap in its data.");
            }

            long at = 0;
            SafetensorsEntry? before = null;
            foreach (var t in ordered)
            {
                if (t.Begin > at) throw Bad($"bytes {at} to {t.Begin} of its data, before '{t.Name}', belong to no array.");
                (at, before) = (t.End, t);
            }

            if (at > dataLength) throw Bad($"its data has {dataLength} bytes where the header needs {at} ('{before!.Name}' is cut): a download that did not finish?");
            if (at < dataLength) throw Bad($"{dataLength - at} bytes at its end (after byte {at} of the data) belong to no array.");
        }
    }

    public static byte[] Write(IReadOnlyDictionary<string, string>? metadata, IEnumerable<TensorSource> tensors)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject(MetadataKey);
                foreach (var (key, value) in metadata.OrderBy(m => m.Key, StringComparer.Ordinal)) json.WriteString(key, value);
                json.WriteEndObject();
            }

            long at = 0;
            foreach (var tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.DType.ToString());
                json.WriteStartArray("shape");
                foreach (var n in tensor.Shape) json.WriteNumberValue(n);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(at);
                json.WriteNumberValue(at += tensor.ByteLength);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        // blanks after the JSON put the numbers on a multiple of eight bytes
        buffer.Write(Encoding.ASCII.GetBytes(new string(' ', (8 - buffer.WrittenCount % 8) % 8)));
        return buffer.WrittenSpan.ToArray();
    }

    private static int FirstInvalid(ReadOnlySpan<byte> bytes)
    {
        var at = 0;
        while (at < bytes.Length && Rune.DecodeFromUtf8(bytes[at..], out _, out var n) == OperationStatus.Done) at += n;
        return at;
    }

    private static long ByteOf(ReadOnlySpan<byte> json, JsonException e)
    {
        // the exception counts lines from 0 and bytes within the line
        var line = e.LineNumber ?? 0;
        var at = 0;
        for (; line > 0; line--)
        {
            var next = json[at..].IndexOf((byte)'\n');
            if (next < 0) break;
            at += next + 1;
        }

        return at + (e.BytePositionInLine ?? 0);
    }
}

/// <summary>One array of the header; <see cref="Type"/> is null when its type is not read.</summary>
internal sealed record SafetensorsEntry(string Name, string TypeName, DType? Type, int[] Shape, long Begin, long End);
