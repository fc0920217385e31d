namespace FeatureFlow.Flow;

/// <summary>What a claim about lineages comes to.</summary>
public enum Verdict
{
    /// <summary>The whole interval is on the claimed side.</summary>
    Holds,

    /// <summary>The whole interval is on the other side.</summary>
    Fails,

    /// <summary>The interval is on both sides.</summary>
    Open,
}

/// <summary>A claim of Feature Flow, held against cuts: a row of <c>claims.csv</c>.</summary>
/// <param name="Claim">The claim.</param>
/// <param name="Quantity">What is estimated: above 0 if the claim holds, or near 0 where it says that two things are alike.</param>
/// <param name="Estimate">Its estimate with an interval: texts drawn again (bootstrap), because targets of a text are alike.</param>
/// <param name="Targets">Targets it is from.</param>
/// <param name="Verdict">What it comes to.</param>
public sealed record CausalClaim(string Claim, string Quantity, Interval Estimate, int Targets, Verdict Verdict);

/// <summary>How one way to name predecessors does on a common set of targets: a row of <c>methods.csv</c> (Feature Flow, table 1).</summary>
/// <param name="Method">Strategy.</param>
/// <param name="Targets">Targets that cosine or correlation calls From RES, From MLP or From ATT.</param>
/// <param name="WithPredecessor">Of those, with an active predecessor by this method.</param>
/// <param name="Success">Share of all of them that fell silent.</param>
/// <param name="Change">Mean activation change over all of them; 0 without an active predecessor.</param>
public sealed record MethodComparison(string Method, int Targets, int WithPredecessor, Interval Success, Interval Change);

/// <summary>Feature Flow's claims about deactivation (section 5.2, appendices C.2 and C.4), each with its interval.</summary>
public sealed class CausalClaims
{
    /// <summary>Two shares that are closer are on par.</summary>
    public const double Margin = 0.05;

    private const string First = "top1";

    private readonly CausalReport _report;
    private readonly Dictionary<(CausalTarget Target, string Strategy), CausalRow> _rows;
    private readonly ILookup<CausalTarget, OneSiteRow> _sites;
    private readonly List<CausalTarget> _targets;
    private readonly List<int> _texts;

    /// <param name="report">Cuts, with the strategy top1.</param>
    public CausalClaims(CausalReport report)
    {
        _report = report;
        _rows = report.Rows.ToDictionary(r => (r.Target, r.Strategy));
        _sites = report.OneSite.ToLookup(o => o.Row.Target);
        _targets = [.. report.Rows.Select(r => r.Target).Distinct()];
        _texts = [.. _targets.Select(t => t.Sequence).Distinct().Order()];
    }

    /// <summary>Every claim that the report can say something about.</summary>
    public IReadOnlyList<CausalClaim> All()
    {
        var claims = new List<CausalClaim>();
        if (!Has(First)) return claims;
        var top = Of(First).Where(r => r.Group != PredecessorSites.None).ToList();
        if (Has("random"))
        {
            const string claim = "top1 beats random-of-5";
            var random = Of("random").Where(r => r.Group != PredecessorSites.None).ToList();
            Difference(claim, "success rate, top1 − random, each of its targets with an active predecessor", Values(top, Silent), Values(random, Silent));
            Difference(claim, "activation change, top1 − random, each of its targets with an active predecessor", Values(top, Change), Values(random, Change));
            Paired(claim, "activation change, top1 − random, every target, 0 without an active predecessor", top.Select(r => (r.Target, r.ActivationChange - (_rows.TryGetValue((r.Target, "random"), out var other) ? other.ActivationChange : 0))));
        }

        const string residual = "residual predecessors matter most";
        foreach (var site in new[] { PredecessorSites.Mlp, PredecessorSites.Att })
        {
            Difference(residual, $"activation change, From RES − {site.Name()}, the only active predecessor cut", Values(top.Where(r => r.Group == PredecessorSites.Res), Change), Values(top.Where(r => r.Group == site), Change));
            Paired(residual, $"activation change, RES cut − {site.SiteName().ToUpperInvariant()} cut, the same target with both active", _targets.Where(t => _sites[t].Any(o => o.Site == PredecessorSites.Res) && _sites[t].Any(o => o.Site == site)).Select(t => (t, At(t, PredecessorSites.Res) - At(t, site))));
        }

        const string circuit = "combined groups need all predecessors cut";
        var combined = top.Where(r => Count(r.Group) > 1 && _sites[r.Target].Count() == Count(r.Group)).ToList();
        Paired(circuit, "success rate, all sites − the best single one", combined.Select(r => (r.Target, Silent(r) - _sites[r.Target].Max(o => Silent(o.Row)))));
        Paired(circuit, "activation change, all sites − the best single one", combined.Select(r => (r.Target, r.ActivationChange - _sites[r.Target].Max(o => o.Row.ActivationChange))));
        Difference(circuit, "activation change of cutting RES, From RES − groups with RES and more", Values(top.Where(r => r.Group == PredecessorSites.Res), Change), combined.Where(r => r.Group.HasFlag(PredecessorSites.Res)).Select(r => (r.Target, At(r.Target, PredecessorSites.Res))));

        var common = Common();
        if (Has("pearson"))
        {
            const string claim = "cosine is on par with Pearson";
            Paired(claim, "success rate, top1 − pearson, targets of table 1", common.Select(t => (t, Silent(_rows[(t, First)]) - Silent(_rows[(t, "pearson")]))), alike: true);
            Paired(claim, "activation change, top1 − pearson, targets of table 1", common.Select(t => (t, _rows[(t, First)].ActivationChange - _rows[(t, "pearson")].ActivationChange)), alike: true);
        }

        if (Has(CausalTests.Exhaustive))
        {
            const string claim = "exhaustive search bounds what one predecessor can do";
            var single = common.Where(t => Count(_rows[(t, First)].Group) == 1).ToList();
            Paired(claim, "activation change, exhaustive − top1, targets with one active predecessor", single.Select(t => (t, _rows[(t, CausalTests.Exhaustive)].ActivationChange - _rows[(t, First)].ActivationChange)));
            var (part, whole) = (Sums(single.Select(t => (t, _rows[(t, First)].ActivationChange))), Sums(single.Select(t => (t, _rows[(t, CausalTests.Exhaustive)].ActivationChange))));
            var reached = Resample(part, whole, (p, w) => w.Count == 0 ? double.NaN : p.Sum / w.Sum);
            if (reached.Count > 0) claims.Add(new CausalClaim(claim, "activation change of top1 as a share of exhaustive's", reached, single.Count, reached.High <= 1 + 1e-9 ? Verdict.Holds : reached.Low > 1 ? Verdict.Fails : Verdict.Open));
        }

        return claims;

        void Paired(string claim, string quantity, IEnumerable<(CausalTarget Target, double Value)> values, bool alike = false)
        {
            var sums = Sums(values);
            Add(claim, quantity, Resample(sums, sums, (s, _) => s.Sum / s.Count), sums.Values.Sum(s => s.Count), alike);
        }

        void Difference(string claim, string quantity, IEnumerable<(CausalTarget Target, double Value)> first, IEnumerable<(CausalTarget Target, double Value)> second)
        {
            var (a, b) = (Sums(first), Sums(second));
            Add(claim, quantity, a.Count == 0 || b.Count == 0 ? default : Resample(a, b, (x, y) => x.Count == 0 || y.Count == 0 ? double.NaN : (x.Sum / x.Count) - (y.Sum / y.Count)), a.Values.Sum(s => s.Count) + b.Values.Sum(s => s.Count), false);
        }

        void Add(string claim, string quantity, Interval estimate, int targets, bool alike)
        {
            if (targets == 0 || estimate.Count == 0) return;
            claims.Add(new CausalClaim(claim, quantity, estimate, targets, alike ? Alike(estimate) : !estimate.Known ? Verdict.Open : estimate.Above(0) ? Verdict.Holds : estimate.Below(0) ? Verdict.Fails : Verdict.Open));
        }
    }

