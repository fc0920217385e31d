using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Generation;
using FeatureFlow.Saes;
using FeatureFlow.Saes.Training;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Engines.Tests;

/// <summary>Model by model, dictionary by dictionary: what stands above the engine gives the same on every one of them.</summary>
public sealed class ModelTests
{
    private const double Tolerance = 1e-4; // of the largest value, as the fixtures ask

    public static IEnumerable<string> Models => Directory.GetDirectories(Repository.Fixture("models")).Order(StringComparer.Ordinal);

    [Theory, OnCpu, OnTorch]
    public void SitesLogitsAndLossesAreThoseOfTheFixtures(string name)
    {
        foreach (var folder in Models)
        {
            using var model = LanguageModel.Open(folder, Engines.Get(name));
            using var expected = SafetensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
            var rows = Rows(expected, "input_ids");
            using var capture = new Kept(model.Engine, Enumerable.Range(0, model.Config.Layers).SelectMany(l => new[] { Site.ResPre, Site.AttZ, Site.Att, Site.Mlp, Site.Res }.Select(s => new SiteAddress(l, s))));
            var batch = new TokenBatch(rows);
            using var pass = model.Forward(batch, new ForwardOptions { Hook = capture.Sites });
            var names = new Dictionary<Site, string> { [Site.ResPre] = "resid_pre", [Site.AttZ] = "attn_z", [Site.Att] = "attn_out", [Site.Mlp] = "mlp_out", [Site.Res] = "resid_post" };
            foreach (var (at, values) in capture.Sites.Captured) Near(folder, $"{names[at.Site]}.{at.Layer}", expected, Compare.Read(model.Engine, values));
            Near(folder, "logits", expected, Compare.Read(model.Engine, pass.Logits!));
            var length = rows[0].Length;
            var losses = model.TokenLosses(batch);
            Near(folder, "token_loss", expected, [.. rows.SelectMany((_, r) => losses.AsSpan(r * length, length - 1).ToArray())]);
        }
    }

    [Theory, OnCpu, OnTorch]
    public void GeneratedTokensAreThoseOfTheFixtures(string name)
    {
        foreach (var folder in Models)
        {
            using var model = LanguageModel.Open(folder, Engines.Get(name));
            using var expected = SafetensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
            var prompts = Rows(expected, "input_ids").Select(r => new GenerationPrompt(r)).ToArray();
            var texts = new Generator(model, decode: false).Run(prompts, new GenerationOptions { Temperature = 0, MaxTokens = 16, StopAtEos = false }).OrderBy(t => t.Prompt);
            Assert.Equal(Rows(expected, "greedy_ids"), texts.Select(t => t.Ids));
        }
    }

    [Theory, OnCpu, OnTorch]
    public void SamplesAreThoseOfTheBuiltInEngine(string name)
    {
        var folder = Repository.Fixture("models", "llama31-bf16-sharded");
        GenerationPrompt[] prompts = [new([5, 6, 7, 8, 9], 0), new([100, 101], 0), new([5, 6, 7, 8, 9], 1), new([.. Enumerable.Range(0, 40).Select(i => i * 7 % 448)], 2)];
        Assert.Equal(Run(CpuEngine.Shared), Run(Engines.Get(name)));

        IEnumerable<int[]> Run(ITensorEngine engine)
        {
            using var model = LanguageModel.Open(folder, engine);
            return [.. new Generator(model, decode: false).Run(prompts, new GenerationOptions { Seed = 42, MaxTokens = 20, Temperature = 1.27f, TopP = 0.7f }).OrderBy(t => t.Prompt).Select(t => t.Ids)];
        }
    }

    [Theory, OnCpu, OnTorch]
    public void DictionariesEncodeAndDecodeAsTheirProjectsDo(string name)
    {
        var engine = Engines.Get(name);
        foreach (var folder in Directory.GetDirectories(Repository.Fixture("saes")))
        {
            using var sae = Sae.Open(folder);
            using var expected = SafetensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
            using var h = Compare.To(engine, expected.Get("h"));
            using var z = engine.Allocate(DType.F32, h.Shape[0], sae.Info.FeatureCount);
            using var recon = engine.Allocate(DType.F32, h.Shape[0], sae.Info.OutputWidth);
            sae.Encode(engine, h, z);
            sae.Decode(engine, z, h, recon);
            Near(folder, "z", expected, Compare.Read(engine, z), 1e-5);
            Near(folder, "recon", expected, Compare.Read(engine, recon), 1e-5);
            Assert.Empty(sae.Check(engine).Problems);
            var (norms, cpu) = (sae.DecoderNorms(engine), sae.DecoderNorms(CpuEngine.Shared));
            for (var i = 0; i < norms.Length; i++) Assert.Equal(cpu[i], norms[i], 1e-6 * Math.Max(1, cpu[i]));
        }
    }

