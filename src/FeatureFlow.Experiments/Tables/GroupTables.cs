using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>The tables of activation groups (docs/groups.md).</summary>
public static class GroupTables
{
    /// <summary><c>groups.csv</c>.</summary>
    public static TableColumns<GroupCount> Counts { get; } = new(
        ("layer", c => c.Layer),
        ("group", c => c.Group.Name()),
        ("count", c => c.Count),
        ("share", c => c.Share),
        ("dataset", c => c.Dataset));

    /// <summary><c>mannwhitney.csv</c>.</summary>
    public static TableColumns<GroupTest> Tests { get; } = new(
        ("layer", t => t.Layer),
        ("score", t => t.Score.SiteName()),
        ("group_a", t => t.GroupA.Name()),
        ("group_b", t => t.GroupB.Name()),
        ("kind", t => t.Kind),
        ("n_a", t => t.CountA),
        ("n_b", t => t.CountB),
        ("u", t => t.U),
        ("p", t => t.P),
        ("p_exact", t => t.ExactP),
        ("dataset", t => t.Dataset));

    /// <summary><c>mannwhitney_summary.csv</c>.</summary>
    public static TableColumns<GroupTestSummary> Summary { get; } = new(
        ("score", s => s.Score.SiteName()),
        ("kind", s => s.Kind),
        ("tests", s => s.Tests),
        ("significant", s => s.Significant),
        ("share", s => s.Share),
        ("dataset", s => s.Dataset));

    /// <summary><c>appears_as.csv</c>.</summary>
    public static TableColumns<GroupOverlap> Overlaps { get; } = new(
        ("group_a", o => o.GroupA.Name()),
        ("group_b", o => o.GroupB.Name()),
        ("probability", o => o.Probability),
        ("features", o => o.Features),
        ("dataset", o => o.Dataset));

    /// <summary><c>scores.csv</c>.</summary>
    public static TableColumns<GroupScores> Distributions { get; } = new(
        ("layer", s => s.Layer),
        ("group", s => s.Group.Name()),
        ("score", s => s.Score.SiteName()),
        ("count", s => s.Count),
        ("mean", s => s.Mean),
        ("q05", s => s.Quantiles[0]),
        ("q25", s => s.Quantiles[1]),
        ("q50", s => s.Quantiles[2]),
        ("q75", s => s.Quantiles[3]),
        ("q95", s => s.Quantiles[4]),
        ("dataset", s => s.Dataset));

    /// <summary><c>points.csv</c>: a sample of occurrences with their scores.</summary>
    public static TableColumns<GroupPoint> Points { get; } = new(
        ("layer", p => p.Layer),
        ("index", p => p.Index),
        ("group", p => p.Group.Name()),
        ("s_res", p => p.Res),
        ("s_mlp", p => p.Mlp),
        ("s_att", p => p.Att),
        ("dataset", p => p.Dataset));

    /// <summary><c>positions.csv</c>: what was looked at.</summary>
    public static TableColumns<(SampledText Text, int Position)> Positions { get; } = new(
        ("seq", p => p.Text.Sequence),
        ("pos", p => p.Position),
        ("dataset", p => p.Text.Dataset));

    /// <summary>Writes every table of a report into a folder.</summary>
    public static void Write(GroupReport report, string folder, bool excel = false)
    {
        var tests = report.Tests();
        Counts.Write(Path.Combine(folder, "groups.csv"), report.Counts(), excel);
        Tests.Write(Path.Combine(folder, "mannwhitney.csv"), tests, excel);
        Summary.Write(Path.Combine(folder, "mannwhitney_summary.csv"), report.Summary(tests), excel);
        Overlaps.Write(Path.Combine(folder, "appears_as.csv"), report.Overlaps(), excel);
        Distributions.Write(Path.Combine(folder, "scores.csv"), report.Distributions(), excel);
        Positions.Write(Path.Combine(folder, "positions.csv"), report.Texts.SelectMany(t => t.Positions.Select(p => (t, p))), excel);
    }

    /// <summary>Numbers from a CSV file by the names of its columns.</summary>
    /// <exception cref="FeatureFlowException">FF5023: a column is missing, or an entry is no number; FF5006: unreadable.</exception>
    public static IReadOnlyList<int[]> ReadNumbers(string path, params IReadOnlyList<string> columns)
    {
        TextReader text;
        try
        {
            text = new StreamReader(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ExperimentErrors.Unreadable(path, e.Message);
        }

        using (text)
        {
            var table = CsvTable.Read(path, text);
            int[] places = [.. columns.Select(c => table.Column(c) is >= 0 and var at ? at : throw ExperimentErrors.Table(path, 1, $"there is no column '{c}'; there are {string.Join(", ", table.Header)}."))];
            return
            [
                .. table.Rows.Select(row => Array.ConvertAll(places, at =>
                    at < row.Fields.Length && int.TryParse(row.Fields[at], System.Globalization.NumberStyles.None, null, out var number) ? number : throw ExperimentErrors.Table(path, row.Line, $"'{(at < row.Fields.Length ? row.Fields[at] : "")}' in column {at + 1} is not a number."))),
            ];
        }
    }
}
