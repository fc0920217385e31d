using FeatureFlow.Models;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Flow.Tests;

/// <summary>Maps between dictionaries against the reference results: every assignment, rectangular ones, compositions, paths.</summary>
public sealed class MapTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly OpenedPack _pack;

    public MapTests() => _pack = Stories.Open(_folder);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_assignment_of_the_reference_has_its_cost_its_errors_and_a_proof()
    {
        var golden = Stories.Golden("match.csv");
        Assert.Equal(36, golden.Count);
        foreach (var row in golden)
        {
            var (a, b) = (new Place(row.Int("layer_a"), Sites.Parse(row["site_a"])), new Place(row.Int("layer_b"), Sites.Parse(row["site_b"])));
            if (row["cost"] == "vanilla")
            {
                using var x = _pack.Lease(a.Layer, a.Site);
                using var y = _pack.Lease(b.Layer, b.Site);
                Same(row, FeatureMapBuilder.Identity(_pack.Engine.Tensors, x.Sae, y.Sae));
                continue;
            }

            var map = FeatureMapBuilder.Build(_pack, a.Layer, a.Site, b.Layer, b.Site, new FeatureMapOptions { Cost = Enum.Parse<MatchCost>(row["cost"], ignoreCase: true), Folded = row["mode"] == "folded" });
            var total = row.Number("total_cost");
            Assert.Equal(total, map.TotalCost!.Value, 1e-6 * total);
            Assert.Equal(total, map.Certificate!.Dual, 1e-6 * total);
            Assert.True(map.Certificate.IsOptimal);
            Assert.Equal(512 * 512, map.Certificate.Pairs);
            Assert.Equal((row.Int("theta0_a"), row.Int("theta0_b")), (map.SourceUnscaled, map.TargetUnscaled));
            Assert.Equal((row["mode"] == "folded" ? "threshold" : "none", 512), (map.SourceFold, map.Pairs.Count));
            Assert.Empty(map.UnmatchedSources);
            Same(row, map.Error!.Value);
        }

        static void Same(Dictionary<string, string> row, MapError error)
        {
            Assert.Equal(row.Number("mse_w_dec"), error.Decoder, 1e-5 * row.Number("mse_w_dec"));
            Assert.Equal(row.Number("mse_w_enc"), error.Encoder, 1e-5 * row.Number("mse_w_enc"));
            Assert.Equal(row.Number("mse_b_enc"), error.EncoderBias, 1e-5 * row.Number("mse_b_enc"));
        }
    }

    [Fact]
    public void Permutations_compositions_and_paths_are_those_of_the_reference()
    {
        using var golden = SafetensorsFile.Open(Repository.Fixture("golden", "stories260k", "permutations.safetensors"));
        var maps = new Dictionary<(int, int), FeatureMap>();
        for (var a = 0; a < Stories.Layers; a++)
        {
            for (var c = a + 1; c < Stories.Layers; c++)
            {
                maps[(a, c)] = FeatureMapBuilder.Build(_pack, a, Site.Res, c, Site.Res);
                Assert.Equal(golden.Get($"res{a}_res{c}").AsSpan<long>().ToArray(), maps[(a, c)].Targets().Select(t => (long)t));
            }
        }

        foreach (var row in Stories.Golden("composition.csv"))
        {
            var (a, c) = (row.Int("layer_a"), row.Int("layer_c"));
            var joined = FeatureMapAlgebra.Join([.. Enumerable.Range(a, c - a).Select(l => maps[(l, l + 1)])]);
            Assert.Equal(row.Number("share_equal"), FeatureMapAlgebra.Agreement(joined, maps[(a, c)]));
            Assert.Equal(($"{a}/res", $"{c}/res", 512), (joined.From, joined.To, joined.Pairs.Count));
        }

        var steps = Enumerable.Range(0, 4).Select(l => maps[(l, l + 1)]).ToArray();
        foreach (var row in Stories.Golden("paths.csv"))
            Assert.Equal(Enumerable.Range(0, 5).Select(l => row.Int($"layer_{l}")), FeatureMapAlgebra.Path(steps, row.Int("layer_0")));
    }

    [Fact]
    public void Unequal_widths_leave_the_rest_unmatched()
    {
        using var golden = SafetensorsFile.Open(Repository.Fixture("golden", "stories260k", "permutations.safetensors"));
        using var x = _pack.Lease(0, Site.Res);
        using var y = _pack.Lease(1, Site.Res);
        var engine = _pack.Engine.Tensors;
        var groups = new[] { ParameterGroup.Decoder, ParameterGroup.Encoder, ParameterGroup.EncoderBias }.Select(g => (g, 1.0)).ToList();
        using var a = new DictionaryParameters(engine, FoldedSae.Of(engine, x.Sae)).Points(groups);
        using var b = new DictionaryParameters(engine, FoldedSae.Of(engine, y.Sae)).Points(groups);
        foreach (var row in Stories.Golden("rectangular.csv"))
        {
            var (n, m) = (row.Int("features_a"), row.Int("features_b"));
            var found = AssignmentSolver.Solve(new PointCosts(engine, a.Rows(0, n), b.Rows(0, m), "rectangular"));
            Assert.Equal(row.Number("total_cost"), found.Certificate.Primal, 1e-6 * row.Number("total_cost"));
            Assert.True(found.Certificate.IsOptimal);
            Assert.Equal(row.Int("unmatched_a"), found.Target.Count(t => t < 0));
            Assert.Equal(row.Int("unmatched_b"), m - found.Target.Count(t => t >= 0));
            Assert.Equal(golden.Get("rect_" + row["name"]).AsSpan<long>().ToArray(), found.Target.Select(t => (long)t));
        }
    }

    [Fact]
    public void Cosine_maps_are_the_predecessor_search_seen_from_the_other_side()
    {
        var map = FeatureMapBuilder.Build(_pack, 3, Site.Res, 2, Site.Res, new FeatureMapOptions { Method = MapMethod.Cosine, Top = 3 });
        var matches = PredecessorSearch.Find(_pack, [.. Enumerable.Range(0, 512).Select(i => new FeatureId(3, Site.Res, i))], 3, [Site.Res]).Where(m => m.Similarity > 0).ToArray();
        Assert.Equal(matches.Select(m => (m.Index, m.SourceIndex)), map.Pairs.Select(p => (p.Source, p.Target)));
        Assert.All(matches.Zip(map.Pairs), p => Assert.Equal(p.First.Similarity, p.Second.Similarity!.Value, 1e-7));
        Assert.All(map.Pairs, p => Assert.Equal(1, p.Weight));
        var weighted = FeatureMapBuilder.Build(_pack, 3, Site.Res, 2, Site.Res, new FeatureMapOptions { Method = MapMethod.Cosine, Top = 3, Weighted = true });
        Assert.All(weighted.Pairs, p => Assert.Equal(p.Similarity, p.Weight));
    }

    [Fact]
    public void Composition_multiplies_the_matrices()
    {
        var random = new Random(5);
        FeatureMap Made(int rows, int columns) => new()
        {
            Method = MapMethod.Cosine, SourceCount = rows, TargetCount = columns,
            Pairs = [.. from i in Enumerable.Range(0, rows) from j in Enumerable.Range(0, columns) where random.Next(3) == 0 select new FeaturePair(i, j, null, null, random.NextDouble())],
        };
        double[,] Matrix(FeatureMap map)
        {
            var matrix = new double[map.SourceCount, map.TargetCount];
            foreach (var pair in map.Pairs) matrix[pair.Source, pair.Target] += pair.Weight;
            return matrix;
        }

        FeatureMap a = Made(7, 9), b = Made(9, 5);
        var (x, y, z) = (Matrix(a), Matrix(b), Matrix(FeatureMapAlgebra.Join([a, b])));
        for (var i = 0; i < 7; i++)
        {
            for (var j = 0; j < 5; j++) Assert.Equal(Enumerable.Range(0, 9).Sum(k => x[i, k] * y[k, j]), z[i, j], 1e-12);
        }

        Assert.Equal([0, 2, 1], FeatureMapAlgebra.Path([Single(2, 1, 0), Single(0, 2, 1)], 0));
        Assert.Equal([1], FeatureMapAlgebra.Path([Single(2, -1, 0)], 1));
        Assert.Equal(2 / 3.0, FeatureMapAlgebra.Agreement(Single(2, 1, 0), Single(2, 1, 1)));
        Assert.Equal("FF4065", Assert.Throws<FeatureFlowException>(() => FeatureMapAlgebra.Join([a with { To = "1/res" }, b with { From = "2/res" }])).Code);
    }

    [Fact]
    public void Errors_of_a_map_are_those_it_was_made_with()
    {
        var map = FeatureMapBuilder.Build(_pack, 0, Site.Res, 1, Site.Res);
        Assert.Equal(map.Error!.Value.Decoder, map.Pairs.Average(p => p.DecoderError!.Value), 1e-12);
        var bare = map with { Pairs = [.. map.Pairs.Select(p => new FeaturePair(p.Source, p.Target, null, null))], Error = null };
        var measured = FeatureMapBuilder.WithErrors(_pack, bare);
        Assert.Equal(map.Error, measured.Error);
        Assert.Equal(map.Pairs.Select(p => (p.Similarity, p.DecoderError)), measured.Pairs.Select(p => (p.Similarity, p.DecoderError)));
        using var x = _pack.Lease(0, Site.Res);
        // folding makes a decoder row as long as its threshold: rows of these SAEs have norm 1
        Assert.Equal(x.Sae.Threshold_F!.AsSpan<float>().ToArray().Average(t => (double)Math.Max(t, 0)), map.Error.Value.SourceNorm, 1e-3);
        Assert.Equal("FF4068", Assert.Throws<FeatureFlowException>(() => FeatureMapBuilder.WithErrors(_pack, bare with { From = null })).Code);
        Assert.Equal("FF4068", Assert.Throws<FeatureFlowException>(() => FeatureMapBuilder.WithErrors(_pack, bare with { Pairs = [new FeaturePair(512, 0, null, null)] })).Code);
    }

    [Fact]
    public void Folding_by_means_needs_them()
    {
        var options = new FeatureMapOptions { Cost = MatchCost.Decoder, Fold = FoldRule.MeanActivation };
        Assert.Equal("FF3120", Assert.Throws<FeatureFlowException>(() => FeatureMapBuilder.Build(_pack, 0, Site.Res, 1, Site.Res, options)).Code);
        double[] ones = [.. Enumerable.Repeat(1.0, 511), 0];
        var map = FeatureMapBuilder.Build(_pack, 0, Site.Res, 1, Site.Res, options with { SourceMeans = ones, TargetMeans = ones });
        // scales of 1 are no fold; the feature that never fired is counted
        Assert.Equal(FeatureMapBuilder.Build(_pack, 0, Site.Res, 1, Site.Res, new FeatureMapOptions { Cost = MatchCost.Decoder, Folded = false }).Targets(), map.Targets());
        Assert.Equal(("mean-activation", 1, 1), (map.SourceFold, map.SourceUnscaled, map.TargetUnscaled));
    }

    [Fact]
    public void Weights_scale_the_terms()
    {
        var both = FeatureMapBuilder.Build(_pack, 0, Site.Res, 1, Site.Res, new FeatureMapOptions { EncoderWeight = 0, BiasWeight = 0 });
        var decoder = FeatureMapBuilder.Build(_pack, 0, Site.Res, 1, Site.Res, new FeatureMapOptions { Cost = MatchCost.Decoder });
        Assert.Equal(decoder.Targets(), both.Targets());
        Assert.Equal(decoder.TotalCost!.Value, both.TotalCost!.Value, 1e-9);
        Assert.Equal("FF4064", Assert.Throws<FeatureFlowException>(() => FeatureMapBuilder.Build(_pack, 0, Site.Res, 1, Site.Res, new FeatureMapOptions { BiasWeight = -1 })).Code);
        Assert.Equal("FF4001", Assert.Throws<FeatureFlowException>(() => FeatureMapBuilder.Build(_pack, 0, Site.Res, 9, Site.Res)).Code);
    }

    private static FeatureMap Single(params int[] targets) => new()
    {
        Method = MapMethod.Assignment, SourceCount = targets.Length, TargetCount = targets.Length,
        Pairs = [.. targets.Select((t, i) => new FeaturePair(i, t, null, null)).Where(p => p.Target >= 0)],
    };
}
