using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Flow.Tests.Causal;

/// <summary>Single tokens computed anew through single layers, against whole forward passes under the same edits: every family of models, every site, every kind of SAE.</summary>
public sealed class LayerReplayTests : IDisposable
{
    private const int Features = 24;

    private readonly TempFolder _folder = new();
    private readonly FlowEngine _engine = Stories.Engine();

    public static TheoryData<string> Models
    {
        get
        {
            var folders = Directory.GetDirectories(Repository.Fixture("models")).ToList();
            if (Environment.GetEnvironmentVariable("FEATUREFLOW_TEST_MODELS") is { Length: > 0 } more && Directory.Exists(more))
                folders.AddRange(Directory.GetDirectories(more).Where(f => !folders.Exists(o => Path.GetFileName(o) == Path.GetFileName(f))));
            return [.. folders.Order(StringComparer.Ordinal)];
        }
    }

    public void Dispose()
    {
        _engine.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void A_cut_does_what_it_does_in_a_whole_pass(string folder)
    {
        using var lease = _engine.Model(folder);
        var model = lease.Model;
        var (layer, random) = (model.Config.Layers - 1, new Random(5));
        var document = new TokenDocument([.. Enumerable.Range(0, 40).Select(_ => random.Next(model.Config.Vocabulary))], false, "drawn");
        int[] positions = [0, 1, 17, 39];
        var (res, pre, mlp, tc, att) = (new Place(layer - 1, Site.Res), new Place(layer, Site.ResPre), new Place(layer, Site.Mlp), new Place(layer, Site.Tc), new Place(layer, Site.Att));
        var after = new Place(layer, Site.Res);
        var first = Pack(model, "first", (res, "jumprelu"), (mlp, "standard"), (att, "standard"), (after, "jumprelu"));
        var second = Pack(model, "second", (pre, "layer_norm"), (tc, "transcoder"), (att, "topk"), (after, "topk"));
        var tried = 0;
        foreach (var (pack, target, lanes) in new[]
        {
            (first, after, new Lanes(res, mlp, att)), (second, after, new Lanes(pre, tc, att)),
            (first, mlp, new Lanes(res, null, null)), (second, att, new Lanes(pre, null, null)), (second, tc, new Lanes(pre, null, null)),
        })
        {
            using var memory = new ReplayMemory(model);
            using var replay = new LayerReplay(pack, model, document, positions, new Dictionary<Place, Lanes> { [target] = lanes }, memory, default);
            var (plan, asked) = (new CutPlan(), new List<(int Row, FeatureEdit[] Edits, int Feature, FeatureId[]?[]? Watched)>());
            for (var i = 0; i < 32; i++)
            {
                var row = random.Next(positions.Length);
                var edits = lanes.All().Where(_ => random.Next(2) == 0).SelectMany(l => Enumerable.Range(0, random.Next(3)).Select(_ => Edit(l.Place.Feature(random.Next(Features))))).DistinctBy(e => e.Feature).ToArray();
                FeatureId[]?[]? watched = i % 3 == 0 ? null : [.. Enum.GetValues<EdgeKind>().Select(kind => lanes.All().Where(l => l.Kind == kind).Select(l => new[] { l.Place.Feature(random.Next(Features)), l.Place.Feature(random.Next(Features)) }).FirstOrDefault())];
                asked.Add((row, edits, random.Next(Features), watched));
                plan.Ask(plan.Add(row, edits), asked[^1].Feature, watched);
            }

            var outcomes = replay.Run(target, lanes, plan);
            foreach (var (question, outcome) in asked.Zip(outcomes))
            {
                var (activation, active) = WholePass(pack, model, document, positions[question.Row], target.Feature(question.Feature), question.Edits, question.Watched);
                Assert.True(Math.Abs(activation - outcome.Activation) <= 1e-4 * Math.Max(1, activation), $"{target}, {string.Join(" ", question.Edits.AsEnumerable())}: {outcome.Activation}, a whole pass {activation}");
                Assert.Equal(active, outcome.Active);
                tried += activation > 0 ? 1 : 0;
            }

            Assert.True(plan.Cuts.Count < asked.Count); // nothing done at one token is one cut
        }

        Assert.True(tried > 30);

        FeatureEdit Edit(FeatureId feature) => random.Next(4) == 0 ? new FeatureEdit(feature, EditMethod.Add, random.NextDouble() - 0.3) : new FeatureEdit(feature, EditMethod.Rescale, random.Next(-1, 3));
    }

    // the same edits at that token of all of the text
    private static (double Activation, PredecessorSites Active) WholePass(OpenedPack pack, LanguageModel model, TokenDocument document, int position, FeatureId target, FeatureEdit[] edits, FeatureId[]?[]? watched)
    {
        using var set = new InterventionSet(pack, model, [edits]);
        using var hook = set.Hook([new RowEdits(0, EditPositions.At(position))]);
        using var reader = new TargetReader(pack, model.Engine, [target, .. watched?.SelectMany(w => w ?? []) ?? []]);
        model.Forward(new TokenBatch([document.Ids]), new ForwardOptions { Hook = new SiteHooks(hook, reader), Logits = LogitsWanted.None }).Dispose();
        var active = PredecessorSites.None;
        for (var kind = 0; kind < watched?.Length; kind++)
        {
            if (watched[kind]?.Any(f => reader.Activation(f, position) > 0) == true) active |= ActivationGroups.Sites[kind];
        }

        return (reader.Activation(target, position)!.Value, active);
    }

    private OpenedPack Pack(LanguageModel model, string name, params (Place Place, string Kind)[] saes)
    {
        var yaml = _folder.File(name + ".yaml");
        File.WriteAllText(yaml, "");
        return _engine.Open(new Pack(name, yaml, null, [.. saes.Select(s => new PackSae(s.Place.Layer, s.Place.Site, Sae(_folder.File(name, s.Place.ToString().Replace('/', '-')), model.Config.Width, s.Kind)))], []), FeatureDescriptions.None);
    }

    // random features, in the format of SAELens
    private static string Sae(string folder, int width, string kind)
    {
        Directory.CreateDirectory(folder);
        var random = new Random(folder.Length + kind.Length);
        var architecture = kind == "layer_norm" ? "standard" : kind;
        File.WriteAllText(
            Path.Combine(folder, "cfg.json"),
            $$"""{"architecture":"{{architecture}}","d_in":{{width}},"d_sae":{{Features}},"k":6,"d_out":{{width}},"dtype":"float32","apply_b_dec_to_input":{{(kind == "transcoder" ? "false" : "true")}},"normalize_activations":"{{(kind == "layer_norm" ? kind : "none")}}","metadata":{"hook_name":"blocks.1.hook_resid_post"} }""");
        List<(string, Tensor)> tensors = [("W_enc", Values(1, width, Features)), ("W_dec", Values(0.3f, Features, width)), ("b_enc", Values(0.2f, Features)), ("b_dec", Values(0.1f, width))];
        if (kind == "jumprelu") tensors.Add(("threshold", Values(0, Features)));
        SafetensorsFile.Write(Path.Combine(folder, "sae_weights.safetensors"), null, tensors);
        return folder;

        Tensor Values(float scale, params int[] shape)
        {
            var tensor = Tensor.Allocate(DType.F32, shape);
            foreach (ref var v in tensor.AsSpan<float>()) v = scale == 0 ? 0.05f : scale * ((float)random.NextDouble() - 0.5f);
            return tensor;
        }
    }
}