    [Theory, OnCpu, OnTorch]
    public void PredecessorsGraphsAndClassesAreThoseOfTheBuiltInEngine(string name)
    {
        using var folder = new TempFolder();
        var pack = new Pack("stories260k", folder.File("pack.yaml"), null, from site in new[] { Site.Res, Site.Mlp, Site.Att } from layer in Enumerable.Range(0, 5) select new PackSae(layer, site, Directory.EnumerateFiles(Path.Combine(Repository.Example("stories260k", "saes"), site.Name(), $"layer_{layer}"), "params.npz", SearchOption.AllDirectories).Single()), []);
        File.WriteAllText(folder.File("pack.yaml"), "");
        using FlowEngine cpu = new(CpuEngine.Shared), other = new(Engines.Get(name));
        OpenedPack expected = cpu.Open(pack, FeatureDescriptions.None), actual = other.Open(pack, FeatureDescriptions.None);
        var targets = Enumerable.Range(0, 200).Select(i => new FeatureId(1 + (i % 4), Site.Res, i * 2)).ToArray();
        foreach (var (a, b) in PredecessorSearch.Find(expected, targets, 5).Zip(PredecessorSearch.Find(actual, targets, 5), (a, b) => (a, b)))
        {
            Assert.Equal((a.Feature, a.SourceLayer, a.SourceSite, a.SourceIndex, a.Rank), (b.Feature, b.SourceLayer, b.SourceSite, b.SourceIndex, b.Rank));
            Assert.Equal(a.Similarity, b.Similarity, 1e-9);
        }

        var thresholds = new Thresholds(0.5, 0.5, 0.5);
        Assert.Equal(StaticClasses.Count(expected, thresholds), StaticClasses.Count(actual, thresholds));
        var seed = new FeatureId(4, Site.Res, 17);
        Assert.Equal(FlowGraphBuilder.Build(expected, seed, new FlowGraphOptions()).Edges.Count, FlowGraphBuilder.Build(actual, seed, new FlowGraphOptions()).Edges.Count);
    }

    [Theory, OnCpu, OnTorch]
    public void DictionariesTrainToTheSameNumbers(string name)
    {
        foreach (var kind in Enum.GetValues<SaeTrainingKind>())
        {
            float[][] expected = Train(CpuEngine.Shared, kind), actual = Train(Engines.Get(name), kind);
            for (var i = 0; i < expected.Length; i++) Compare.Near(expected[i], actual[i], 2e-3, $"{kind}, array {i}");
        }
    }

    // a few steps: further on, whether one activation is kept decides, and every engine goes its own way
    private static float[][] Train(ITensorEngine engine, SaeTrainingKind kind)
    {
        var at = new SiteAddress(0, Site.Res);
        using var x = Compare.Matrix(3, 4000, 24);
        var recipe = new SaeRecipe { Address = at, FeatureCount = 64, Kind = kind, TargetL0 = 6, WarmUpSteps = 5, PenaltyWarmUpSteps = 10 };
        using var trainer = new SaeTrainer(engine, new ArrayActivationSource(engine, [(at, x)], seed: 3, "made up"), [recipe], new SaeTrainingOptions { Steps = 12, BatchSize = 128, BufferTokens = 1000, Seed = 11 });
        trainer.Run();
        return [.. trainer.Results().SelectMany(r => (Tensor?[])[r.WEnc_DF, r.WDec_FD, r.BEnc_F, r.BDec_D, r.Threshold_F]).OfType<Tensor>().Select(t => Compare.Read(engine, t))];
    }

    internal static int[][] Rows(SafetensorsFile file, string name)
    {
        var tensor = file.Get(name);
        var values = tensor.AsSpan<long>().ToArray();
        var width = tensor.Shape[1];
        return [.. Enumerable.Range(0, tensor.Shape[0]).Select(r => values.AsSpan(r * width, width).ToArray().Select(v => (int)v).ToArray())];
    }

    private static void Near(string folder, string name, SafetensorsFile expected, float[] actual, double tolerance = Tolerance) =>
        Compare.Near(expected.Get(name).AsSpan<float>().ToArray(), actual, tolerance, $"{Path.GetFileName(folder)} {name}");

    private sealed class Kept(ITensorEngine engine, IEnumerable<SiteAddress> sites) : IDisposable
    {
        public SiteCapture Sites { get; } = new(engine, sites);

        public void Dispose()
        {
            foreach (var tensor in Sites.Captured.Values) tensor.Dispose();
        }
    }
}
