using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using CsvHelper;
using FeatureFlow.Models;

namespace FeatureFlow.Experiments;

/// <summary>
/// The columns of one kind of row, in order, as CSV and as JSON. Numbers are invariant and shortest round-trip, missing values empty, line ends LF, UTF-8;
/// with <c>excel</c> a byte order mark leads and text that a spreadsheet would take for a formula is defused.
/// </summary>
public sealed class TableColumns<T>
{
    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly (string Name, Func<T, object?> Value)[] _columns;

    /// <summary>Names the columns and how each is read from a row.</summary>
    public TableColumns(params (string Name, Func<T, object?> Value)[] columns) => _columns = columns;

    /// <summary>Names, in order.</summary>
    public IReadOnlyList<string> Names => [.. _columns.Select(c => c.Name)];

    /// <summary>Writes a file, whole or not at all; returns the number of rows.</summary>
    /// <exception cref="FeatureFlowException">FF2030: the file cannot be written.</exception>
    public int Write(string path, IEnumerable<T> rows, bool excel = false)
    {
        var count = 0;
        AtomicFile.Write(path, stream =>
        {
            using var text = new StreamWriter(stream, new UTF8Encoding(excel), 1 << 16, leaveOpen: true) { NewLine = "\n" };
            count = Write(text, rows, excel);
        });
        return count;
    }

    /// <summary>Writes header and rows as they come; returns the number of rows.</summary>
    public int Write(TextWriter text, IEnumerable<T> rows, bool excel = false)
    {
        var options = new CsvWriterOptions { NewLine = "\n", Injection = excel ? CsvInjection.Escape : CsvInjection.None };
        using var csv = CsvWriter.Create(text, options, leaveOpen: true);
        csv.WriteRecord([.. Names]);
        var count = 0;
        foreach (var row in rows)
        {
            foreach (var (_, value) in _columns) Field(csv, value(row));
            csv.EndRecord();
            count++;
        }

        csv.Flush();
        return count;
    }

    /// <summary>The values of a row, in order: texts, numbers, truth values, enumerations or null.</summary>
    public object?[] Values(T row) => Array.ConvertAll(_columns, c => c.Value(row));

    /// <summary>Writes rows as a JSON array, one object a line.</summary>
    public void WriteJson(TextWriter text, IEnumerable<T> rows)
    {
        text.Write('[');
        var first = true;
        foreach (var row in rows)
        {
            text.Write(first ? "\n  " : ",\n  ");
            first = false;
            text.Write(Object(row).ToJsonString(Json));
        }

        text.Write(first ? "]\n" : "\n]\n");
    }

    /// <summary>A row as a JSON object; missing values are null.</summary>
    public JsonObject Object(T row)
    {
        var result = new JsonObject();
        foreach (var (name, value) in _columns) result[name] = Node(value(row));
        return result;
    }

    /// <summary>The columns with more after them.</summary>
    internal TableColumns<T> With(params (string Name, Func<T, object?> Value)[] more) => new([.. _columns, .. more]);

    private static JsonValue? Node(object? value) => value switch
    {
        null => null,
        int i => JsonValue.Create(i),
        long l => JsonValue.Create(l),
        bool b => JsonValue.Create(b),
        double d when double.IsFinite(d) => JsonValue.Create(d),
        _ => JsonValue.Create(value.ToString()),
    };

    // numbers as numbers: -0.5 is no formula
    private static void Field(CsvWriter csv, object? value)
    {
        switch (value)
        {
            case int i: csv.WriteField(i, default); break;
            case long l: csv.WriteField(l, default); break;
            case double d: csv.WriteField(d, default); break;
            case bool b: csv.WriteField(b ? "true" : "false"); break;
            default: csv.WriteField(value?.ToString() ?? ""); break;
        }
    }
}
