using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;

namespace FeatureFlow.Experiments;

/// <summary>One description as a file has it.</summary>
/// <param name="ModelId">Neuronpedia's model, if named.</param>
/// <param name="Layer">Layer number or Neuronpedia source (<c>20-gemmascope-res-16k</c>), if named.</param>
/// <param name="Site">Site, if named.</param>
/// <param name="Index">Index of the feature.</param>
/// <param name="Text">What is said; may be empty.</param>
/// <param name="Model">Who says it.</param>
/// <param name="Method">How it was found.</param>
/// <param name="Line">1-based line of the file, 0 if not known.</param>
internal sealed record DescriptionRow(string? ModelId, string? Layer, string? Site, int Index, string? Text, string? Model, string? Method, int Line);

/// <summary>
/// Streams the rows of a description file: one object a line, an array of objects, a map from index to text, a Neuronpedia dashboard (an
/// object with <c>explanations</c>), or CSV. Exports carry a vector of 256 numbers in every row: lines are read one at a time.
/// </summary>
internal static class DescriptionReader
{
    private const int MaxLine = 1 << 26;
    private static readonly JsonSerializerOptions Lenient = new() { AllowTrailingCommas = true, ReadCommentHandling = JsonCommentHandling.Skip };

    public static IEnumerable<DescriptionRow> Read(string path)
    {
        using var stream = Open(path);
        var rows = Rows(path, stream).GetEnumerator();
        using (rows)
        {
            while (true)
            {
                try
                {
                    if (!rows.MoveNext()) yield break;
                }
                catch (JsonException e)
                {
                    throw ExperimentErrors.Description(path, (int)(e.LineNumber ?? 0) + 1, $"not JSON: {Reason(e)}");
                }
                catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
                {
                    throw ExperimentErrors.Unreadable(path, e.Message);
                }

                yield return rows.Current;
            }
        }
    }

    private static Stream Open(string path)
    {
        try
        {
            var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
            Span<byte> magic = stackalloc byte[2];
            var read = file.ReadAtLeast(magic, 2, throwOnEndOfStream: false);
            file.Position = 0;
            return read == 2 && magic[0] == 0x1F && magic[1] == 0x8B ? new GZipStream(file, CompressionMode.Decompress) : file;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ExperimentErrors.Unreadable(path, e.Message);
        }
    }

    private static IEnumerable<DescriptionRow> Rows(string path, Stream stream)
    {
        using var buffered = new BufferedStream(stream, 1 << 16);
        using var reader = new StreamReader(buffered, new UTF8Encoding(false), detectEncodingFromByteOrderMarks: true, 1 << 16);
        var first = Peek(reader);
        var rows = first switch
        {
            -1 => throw ExperimentErrors.Description(path, 1, "the file is empty."),
            '[' => Items(path, reader),
            '{' => Objects(path, reader),
            _ => DescriptionCsv.Read(path, reader),
        };
        foreach (var row in rows) yield return row;
    }

    private static int Peek(StreamReader reader)
    {
        while (reader.Peek() is var c && c >= 0 && char.IsWhiteSpace((char)c)) reader.Read();
        return reader.Peek();
    }

    private static IEnumerable<DescriptionRow> Items(string path, StreamReader reader)
    {
        using var document = JsonDocument.Parse(reader.ReadToEnd(), new JsonDocumentOptions { AllowTrailingCommas = true });
        foreach (var item in document.RootElement.EnumerateArray())
        {
            foreach (var row in Object(path, 0, item)) yield return row;
        }
    }

    // one object a line, or one object that is the whole file
    private static IEnumerable<DescriptionRow> Objects(string path, StreamReader reader)
    {
        var first = Line(path, reader, 1)!;
        if (TryParse(first) is not { } element)
        {
            using var whole = JsonDocument.Parse(first + "\n" + reader.ReadToEnd(), new JsonDocumentOptions { AllowTrailingCommas = true });
            foreach (var row in Object(path, 0, whole.RootElement)) yield return row;
            yield break;
        }

        foreach (var row in Object(path, 1, element)) yield return row;
        for (var number = 2; Line(path, reader, number) is { } line; number++)
        {
            if (string.IsNullOrWhiteSpace(line)) continue;
            foreach (var row in Object(path, number, Parse(path, number, line))) yield return row;
        }
    }

    private static JsonElement? TryParse(string line)
    {
        try
        {
            return JsonSerializer.Deserialize<JsonElement>(line, Lenient);
        }
        catch (JsonException)
        {
            return null; // it goes on in the next line
        }
    }

    private static JsonElement Parse(string path, int number, string line)
    {
        try
        {
            return JsonSerializer.Deserialize<JsonElement>(line, Lenient);
        }
        catch (JsonException e)
        {
            throw ExperimentErrors.Description(path, number, $"not JSON: {Reason(e)}");
        }
    }

    private static string? Line(string path, StreamReader reader, int number) =>
        reader.ReadLine() is not { } line ? null : line.Length <= MaxLine ? line : throw ExperimentErrors.Description(path, number, $"the line has {line.Length} characters, more than {MaxLine}.");

    private static IEnumerable<DescriptionRow> Object(string path, int line, JsonElement item)
    {
        if (item.ValueKind != JsonValueKind.Object) throw ExperimentErrors.Description(path, line, $"expected an object with 'index' and 'description', found {item.ValueKind}.");
        string? model = Text(item, "modelId"), layer = Text(item, "layer"), site = Text(item, "site");
        if (item.TryGetProperty("index", out var index) || item.TryGetProperty("feature", out index))
        {
            var number = Index(path, line, Text(index));
            var said = item.TryGetProperty("explanations", out var several) && several.ValueKind == JsonValueKind.Array ? [.. several.EnumerateArray()] : new[] { item };
            foreach (var one in said.Where(s => s.ValueKind == JsonValueKind.Object))
                yield return new DescriptionRow(model, layer, site, number, Text(one, "description") ?? Text(one, "explanation"), Text(one, "explanationModelName"), Text(one, "typeName"), line);
            yield break;
        }

        // a map from index to one text or several
        foreach (var entry in item.EnumerateObject())
        {
            var number = Index(path, line, entry.Name);
            var texts = entry.Value.ValueKind == JsonValueKind.Array ? [.. entry.Value.EnumerateArray()] : new[] { entry.Value };
            foreach (var text in texts)
            {
                if (text.ValueKind is not (JsonValueKind.String or JsonValueKind.Null)) throw ExperimentErrors.Description(path, line, $"feature {number} is described by {text.ValueKind}; a text is needed.");
                yield return new DescriptionRow(null, null, null, number, text.GetString(), null, null, line);
            }
        }
    }

    internal static int Index(string path, int line, string? text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            ? index
            : throw ExperimentErrors.Description(path, line, $"'{text}' is not the index of a feature; a whole number from 0 is needed.");

    private static string? Text(JsonElement item, string name) => item.TryGetProperty(name, out var value) ? Text(value) : null;

    private static string? Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Number => value.GetRawText(),
        _ => null,
    };

    private static string Reason(JsonException e) => e.Message.Split(" LineNumber:")[0].TrimEnd('.') + ".";
}
