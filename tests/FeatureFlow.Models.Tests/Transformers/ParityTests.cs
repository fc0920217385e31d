using FeatureFlow.Tensors;
using FeatureFlow.Testing;
using Xunit.Abstractions;
using static FeatureFlow.Models.Tests.Transformers.ModelFixtures;

namespace FeatureFlow.Models.Tests.Transformers;

/// <summary>Every tensor of every fixture, and the same tokens whichever way they are computed.</summary>
public class ParityTests(ITestOutputHelper output)
{
    public static TheoryData<string> Fixtures => All;

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void EverySiteLogitsAndLossesAgree(string folder)
    {
        using var model = Open(folder);
        using var expected = Expected(folder);
        var rows = Rows(expected, "input_ids");
        var capture = new SiteCapture(model.Engine, Enumerable.Range(0, model.Config.Layers).SelectMany(l => new[] { Site.ResPre, Site.AttZ, Site.Att, Site.Mlp, Site.Res }.Select(s => new SiteAddress(l, s))));
        var batch = new TokenBatch(rows);
        using var pass = model.Forward(batch, new ForwardOptions { Hook = capture });
        var names = new Dictionary<Site, string> { [Site.ResPre] = "resid_pre", [Site.AttZ] = "attn_z", [Site.Att] = "attn_out", [Site.Mlp] = "mlp_out", [Site.Res] = "resid_post" };
        Assert.Equal(5 * model.Config.Layers, capture.Captured.Count);
        foreach (var (at, values) in capture.Captured.OrderBy(c => c.Key)) Check($"{names[at.Site]}.{at.Layer}", values);
        Check("logits", pass.Logits!);

        var normed = Tensor.Allocate(DType.F32, batch.Count, model.Config.Width);
        model.FinalNorm(pass.Resid_TD, normed);
        Check("final_norm", normed);

        var losses = model.TokenLosses(batch);
        var length = rows[0].Length;
        Check("token_loss", Tensor.From([.. rows.SelectMany((_, r) => losses.AsSpan(r * length, length - 1).ToArray())], rows.Length, length - 1));
        Assert.All(Enumerable.Range(0, rows.Length), r => Assert.Equal(0, losses[r * length + length - 1]));

        void Check(string name, Tensor actual)
        {
            var error = Error(actual, expected.Get(name));
            output.WriteLine($"{Path.GetFileName(folder)} {name} {error:0.0e+0}");
            Assert.True(error <= Tolerance(model), $"{name} is off by {error:0.0e+0} of its largest value");
        }
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void GreedyTokensAgreeWithAndWithoutTheCacheBatchedAndSingle(string folder)
    {
        using var model = Open(folder);
        using var file = Expected(folder);
        var rows = Rows(file, "input_ids");
        var greedy = Rows(file, "greedy_ids");
        var steps = greedy[0].Length;

        // whole sequences again for every token, both rows together
        var texts = rows.ToArray();
        var found = rows.Select(_ => new List<int>()).ToArray();
        var logits = new List<float[]>();
        for (var s = 0; s < steps; s++)
        {
            using var pass = model.Forward(new TokenBatch(texts), new ForwardOptions { Logits = LogitsWanted.Last });
            for (var r = 0; r < rows.Length; r++)
            {
                var row = TestEngine.Read(pass.Logits!.Rows(r, 1));
                found[r].Add(Largest(row));
                texts[r] = [.. texts[r], found[r][^1]];
                if (r == 0) logits.Add(row);
            }
        }

        Assert.Equal(greedy.Select(g => g.ToList()), found);

        // with a cache, both rows together; then the first row alone: the same bits
        foreach (var some in new[] { rows, [rows[0]] })
        {
            using var cache = model.NewCache(some.Length, capacity: 8);
            var batch = TokenBatch.Continue(cache, some);
            for (var s = 0; s < steps; s++)
            {
                using var pass = model.Forward(batch, new ForwardOptions { Cache = cache, Logits = LogitsWanted.Last });
                var next = Enumerable.Range(0, some.Length).Select(r => Largest(TestEngine.Read(pass.Logits!.Rows(r, 1)))).ToArray();
                Assert.Equal(some.Select((_, r) => greedy[r][s]), next);
                TestEngine.AssertSame(logits[s], TestEngine.Read(pass.Logits!.Rows(0, 1)));
                batch = TokenBatch.Continue(cache, [.. next.Select(n => new[] { n })]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void RowsOfAnyLengthSideBySideAreWhatTheyAreAlone(string folder)
    {
        using var model = Open(folder);
        using var file = Expected(folder);
        var ids = Rows(file, "input_ids");
        int[][] rows = [ids[0], ids[1][..5], ids[1], [ids[0][3]]];
        using var together = model.Forward(new TokenBatch(rows));
        var at = 0;
        foreach (var row in rows)
        {
            using var alone = model.Forward(new TokenBatch([row]));
            TestEngine.AssertSame(TestEngine.Read(alone.Logits!), TestEngine.Read(together.Logits!.Rows(at, row.Length)));
            at += row.Length;
        }

        // padding on either side says the same
        int[][] padded = [[0, 0, .. ids[1][..5]], [.. ids[0][..6], 0]], mask = [[0, 0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 0]];
        using var fromPadded = model.Forward(TokenBatch.FromPadded(padded, mask));
        using var plain = model.Forward(new TokenBatch([ids[1][..5], ids[0][..6]]));
        TestEngine.AssertSame(TestEngine.Read(plain.Logits!), TestEngine.Read(fromPadded.Logits!));
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void StartingInTheMiddleGoesOnAsIfNothingHadHappened(string folder)
    {
        using var model = Open(folder);
        using var file = Expected(folder);
        var batch = new TokenBatch(Rows(file, "input_ids"));
        using var whole = model.Forward(batch);
        for (var first = 1; first < model.Config.Layers; first++)
        {
            using var begun = model.Forward(batch, new ForwardOptions { LastLayer = first - 1 });
            Assert.Null(begun.Logits);
            using var ended = model.Forward(batch, new ForwardOptions { FirstLayer = first, Resid_TD = begun.Resid_TD });
            TestEngine.AssertSame(TestEngine.Read(whole.Logits!), TestEngine.Read(ended.Logits!));
        }
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void WhatIsWrittenAtASiteIsWhatTheModelGoesOnWith(string folder)
    {
        using var model = Open(folder);
        using var file = Expected(folder);
        var batch = new TokenBatch(Rows(file, "input_ids"));
        var last = model.Config.Layers - 1;

        // no attention output and no MLP output in the last layer leaves its input
        var capture = new SiteCapture(model.Engine, [new SiteAddress(last, Site.ResPre)]);
        var zero = new Writer(a => a.Layer == last && a.Site is Site.Att or Site.Mlp && a.Layer == last, (_, x) => Fill(x, 0));
        using (var pass = model.Forward(batch, new ForwardOptions { Hook = new SiteHooks(capture, zero) }))
        {
            TestEngine.AssertSame(TestEngine.Read(capture.Captured.Values.Single()), TestEngine.Read(pass.Resid_TD));
            Assert.Equal([new SiteAddress(last, Site.Att), new SiteAddress(last, Site.Mlp)], zero.Seen);
        }

        // a residual stream written whole is what comes out
        using (var pass = model.Forward(batch, new ForwardOptions { Hook = new Writer(a => a == new SiteAddress(last, Site.Res), (_, x) => Fill(x, 3)) }))
            Assert.All(TestEngine.Read(pass.Resid_TD), v => Assert.Equal(3, v));

        // heads set to zero leave the bias of the output projection, the same for every token
        var att = new SiteCapture(model.Engine, [new SiteAddress(0, Site.Att)]);
        using (model.Forward(batch, new ForwardOptions { Hook = new SiteHooks(new Writer(a => a == new SiteAddress(0, Site.AttZ), (_, x) => Fill(x, 0)), att) }))
        {
            var values = att.Captured.Values.Single();
            TestEngine.AssertSame(TestEngine.Read(values.Rows(0, 1)), TestEngine.Read(values.Rows(values.Shape[0] - 1, 1)));
        }

        static void Fill(Tensor x, float value) => TestEngine.Fill(x, value);
    }

    private sealed class Writer(Func<SiteAddress, bool> wants, Action<SiteAddress, Tensor> write) : ISiteHook
    {
        public List<SiteAddress> Seen { get; } = [];

        public bool Wants(SiteAddress at) => wants(at);

        public void Visit(SiteAddress at, Tensor x_TD, TokenBatch batch)
        {
            Seen.Add(at);
            write(at, x_TD);
        }
    }
}