    /// <summary>Cosine, correlation and exhaustive search on the same targets (table 1), each that was tried.</summary>
    public IReadOnlyList<MethodComparison> Methods()
    {
        var common = Common();
        return
        [
            .. _report.Rows.Select(r => r.Strategy).Distinct().Select(strategy =>
            {
                var rows = common.Select(t => _rows[(t, strategy)]).ToList();
                var (success, change) = (Sums(rows.Select(r => (r.Target, Silent(r)))), Sums(rows.Select(r => (r.Target, r.ActivationChange))));
                return new MethodComparison(strategy, rows.Count, rows.Count(r => r.Group != PredecessorSites.None), Resample(success, success, (s, _) => s.Sum / s.Count), Resample(change, change, (s, _) => s.Sum / s.Count));
            }),
        ];
    }

    // targets that cosine or correlation calls From RES, From MLP or From ATT
    private List<CausalTarget> Common() =>
        [.. _targets.Where(t => new[] { First, "pearson" }.Any(s => _rows.TryGetValue((t, s), out var row) && Count(row.Group) == 1))];

    private bool Has(string strategy) => _report.Rows.Any(r => r.Strategy == strategy);

    private IEnumerable<CausalRow> Of(string strategy) => _report.Rows.Where(r => r.Strategy == strategy);

    private double At(CausalTarget target, PredecessorSites site) => _sites[target].First(o => o.Site == site).Row.ActivationChange;

    private static int Count(PredecessorSites group) => System.Numerics.BitOperations.PopCount((uint)group);

    private static double Silent(CausalRow row) => row.Group != PredecessorSites.None && row.Deactivated ? 1 : 0;

    private static double Change(CausalRow row) => row.ActivationChange;

    private static IEnumerable<(CausalTarget, double)> Values(IEnumerable<CausalRow> rows, Func<CausalRow, double> value) => rows.Select(r => (r.Target, value(r)));

    private static Dictionary<int, (double Sum, int Count)> Sums(IEnumerable<(CausalTarget Target, double Value)> values) =>
        values.GroupBy(v => v.Target.Sequence).ToDictionary(g => g.Key, g => (g.Sum(v => v.Value), g.Count()));

    private static Verdict Alike(Interval estimate) => !estimate.Known ? Verdict.Open
        : estimate.Low >= -Margin && estimate.High <= Margin ? Verdict.Holds
        : estimate.Low > Margin || estimate.High < -Margin ? Verdict.Fails : Verdict.Open;

    private Interval Resample(Dictionary<int, (double Sum, int Count)> first, Dictionary<int, (double Sum, int Count)> second, Func<(double Sum, int Count), (double Sum, int Count), double> statistic)
    {
        int[] texts = [.. _texts.Where(t => first.ContainsKey(t) || second.ContainsKey(t))];
        return new Bootstrap(Method: BootstrapMethod.Percentile).Of(texts.Length, drawn => statistic(Sum(first, drawn), Sum(second, drawn)));

        (double, int) Sum(Dictionary<int, (double Sum, int Count)> sums, IReadOnlyList<int> drawn)
        {
            var (sum, count) = (0.0, 0);
            foreach (var i in drawn)
            {
                if (!sums.TryGetValue(texts[i], out var text)) continue;
                (sum, count) = (sum + text.Sum, count + text.Count);
            }

            return (sum, count);
        }
    }
}
