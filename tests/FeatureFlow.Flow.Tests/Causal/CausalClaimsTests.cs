namespace FeatureFlow.Flow.Tests.Causal;

/// <summary>The paper's claims, counted by hand.</summary>
public sealed class CausalClaimsTests
{
    private const PredecessorSites Res = PredecessorSites.Res, Mlp = PredecessorSites.Mlp, None = PredecessorSites.None;

    private static CausalRow Row(int text, int feature, string strategy, PredecessorSites group, double change) =>
        new(new CausalTarget(text, 1, 2, feature), strategy, group, [], 1, 1 - change, null, null, null, null);

    // three texts with two targets each: one From RES, one From RES & MLP
    private static CausalReport Report(double random)
    {
        var rows = new List<CausalRow>();
        var sites = new List<OneSiteRow>();
        for (var text = 0; text < 3; text++)
        {
            rows.AddRange([Row(text, 1, "top1", Res, 1), Row(text, 1, "random", Res, random), Row(text, 1, "pearson", None, 0), Row(text, 1, "exhaustive", Res, 1)]);
            rows.AddRange([Row(text, 2, "top1", Res | Mlp, 1), Row(text, 2, "random", None, 0), Row(text, 2, "pearson", Mlp, 0.25), Row(text, 2, "exhaustive", Res | Mlp, 0.75)]);
            sites.Add(new OneSiteRow(Res, Row(text, 1, "top1", Res, 1)));
            sites.AddRange([new OneSiteRow(Res, Row(text, 2, "top1", Res | Mlp, 0.5)), new OneSiteRow(Mlp, Row(text, 2, "top1", Res | Mlp, 0.125))]);
        }

        return new CausalReport(rows, sites, [], [], [], 0);
    }

    [Fact]
    public void Each_is_what_its_definition_gives()
    {
        var claims = new CausalClaims(Report(0.25)).All().ToDictionary(c => c.Quantity, c => c);
        Is("success rate, top1 − random, each of its targets with an active predecessor", 1, 9, Verdict.Holds);
        Is("activation change, top1 − random, each of its targets with an active predecessor", 0.75, 9, Verdict.Holds);
        Is("activation change, top1 − random, every target, 0 without an active predecessor", (0.75 + 1) / 2, 6, Verdict.Holds);
        Is("activation change, RES cut − MLP cut, the same target with both active", 0.375, 3, Verdict.Holds);
        Is("success rate, all sites − the best single one", 1, 3, Verdict.Holds);
        Is("activation change, all sites − the best single one", 0.5, 3, Verdict.Holds);
        Is("activation change of cutting RES, From RES − groups with RES and more", 0.5, 6, Verdict.Holds);
        // of table 1: From RES by cosine, From MLP by correlation
        Is("activation change, top1 − pearson, targets of table 1", (1 + 0.75) / 2, 6, Verdict.Fails);
        Is("activation change, exhaustive − top1, targets with one active predecessor", 0, 3, Verdict.Open);
        Is("activation change of top1 as a share of exhaustive's", 1, 3, Verdict.Holds);
        Assert.DoesNotContain(claims.Keys, k => k.Contains("From MLP", StringComparison.Ordinal) || k.Contains("ATT", StringComparison.Ordinal)); // there is nothing to compare

        void Is(string quantity, double estimate, int targets, Verdict verdict)
        {
            var claim = claims[quantity];
            Assert.Equal(estimate, claim.Estimate.Value, 12);
            Assert.Equal((targets, verdict, 3), (claim.Targets, claim.Verdict, claim.Estimate.Count));
        }
    }

    [Fact]
    public void A_claim_that_is_wrong_fails()
    {
        var claims = new CausalClaims(Report(2)).All();
        Assert.Equal(Verdict.Fails, claims.First(c => c.Quantity.StartsWith("activation change, top1 − random, each", StringComparison.Ordinal)).Verdict);
    }

    [Fact]
    public void Methods_count_what_has_no_predecessor_as_unchanged()
    {
        var methods = new CausalClaims(Report(0.25)).Methods().ToDictionary(m => m.Method);
        Assert.Equal((6, 6, 1.0, 1.0), (methods["top1"].Targets, methods["top1"].WithPredecessor, methods["top1"].Success.Value, methods["top1"].Change.Value));
        Assert.Equal((6, 3, 0.0, 0.125), (methods["pearson"].Targets, methods["pearson"].WithPredecessor, methods["pearson"].Success.Value, methods["pearson"].Change.Value));
        Assert.Equal(0.125, methods["random"].Change.Value, 12);
    }
}
