using CsvHelper;

namespace FeatureFlow.Experiments;

/// <summary>A CSV file as text: header and rows with the line they start on. Separator comma, semicolon or tab, found from the first lines.</summary>
internal sealed class CsvTable
{
    private const int MaxRecord = 1 << 24;

    private CsvTable(string[] header, IEnumerable<(int Line, string[] Fields)> rows)
    {
        Header = header;
        Rows = rows;
    }

    /// <summary>Names of the columns, trimmed.</summary>
    public IReadOnlyList<string> Header { get; }

    /// <summary>The rows, read as they are asked for, once.</summary>
    public IEnumerable<(int Line, string[] Fields)> Rows { get; }

    /// <summary>Position of a column (any case), −1 when there is none.</summary>
    public int Column(string name) => Header.ToList().FindIndex(h => string.Equals(h, name, StringComparison.OrdinalIgnoreCase));

    /// <summary>Reads the header; <paramref name="reader"/> must stay open while rows are read.</summary>
    public static CsvTable Read(string path, TextReader reader)
    {
        var csv = CsvReader.Create(reader, new CsvReaderOptions { HasHeader = false, TrackLineNumbers = true, MaxRecordSize = MaxRecord }, leaveOpen: true);
        if (!Next(path, csv)) throw ExperimentErrors.Table(path, 1, "the file is empty.");
        return new CsvTable([.. Fields(csv).Select(f => f.Trim())], Remaining(path, csv));
    }

    private static IEnumerable<(int, string[])> Remaining(string path, CsvReader csv)
    {
        using (csv)
        {
            while (Next(path, csv)) yield return ((int)csv.LineNumber, Fields(csv));
        }
    }

    private static bool Next(string path, CsvReader csv)
    {
        try
        {
            return csv.Read();
        }
        catch (CsvFormatException e)
        {
            throw ExperimentErrors.Table(path, (int)csv.LineNumber, e.Message);
        }
    }

    private static string[] Fields(CsvReader csv) => [.. Enumerable.Range(0, csv.FieldCount).Select(csv.GetString)];
}
