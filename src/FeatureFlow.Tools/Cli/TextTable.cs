using System.Globalization;
using FeatureFlow.Experiments;

namespace FeatureFlow.Tools;

/// <summary>Rows as aligned text: numbers right, text left, the last column cut to the terminal's width.</summary>
internal static class TextTable
{
    private const string Gap = "  ";

    public static void Write<T>(TextWriter output, TableColumns<T> columns, IEnumerable<T> rows, int width)
    {
        // columns in which no row has anything say nothing
        var values = rows.Select(columns.Values).ToList();
        var names = columns.Names;
        var used = Enumerable.Range(0, names.Count).Where(c => values.Count == 0 || values.Exists(r => r[c] is not null)).ToArray();
        var numeric = used.Select(c => values.Exists(r => r[c] is not null) && values.TrueForAll(r => r[c] is null or int or long or double)).ToArray();
        var whole = used.Select(c => values.TrueForAll(r => r[c] is not double d || d == Math.Floor(d))).ToArray();
        var cells = values.ConvertAll(r => used.Select((c, i) => Text(r[c], whole[i])).ToArray());
        var widths = Enumerable.Range(0, used.Length).Select(i => Math.Max(names[used[i]].Length, cells.Count == 0 ? 0 : cells.Max(r => r[i].Length))).ToArray();
        Line(output, [.. used.Select(c => names[c])], widths, numeric, width);
        foreach (var row in cells) Line(output, row, widths, numeric, width);
    }

    private static void Line(TextWriter output, string[] cells, int[] widths, bool[] numeric, int width)
    {
        var text = string.Join(Gap, cells.Select((c, i) => numeric[i] ? c.PadLeft(widths[i]) : c.PadRight(widths[i]))).TrimEnd();
        output.WriteLine(width > 10 && text.Length > width ? text[..(width - 1)] + "…" : text);
    }

    private static string Text(object? value, bool whole) => value switch
    {
        null => "",
        double d when whole => d.ToString("0", CultureInfo.InvariantCulture),
        double d => d.ToString(Math.Abs(d) is >= 1e-3 and < 1e6 or 0 ? "0.0000" : "0.0000E+0", CultureInfo.InvariantCulture),
        bool b => b ? "yes" : "no",
        IFormattable f => f.ToString(null, CultureInfo.InvariantCulture),
        _ => string.Join(' ', value.ToString()!.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)),
    };
}
