using System.Text;

namespace FeatureFlow.Experiments.Judging;

/// <summary>
/// Samples as a table: any columns, in their order, <c>text</c> among them. What is not understood is passed on as it is, so that whatever made the samples
/// finds its own columns again beside the scores.
/// </summary>
/// <param name="Path">Where it was read.</param>
/// <param name="Names">Names of the columns.</param>
/// <param name="Rows">Values, as many in each row.</param>
public sealed record SampleTable(string Path, IReadOnlyList<string> Names, IReadOnlyList<IReadOnlyList<string>> Rows)
{
    /// <summary>The file that a folder of samples holds.</summary>
    public const string FileName = "samples.csv";

    /// <summary>Reads a CSV file, or samples.csv of a folder.</summary>
    /// <exception cref="FeatureFlowException">FF5330: not there; FF5331: no column <c>text</c>, or no row; FF5023: no CSV, or a row of another length.</exception>
    public static SampleTable Read(string fileOrFolder)
    {
        var path = Directory.Exists(fileOrFolder) ? System.IO.Path.Combine(fileOrFolder, FileName) : fileOrFolder;
        if (!File.Exists(path)) throw ExperimentErrors.NoSamples(path);
        using var reader = new StreamReader(path, Encoding.UTF8);
        var csv = CsvTable.Read(path, reader);
        var rows = new List<IReadOnlyList<string>>();
        foreach (var (line, fields) in csv.Rows)
        {
            if (fields is [""]) continue; // an empty line
            if (fields.Length != csv.Header.Count) throw ExperimentErrors.Table(path, line, $"the row has {fields.Length} fields, the header {csv.Header.Count}.");
            rows.Add(fields);
        }

        if (rows.Count == 0) throw ExperimentErrors.NoSampleRows(path);
        return new SampleTable(path, csv.Header, rows);
    }

    /// <summary>Position of a column by one of its names (any case), −1 when there is none.</summary>
    public int Column(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            for (var c = 0; c < Names.Count; c++)
            {
                if (string.Equals(Names[c], name, StringComparison.OrdinalIgnoreCase)) return c;
            }
        }

        return -1;
    }

    /// <summary>Position of a column that there must be.</summary>
    /// <exception cref="FeatureFlowException">FF5331.</exception>
    public int Required(params ReadOnlySpan<string> names) => Column(names) is var c and >= 0 ? c : throw ExperimentErrors.NoSampleColumn(Path, names[0], Names);

    /// <summary>The values of a column as tables write them: numbers where all that are there are numbers and would be written the same, else texts.</summary>
    internal static Func<IReadOnlyList<string>, object?> Value(int column, IEnumerable<IReadOnlyList<string>> rows)
    {
        var numeric = rows.All(r => r[column].Length == 0 || (Number(r[column]) is { } n && n.ToString("R", System.Globalization.CultureInfo.InvariantCulture) == r[column]));
        return row => row[column].Length == 0 ? null : numeric ? Number(row[column]) : row[column];
    }

    private static double? Number(string text) => double.TryParse(text, System.Globalization.NumberStyles.Float, System.Globalization.CultureInfo.InvariantCulture, out var n) ? n : null;
}
