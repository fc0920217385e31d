using System.Text.Json;
using FeatureFlow.Models.Texts;

namespace FeatureFlow.Experiments.Texts;

/// <summary>The documents of one file, streamed, by the kind that its name says.</summary>
internal static class TextReaders
{
    private const int MaxLine = 1 << 27;
    private static readonly string[] Packed = [".zip", ".zst", ".xz", ".bz2", ".tar", ".7z"];

    /// <summary>Reads a file.</summary>
    /// <param name="name">How documents call it.</param>
    /// <exception cref="FeatureFlowException">FF5101-FF5106, FF5023: not there, not text, not of its kind.</exception>
    public static IEnumerable<TextDocument> Read(string path, string name, string? field, string? separator)
    {
        var kind = Path.GetExtension(path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? path[..^3] : path).ToLowerInvariant();
        return kind switch
        {
            ".jsonl" or ".ndjson" => Lines(path, name, new TextField(path, field)),
            ".json" when separator is null => Json(path, name, new TextField(path, field)),
            ".csv" or ".tsv" => Csv(path, name, new TextField(path, field)),
            ".parquet" => throw ExperimentErrors.TextFormat(path, "convert it once in Python: import pandas; pandas.read_parquet('FILE.parquet').to_json('FILE.jsonl', orient='records', lines=True)."),
            ".arrow" => throw ExperimentErrors.TextFormat(path, "write it as JSON lines: dataset.to_json('FILE.jsonl')."),
            _ when Packed.Contains(kind) => throw ExperimentErrors.TextFormat(path, "unpack it first, or pack it with gzip."),
            _ when separator is { Length: > 0 } => Parts(path, name, separator),
            _ => Whole(path, name),
        };
    }

    private static IEnumerable<TextDocument> Whole(string path, string name)
    {
        yield return new TextDocument(TextFile.Read(path), name);
    }

    // what stands between separators, without the white space around it
    private static IEnumerable<TextDocument> Parts(string path, string name, string separator)
    {
        using var reader = TextFile.Open(path);
        var buffer = new char[1 << 16];
        var (length, searched, number) = (0, 0, 0);
        while (true)
        {
            if (length == buffer.Length) Array.Resize(ref buffer, buffer.Length * 2);
            var read = TextFile.Guard(path, () => reader.Read(buffer, length, buffer.Length - length));
            length += read;
            var start = 0;
            while (buffer.AsSpan(searched, length - searched).IndexOf(separator) is >= 0 and var at)
            {
                if (Part(buffer.AsSpan(start, searched + at - start)) is { } part) yield return part;
                start = searched = searched + at + separator.Length;
            }

            if (read == 0)
            {
                if (Part(buffer.AsSpan(start, length - start)) is { } last) yield return last;
                yield break;
            }

            buffer.AsSpan(start, length - start).CopyTo(buffer);
            length -= start;
            searched = Math.Max(0, length - separator.Length + 1);
        }

        TextDocument? Part(ReadOnlySpan<char> text)
        {
            text = text.Trim();
            return text.IsEmpty ? null : new TextDocument(text.ToString(), $"{name}#{number++}");
        }
    }

    private static IEnumerable<TextDocument> Lines(string path, string name, TextField field)
    {
        using var reader = TextFile.Open(path);
        for (var number = 1; TextFile.Guard(path, reader.ReadLine) is { } line; number++)
        {
            if (string.IsNullOrWhiteSpace(line)) continue;
            if (line.Length > MaxLine) throw ExperimentErrors.TextJson(path, number, $"the line has {line.Length} characters, more than {MaxLine}.");
            var text = field.Of(Parse(path, line, number), number);
            if (text.Length > 0) yield return new TextDocument(text, $"{name}:{number}");
        }
    }

    private static IEnumerable<TextDocument> Json(string path, string name, TextField field)
    {
        var root = Parse(path, TextFile.Read(path), 0);
        if (root.ValueKind != JsonValueKind.Array) throw ExperimentErrors.TextJson(path, 0, "a .json file of texts is a list of objects; JSON lines have the name .jsonl.");
        var number = 0;
        foreach (var row in root.EnumerateArray())
        {
            var text = field.Of(row, 0);
            if (text.Length > 0) yield return new TextDocument(text, $"{name}#{number}");
            number++;
        }
    }

    private static IEnumerable<TextDocument> Csv(string path, string name, TextField field)
    {
        using var reader = TextFile.Open(path);
        var table = CsvTable.Read(path, reader);
        var columns = table.Header.Select((h, i) => (h, i)).DistinctBy(c => c.h).ToDictionary(c => c.h, c => c.i);
        using var rows = table.Rows.GetEnumerator();
        while (TextFile.Guard(path, rows.MoveNext))
        {
            var (line, fields) = rows.Current;
            var text = field.Of(c => columns.TryGetValue(c, out var i) ? i < fields.Length ? fields[i] : "" : null, () => table.Header, line);
            if (text.Length > 0) yield return new TextDocument(text, $"{name}:{line}");
        }
    }

    private static JsonElement Parse(string path, string json, int line)
    {
        try
        {
            return JsonSerializer.Deserialize<JsonElement>(json);
        }
        catch (JsonException e)
        {
            throw ExperimentErrors.TextJson(path, line > 0 ? line : (int)(e.LineNumber ?? 0) + 1, $"not JSON: {e.Message.Split(" LineNumber:")[0].TrimEnd('.')}.");
        }
    }
}
