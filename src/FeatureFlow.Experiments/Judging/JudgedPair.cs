using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Judging;

/// <summary>A row with two descriptions, and how alike the judge finds them (SAE Match, appendix C).</summary>
/// <param name="Values">The row's own columns.</param>
/// <param name="Answer">Both orders of asking and their mean.</param>
/// <param name="Judge">Who judged.</param>
public sealed record JudgedPair(IReadOnlyList<string> Values, PairAnswer Answer, string Judge);

/// <summary>How alike the pairs of a group are.</summary>
/// <param name="Values">The group.</param>
/// <param name="Count">Pairs.</param>
/// <param name="Similarity">Mean, 1 to 3.</param>
/// <param name="Same">Share of pairs that are the same in both orders of asking.</param>
/// <param name="Different">Share of pairs that are different in both.</param>
/// <param name="Steady">Share of pairs for which the order of asking makes no difference.</param>
public sealed record PairAggregate(IReadOnlyList<string> Values, int Count, Interval Similarity, Interval Same, Interval Different, Interval Steady);

/// <summary>Pairs of descriptions with their similarity.</summary>
/// <param name="Names">Names of the rows' own columns.</param>
/// <param name="Pairs">The rows.</param>
public sealed record PairTable(IReadOnlyList<string> Names, IReadOnlyList<JudgedPair> Pairs)
{
    private static readonly string[] Added = ["judged_similarity", "forward", "backward", "judge", "problem"];

    /// <summary>Number of rows that the judge had no answer for.</summary>
    public int Unjudged => Pairs.Count(p => p.Answer.Similarity is null);

    /// <summary>Compares two columns of a table; rows in which one is empty are left out, for there is nothing to compare.</summary>
    /// <exception cref="FeatureFlowException">FF5331: no such column; FF5334: no row with both; FF53xx of the judge.</exception>
    public static async Task<PairTable> Judge(SampleTable table, string first, string second, IJudge judge, IProgress<double>? progress = null, CancellationToken cancel = default)
    {
        int a = table.Required(first), b = table.Required(second);
        int[] kept = [.. Enumerable.Range(0, table.Names.Count).Where(c => !Added.Contains(table.Names[c], StringComparer.OrdinalIgnoreCase))];
        var rows = table.Rows.Where(r => !string.IsNullOrWhiteSpace(r[a]) && !string.IsNullOrWhiteSpace(r[b])).ToList();
        if (rows.Count == 0) throw ExperimentErrors.NoSampleRows(table.Path);
        var answers = await judge.CompareAsync([.. rows.Select(r => new PairQuestion(r[a], r[b]))], progress, cancel).ConfigureAwait(false);
        return new PairTable([.. kept.Select(c => table.Names[c])], [.. rows.Zip(answers, (row, answer) => new JudgedPair([.. kept.Select(c => row[c])], answer, judge.Name))]);
    }

    /// <summary>The columns of judged.csv.</summary>
    public TableColumns<JudgedPair> Columns() => new(
    [
        .. Own(Names, Pairs, p => p.Values),
        ("judged_similarity", p => p.Answer.Similarity),
        ("forward", p => p.Answer.Forward),
        ("backward", p => p.Answer.Backward),
        ("judge", p => p.Judge),
        ("problem", p => p.Answer.Problem),
    ]);

    /// <summary>Means by the values of some columns, with bootstrap intervals over pairs.</summary>
    /// <exception cref="FeatureFlowException">FF5331: no such column.</exception>
    public (IReadOnlyList<PairAggregate> Rows, TableColumns<PairAggregate> Columns) Aggregate(IReadOnlyList<string> by, Bootstrap bootstrap)
    {
        int[] columns = [.. by.Select(n => Names.ToList().FindIndex(c => string.Equals(c, n, StringComparison.OrdinalIgnoreCase)) is var c and >= 0 ? c : throw ExperimentErrors.NoSampleColumn(null, n, Names))];
        List<PairAggregate> rows =
        [
            .. Pairs.GroupBy(p => string.Join('\0', columns.Select(c => p.Values[c])), StringComparer.Ordinal).Select(g => new PairAggregate(
                [.. columns.Select(c => g.First().Values[c])],
                g.Count(),
                Mean(g, a => a.Similarity),
                Mean(g, a => a.Similarity is { } s ? s == 3 ? 1 : 0 : null),
                Mean(g, a => a.Similarity is { } s ? s == 1 ? 1 : 0 : null),
                Mean(g, a => a.Similarity is null ? null : a.Forward == a.Backward ? 1 : 0))),
        ];
        return (rows, new TableColumns<PairAggregate>(
        [
            .. Own(by, rows, r => r.Values),
            ("pairs", r => r.Count),
            ("judged", r => r.Similarity.Count),
            ("similarity", r => Known(r.Similarity.Value)),
            ("similarity_low", r => Known(r.Similarity.Low)),
            ("similarity_high", r => Known(r.Similarity.High)),
            ("same", r => Known(r.Same.Value)),
            ("same_low", r => Known(r.Same.Low)),
            ("same_high", r => Known(r.Same.High)),
            ("different", r => Known(r.Different.Value)),
            ("steady", r => Known(r.Steady.Value)),
        ]));

        Interval Mean(IEnumerable<JudgedPair> pairs, Func<PairAnswer, double?> of) => bootstrap.Mean(pairs.Select(p => of(p.Answer) ?? double.NaN));
    }

    private static double? Known(double value) => double.IsNaN(value) ? null : value;

    private static IEnumerable<(string, Func<T, object?>)> Own<T>(IReadOnlyList<string> names, IReadOnlyList<T> rows, Func<T, IReadOnlyList<string>> values)
    {
        foreach (var (c, name) in names.Index())
        {
            var value = SampleTable.Value(c, rows.Select(values));
            yield return (name, row => value(values(row)));
        }
    }
}
