using System.Text;
using CsvHelper;
using FeatureFlow.Models;

namespace FeatureFlow.Experiments;

/// <summary>
/// The columns of one kind of row, in order. Numbers are invariant and shortest round-trip, missing values empty, line ends LF, UTF-8;
/// with <c>excel</c> a byte order mark leads and text that a spreadsheet would take for a formula is defused.
/// </summary>
public sealed class TableColumns<T>
{
    private readonly (string Name, Func<T, object?> Value)[] _columns;

    internal TableColumns(params (string Name, Func<T, object?> Value)[] columns) => _columns = columns;

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

    /// <summary>The columns with more after them.</summary>
    internal TableColumns<T> With(params (string Name, Func<T, object?> Value)[] more) => new([.. _columns, .. more]);

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
