using CsvHelper;

namespace FeatureFlow.Experiments;

/// <summary>Descriptions as a table: columns <c>index</c> and <c>description</c>; <c>layer</c>, <c>site</c>, <c>model</c> and <c>method</c> if there.</summary>
internal static class DescriptionCsv
{
    public static IEnumerable<DescriptionRow> Read(string path, TextReader reader)
    {
        var table = CsvTable.Read(path, reader);
        int index = table.Column("index"), description = table.Column("description");
        if (index < 0 || description < 0)
            throw ExperimentErrors.Description(path, 1, $"neither JSON nor a table with the columns index,description; the first line has {string.Join(",", table.Header.Take(12))}.");
        int layer = table.Column("layer"), site = table.Column("site"), model = table.Column("model"), method = table.Column("method");
        foreach (var (line, fields) in table.Rows)
        {
            yield return new DescriptionRow(null, At(fields, layer), At(fields, site), DescriptionReader.Index(path, line, At(fields, index)), At(fields, description), At(fields, model), At(fields, method), line);
        }
    }

    private static string? At(string[] fields, int column) => column >= 0 && column < fields.Length && fields[column].Length > 0 ? fields[column] : null;
}
