using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Judging;

/// <summary>Mean scores of the samples of one setting, with their bootstrap intervals over samples.</summary>
/// <param name="Values">The setting: values of the columns that it is grouped by.</param>
/// <param name="Count">Samples.</param>
/// <param name="Coherence">0 to 5.</param>
/// <param name="Behavioral">0 to 5.</param>
/// <param name="Total">0 to 1.</param>
public sealed record SampleAggregate(IReadOnlyList<string> Values, int Count, Interval Coherence, Interval Behavioral, Interval Total);

/// <summary>The aggregates of a table.</summary>
/// <param name="Names">Names of the columns that it is grouped by.</param>
/// <param name="Rows">One for each setting, in the order in which they first come.</param>
public sealed record AggregateTable(IReadOnlyList<string> Names, IReadOnlyList<SampleAggregate> Rows)
{
    /// <summary>Columns that say how a sample was made; those that a table has are what it is grouped by.</summary>
    public static IReadOnlyList<string> Settings { get; } = ["plan", "method", "mode", "schedule", "folded", "layer", "coefficient", "subject", "aim"];

    /// <summary>Groups judged samples. Intervals are of the samples that have scores; every group draws by the same seed.</summary>
    /// <param name="judged">The samples.</param>
    /// <param name="by">Columns, those that judging adds among them; null for those of <see cref="Settings"/> that there are.</param>
    /// <param name="bootstrap">How intervals are made.</param>
    /// <exception cref="FeatureFlowException">FF5331: no such column.</exception>
    public static AggregateTable Of(JudgedTable judged, IReadOnlyList<string>? by = null, Bootstrap? bootstrap = null)
    {
        bootstrap ??= new Bootstrap();
        var columns = (by ?? [.. Settings.Where(s => Find(judged, s) is not null)]).Select(n => (Name: n, Value: Find(judged, n) ?? throw ExperimentErrors.NoSampleColumn(null, n, [.. judged.Names, "subject", "aim"]))).ToList();
        var groups = judged.Samples.GroupBy(s => string.Join('\0', columns.Select(c => c.Value(s))), StringComparer.Ordinal);
        return new AggregateTable([.. columns.Select(c => c.Name)],
        [
            .. groups.Select(g => new SampleAggregate(
                [.. columns.Select(c => c.Value(g.First()))],
                g.Count(),
                Mean(g.Select(s => s.Coherence)),
                Mean(g.Select(s => s.Behavioral)),
                Mean(g.Select(s => s.Total)))),
        ]);

        Interval Mean(IEnumerable<double?> scores) => bootstrap.Mean(scores.Select(s => s ?? double.NaN));
    }

    /// <summary>The columns of aggregate.csv.</summary>
    public TableColumns<SampleAggregate> Columns()
    {
        var columns = new List<(string, Func<SampleAggregate, object?>)>();
        foreach (var (c, name) in Names.Index())
        {
            var value = SampleTable.Value(c, Rows.Select(r => r.Values));
            columns.Add((name, row => value(row.Values)));
        }

        columns.Add(("samples", r => r.Count));
        columns.Add(("judged", r => r.Coherence.Count));
        columns.AddRange(Spread("coherence", r => r.Coherence));
        columns.AddRange(Spread("behavioral", r => r.Behavioral));
        columns.AddRange(Spread("total", r => r.Total));
        return new TableColumns<SampleAggregate>([.. columns]);
    }

    private static IEnumerable<(string, Func<SampleAggregate, object?>)> Spread(string name, Func<SampleAggregate, Interval> of) =>
    [
        (name, r => Known(of(r).Value)),
        ($"{name}_low", r => Known(of(r).Low)),
        ($"{name}_high", r => Known(of(r).High)),
    ];

    private static double? Known(double value) => double.IsNaN(value) ? null : value;

    private static Func<JudgedSample, string>? Find(JudgedTable table, string name)
    {
        switch (name.ToLowerInvariant())
        {
            case "subject": return s => s.Subject;
            case "aim": return s => s.Aim?.ToString().ToLowerInvariant() ?? "";
            case "judge": return s => s.Judge;
        }

        var column = table.Names.ToList().FindIndex(n => string.Equals(n, name, StringComparison.OrdinalIgnoreCase));
        return column < 0 ? null : s => s.Values[column];
    }
}
