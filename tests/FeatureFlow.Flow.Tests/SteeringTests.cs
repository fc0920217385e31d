using System.Text.Json.Nodes;
using FeatureFlow.Models;
using FeatureFlow.Models.Generation;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Flow.Tests;

/// <summary>Steering on the trained example pack: the reference results, and what must hold whatever the numbers are.</summary>
public sealed class SteeringTests : IDisposable
{
    private static readonly JsonNode Golden = JsonNode.Parse(File.ReadAllText(Repository.Fixture("golden", "stories260k", "steer.json")))!;
    private static readonly JsonNode[] Settings = [.. Golden["settings"]!.AsArray()!];

    private readonly TempFolder _folder = new();
    private readonly FlowEngine _engine = Stories.Engine();
    private readonly OpenedPack _pack;
    private readonly ModelLease _lease;

    public SteeringTests()
    {
        var yaml = _folder.File("pack.yaml");
        File.WriteAllText(yaml, "");
        var saes = Repository.Example("storyworld", "saes");
        _pack = _engine.Open(
            new Pack("storyworld", yaml, null, from site in new[] { Site.Res, Site.Mlp, Site.Att } from layer in Enumerable.Range(0, 6) select new PackSae(layer, site, Stories.SaeFile(saes, layer, site)), []),
            FeatureDescriptions.None);
        _lease = _engine.Model(Repository.Example("storyworld", "model"));
    }

    private LanguageModel Model => _lease.Model;

    public void Dispose()
    {
        _lease.Dispose();
        _engine.Dispose();
        _folder.Dispose();
    }

    [DataFact]
    public void All_reference_settings_in_one_batch_write_the_same_tokens()
    {
        using var lease = _engine.Model(Path.Combine(Repository.Data!, "stories260k", "model"));
        var (pack, model) = (Stories.Open(_folder, _engine), lease.Model);
        var tasks = Settings.Select(s => new SteeringTask(Plan(s), Ints(s["prompt"]!), "")).ToList();
        var options = new SteeringOptions { Generation = new GenerationOptions { MaxTokens = (int)Golden["new_tokens"]!, Temperature = 0, StopAtEos = false }, Measure = false };
        var results = Steerer.Run(pack, model, tasks, options).OrderBy(r => r.Task).ToList();
        Assert.Equal(Settings.Length, results.Count);
        foreach (var (setting, result) in Settings.Zip(results)) Assert.True(Ints(setting["tokens"]!).SequenceEqual(result.Ids), $"{result.Plan}: {string.Join(',', result.Ids)}");
    }

    [DataFact]
    public void First_logits_of_the_reference_settings()
    {
        using var lease = _engine.Model(Path.Combine(Repository.Data!, "stories260k", "model"));
        var (pack, model) = (Stories.Open(_folder, _engine), lease.Model);
        using var set = new InterventionSet(pack, model, [.. Settings.Select(s => Plan(s).Edits)]);
        using var hook = set.Hook([.. Settings.Select((_, i) => new RowEdits(i))]);
        using var pass = model.Forward(new TokenBatch([.. Settings.Select(s => Ints(s["prompt"]!))]), new ForwardOptions { Hook = hook, Logits = LogitsWanted.Last });
        var logits = TestEngine.Read(pass.Logits!);
        for (var i = 0; i < Settings.Length; i++)
        {
            var expected = Settings[i]["first_logits"]!.AsArray();
            for (var v = 0; v < expected.Count; v++) Assert.True(Math.Abs((double)expected[v]! - logits[i * expected.Count + v]) < 1e-3, $"{Settings[i]["name"]} {v}");
        }
    }

    [Fact]
    public void Plans_of_the_reference_graph_have_the_reference_coefficients()
    {
        var (pack, g) = (Stories.Open(_folder, _engine), Golden["graph"]!);
        var graph = FlowGraphBuilder.Build(pack, FeatureId.Parse((string)g["seed"]!), new FlowGraphOptions { Direction = FlowDirection.Both, Thresholds = new Thresholds((double)g["thresholds"]!["res"]!, (double)g["thresholds"]!["mlp"]!, (double)g["thresholds"]!["att"]!) });
        var compared = 0;
        foreach (var s in Settings.Where(s => (string)s["method"]! == "add" && s["items"]!.AsArray().Count > 0))
        {
            var all = s["items"]!.AsArray().Any(i => (string)i!["site"]! != "res");
            var recipe = new SteeringRecipe
            {
                Method = EditMethod.Add,
                Coefficient = (double)s["s"]!,
                Alpha = (double)s["alpha"]!,
                End = (double)s["s_end"]!,
                Folded = (bool)s["folded"]!,
                Layer = (int)s["layer"]!,
                Mode = Enum.Parse<SteeringMode>((string)s["mode"]!, true),
                Schedule = Enum.Parse<SteeringSchedule>((string)s["schedule"]!, true),
            };
            var plan = SteeringPlanner.Make(pack, SteeringFeatures.Of([graph], sites: all ? [Site.Res, Site.Mlp, Site.Att] : null), recipe);
            Assert.Equal(Plan(s).Edits.OrderBy(e => e.Feature).Select(e => (e.Feature, e.Method, e.Folded)), plan.Edits.Select(e => (e.Feature, e.Method, e.Folded)));
            foreach (var (expected, actual) in Plan(s).Edits.OrderBy(e => e.Feature).Zip(plan.Edits)) Assert.Equal(expected.Coefficient, actual.Coefficient, 12);
            compared++;
        }

        Assert.True(compared >= 8);
    }

    [Fact]
    public void A_text_is_the_same_alone_and_among_others_bit_for_bit()
    {
        var tasks = Settings.Where(s => s["items"]!.AsArray().Count != 1).SelectMany(s => Enumerable.Range(0, 3).Select(n => new SteeringTask(Plan(s), Ints(s["prompt"]!)[..(n + 2)], "", n))).ToList();
        var options = new SteeringOptions { Generation = SteeringOptions.PaperGeneration with { MaxTokens = 9, Seed = 5 } };
        var together = Steerer.Run(_pack, Model, tasks, options).OrderBy(r => r.Task).ToList();
        var alone = tasks.Select(t => Steerer.Run(_pack, Model, [t], options).Single()).ToList();
        foreach (var (a, b) in together.Zip(alone))
        {
            Assert.Equal(b.Ids, a.Ids);
            TestEngine.AssertSame([.. Numbers(b)], [.. Numbers(a)]);
        }
    }

    [Theory]
    [InlineData(64)]
    [InlineData(3)]
    public void Texts_come_plan_by_plan_in_the_order_of_the_tasks(int rows)
    {
        // ends as they may: some texts are over long before those that were begun with them
        SteeringPlan[] plans = [SteeringPlan.Unsteered, new SteeringPlan { Name = "p", Edits = [new FeatureEdit(new FeatureId(1, Site.Res, 5), EditMethod.Add, 4)] }];
        int[] ids = [1, 403, 407];
        var tasks = (from sample in Enumerable.Range(0, 20) from plan in plans select new SteeringTask(plan, ids, "", sample)).ToList();
        var options = new SteeringOptions { Measure = false, Generation = SteeringOptions.PaperGeneration with { MaxTokens = 24, Stop = ["."], RowsTogether = rows } };
        var results = Steerer.Run(_pack, Model, tasks, options).ToList();
        Assert.True(results.Select(r => r.Ids.Length).Distinct().Count() > 3);
        Assert.Equal(Enumerable.Range(0, 20).Select(i => 2 * i).Concat(Enumerable.Range(0, 20).Select(i => (2 * i) + 1)), results.Select(r => r.Task));
    }

    private static IEnumerable<float> Numbers(SteeringResult r) => new[] { r.PerturbationNorm, r.Kl, r.Perplexity, r.TargetBefore, r.TargetAfter }.Select(v => (float)(v ?? 0));

    [Fact]
    public void What_is_measured_is_what_was_done()
    {
        FeatureId feature = new(2, Site.Res, 794);
        var norm = _pack.Feature(feature).Norm;
        var add = new SteeringPlan { Name = "add", Edits = [new FeatureEdit(feature, EditMethod.Add, 25)], Targets = [feature] };
        var nothing = new SteeringPlan { Name = "nothing", Edits = [new FeatureEdit(feature, EditMethod.Rescale, 1), new FeatureEdit(feature, EditMethod.Add, 0)], Targets = [feature] };
        int[] ids = [1, 403, 407, 261];
        var options = new SteeringOptions { Generation = SteeringOptions.PaperGeneration with { MaxTokens = 8 } };
        var results = Steerer.Run(_pack, Model, [new SteeringTask(add, ids, ""), new SteeringTask(nothing, ids, ""), new SteeringTask(SteeringPlan.Unsteered, ids, "")], options).OrderBy(r => r.Task).ToList();

        Assert.Equal(25 * norm, results[0].PerturbationNorm!.Value, 4);
        Assert.True(results[0].Kl > 0.1);
        Assert.True(results[0].TargetAfter > results[0].TargetBefore);
        Assert.Equal(results[2].Ids, results[1].Ids);
        Assert.Equal((0, 0), (results[1].PerturbationNorm, results[1].Kl));
        Assert.Equal(results[1].TargetBefore, results[1].TargetAfter);
        Assert.Null(results[2].TargetAfter);

        // perplexity by the model's own losses
        int[] all = [.. ids, .. results[0].Ids];
        var losses = Model.TokenLosses(new TokenBatch([all]))[(ids.Length - 1)..^1];
        Assert.Equal(Math.Exp(losses.Average(l => (double)l)), results[0].Perplexity!.Value, 3);
    }

    [Theory]
    [InlineData("5/res/108", "5/res/108")] // the last state alone: no layer of the unsteered model is left to compute
    [InlineData("0/res/794", "0/res/108")]
    [InlineData("2/mlp/40", "2/mlp/40", "2/res/36")]
    [InlineData("3/att/12", "3/res/199", "1/res/36")]
    [InlineData("1/res/36 4/mlp/7", "1/res/36", "1/mlp/5", "4/res/108")]
    [InlineData("2/res/36 2/att/9", "2/res/36")]
    public void Measures_are_those_of_two_whole_passes(string edited, params string[] targets)
    {
        var plan = new SteeringPlan { Name = "p", Edits = [.. edited.Split(' ').Select(f => new FeatureEdit(FeatureId.Parse(f), EditMethod.Add, 6))], Targets = [.. targets.Select(FeatureId.Parse)] };
        int[] ids = [1, 403, 407, 261, 378];
        var options = new SteeringOptions { Generation = SteeringOptions.PaperGeneration with { MaxTokens = 7, StopAtEos = false } };
        var results = Steerer.Run(_pack, Model, [.. Enumerable.Range(0, 3).Select(n => new SteeringTask(plan, ids[..(n + 3)], "", n)), new SteeringTask(SteeringPlan.Unsteered, ids, "")], options).ToList();
        using var set = new InterventionSet(_pack, Model, [plan.Edits]);
        foreach (var result in results.Where(r => r.Plan == "p"))
        {
            var first = result.Sample + 2;
            int[] all = [.. ids[..(result.Sample + 3)], .. result.Ids[..^1]];
            using var hook = set.Hook([new RowEdits(0)]);
            var (steered, after) = Pass(new SiteHooks(hook, Capture()));
            var (clean, before) = Pass(Capture());
            Assert.Equal(Enumerable.Range(first, 7).Average(t => Divergence(steered[t], clean[t])), result.Kl!.Value, 4);
            Assert.Equal(Math.Exp(Enumerable.Range(0, 7).Average(i => -LogSoftmax(clean[first + i])[result.Ids[i]])), result.Perplexity!.Value, 2);
            Assert.Equal(before, result.TargetBefore!.Value, 3);
            Assert.Equal(after, result.TargetAfter!.Value, 3);

            (float[][] Logits, double Targets) Pass(ISiteHook watched)
            {
                using var pass = Model.Forward(new TokenBatch([all]), new ForwardOptions { Hook = watched });
                var logits = TestEngine.Read(pass.Logits!);
                var seen = (watched as SiteCapture ?? _capture)!.Captured;
                return ([.. logits.Chunk(Model.Config.Vocabulary)], plan.Targets.Average(f => Enumerable.Range(first, 7).Average(t => Activation(f, seen[new SiteAddress(f.Layer, f.Site)], t))));
            }
        }

        SiteCapture Capture() => _capture = new SiteCapture(Model.Engine, plan.Targets.Select(f => new SiteAddress(f.Layer, f.Site)).Distinct());
    }

    private SiteCapture? _capture;

    private double Activation(FeatureId feature, Tensor x_TD, int token)
    {
        var sae = _pack.Sae(feature.Layer, feature.Site);
        using var z_TF = Tensor.Allocate(DType.F32, x_TD.Shape[0], sae.Info.FeatureCount);
        sae.Encode(Model.Engine, x_TD, z_TF, default);
        return z_TF.AsSpan<float>()[(token * sae.Info.FeatureCount) + feature.Index];
    }

    private static double[] LogSoftmax(float[] logits)
    {
        double most = logits.Max(), sum = Math.Log(logits.Sum(x => Math.Exp(x - most)));
        return [.. logits.Select(x => x - most - sum)];
    }

    private static double Divergence(float[] p, float[] q) => LogSoftmax(p).Zip(LogSoftmax(q), (a, b) => Math.Exp(a) * (a - b)).Sum();

    [Theory]
    [InlineData(SteeredTokens.Prompt)]
    [InlineData(SteeredTokens.Continuation)]
    public void Only_chosen_tokens_are_steered(SteeredTokens tokens)
    {
        var plan = new SteeringPlan { Name = "p", Edits = [new FeatureEdit(new FeatureId(1, Site.Res, 5), EditMethod.Add, 4)] };
        int[] ids = [1, 403, 407, 261, 378];
        var options = new SteeringOptions { Generation = SteeringOptions.PaperGeneration with { MaxTokens = 6, StopAtEos = false }, Tokens = tokens };
        var one = Steerer.Run(_pack, Model, [new SteeringTask(plan, ids, "")], options).Single();
        var norm = 4 * _pack.Feature(plan.Edits[0].Feature).Norm;

        // 5 tokens of the prompt and 5 that were written are read
        Assert.Equal(norm / 2, one.PerturbationNorm!.Value, 4);
        var first = Steerer.Run(_pack, Model, [new SteeringTask(plan, ids, "")], options with { Positions = new HashSet<int> { 0, 9 } }).Single();
        Assert.Equal(norm / 10, first.PerturbationNorm!.Value, 4);
    }

    [Theory]
    [InlineData(SteeredTokens.Continuation, 2)]
    [InlineData(SteeredTokens.All, 5)]
    [InlineData(SteeredTokens.Prompt, 5)]
    public void A_prompt_that_no_plan_touches_is_computed_once(SteeredTokens tokens, int computed)
    {
        SteeringPlan Plan(string name, params FeatureEdit[] edits) => new() { Name = name, Edits = edits, Targets = [.. edits.Select(e => e.Feature)] };
        SteeringPlan[] plans =
        [
            Plan("a", new FeatureEdit(new FeatureId(1, Site.Res, 5), EditMethod.Add, 4)),
            Plan("b", new FeatureEdit(new FeatureId(2, Site.Mlp, 7), EditMethod.Add, -3), new FeatureEdit(new FeatureId(3, Site.Res, 9), EditMethod.Rescale, -1)),
            Plan("nothing") with { Targets = [new FeatureId(4, Site.Res, 40)] },
        ];
        int[][] prompts = [[1, 403, 407, 261, 378], [1, 403, 407]];
        List<SteeringTask> tasks = [.. plans.SelectMany(p => prompts.Take(p.Name == "nothing" ? 1 : 2).SelectMany(ids => new[] { 0, 1, 2 }.Select(sample => new SteeringTask(p, ids, "", sample))))];
        var options = new SteeringOptions { Generation = SteeringOptions.PaperGeneration with { MaxTokens = 6, StopAtEos = false, RowsTogether = 5 }, Tokens = tokens };
        using (var work = new SteeringWork(_pack, Model, tasks, options, 1, default)) Assert.Equal(computed, work.PromptOf.Distinct().Count());

        // every text and all that is measured of it are as of the task alone
        foreach (var result in Steerer.Run(_pack, Model, tasks, options))
        {
            var alone = Steerer.Run(_pack, Model, [tasks[result.Task]], options).Single();
            Assert.Equal(alone.Ids, result.Ids);
            TestEngine.AssertSame([.. Numbers(alone)], [.. Numbers(result)]);
            Assert.Equal(tasks[result.Task].Plan.Name == "nothing", result.Kl == 0);
        }
    }

    [Fact]
    public void A_budget_moves_as_far_as_one_layer_does()
    {
        var graph = FlowGraphBuilder.Build(_pack, new FeatureId(4, Site.Res, 40), new FlowGraphOptions { Thresholds = new Thresholds(-1, 0.3, 0.3) });
        var features = SteeringFeatures.Of([graph], sites: [Site.Res, Site.Mlp]);
        foreach (var recipe in new[] { new SteeringRecipe { Coefficient = 6, Layer = 3 }, new SteeringRecipe { Coefficient = 6, Layer = 4, Schedule = SteeringSchedule.Exponential, Folded = true }, new SteeringRecipe { Method = EditMethod.Rescale, Coefficient = -1, Layer = 4 } })
        {
            double Norm(SteeringMode mode) => SteeringPlanner.PerturbationNorm(_pack, SteeringPlanner.Make(_pack, features, recipe with { Mode = mode, Schedule = mode == SteeringMode.Single ? SteeringSchedule.Constant : recipe.Schedule }).Edits);
            Assert.Equal(Norm(SteeringMode.Single), Norm(SteeringMode.Budget), 5);
            Assert.True(Norm(SteeringMode.Cumulative) > 1.5 * Norm(SteeringMode.Single));
        }
    }

    [Fact]
    public void Antagonists_are_steered_the_other_way()
    {
        SteeringFeature[] both = [new(new FeatureId(1, Site.Res, 3)), new(new FeatureId(2, Site.Mlp, 4), Antagonist: true), new(new FeatureId(2, Site.Res, 9), Method: EditMethod.Rescale, Coefficient: 0)];
        var added = SteeringPlanner.Make(_pack, SteeringFeatures.Of(both), new SteeringRecipe { Coefficient = 4 });
        Assert.Equal(["1/res/3 +4", "2/res/9 ×0", "2/mlp/4 +-4"], added.Edits.Select(e => e.ToString()));
        var rescaled = SteeringPlanner.Make(_pack, SteeringFeatures.Of(both[..2]), new SteeringRecipe { Method = EditMethod.Rescale, Coefficient = 0 });
        Assert.Equal([0, 2], rescaled.Edits.Select(e => e.Coefficient));
        Assert.Equal([new FeatureId(1, Site.Res, 3), new FeatureId(2, Site.Res, 9)], added.Targets);
    }

    [Fact]
    public void Schedules_by_hand()
    {
        var recipe = new SteeringRecipe { Coefficient = 9, End = 1, Alpha = -0.5 };
        Assert.Equal(9 * Math.Exp(-1), (recipe with { Schedule = SteeringSchedule.Exponential }).At(9, 2, 2, 6), 12);
        Assert.Equal(9, (recipe with { Schedule = SteeringSchedule.Linear }).At(9, 2, 2, 6), 12);
        Assert.Equal(5, (recipe with { Schedule = SteeringSchedule.Linear }).At(9, 4, 2, 6), 12);
        Assert.Equal(1, (recipe with { Schedule = SteeringSchedule.Linear }).At(9, 6, 2, 6), 12);
        Assert.Equal(9, (recipe with { Schedule = SteeringSchedule.Linear }).At(9, 3, 3, 3), 12);
    }

    [Fact]
    public void What_cannot_be_steered_is_said()
    {
        Refused("FF4041", () => SteeringPlanner.Make(_pack, SteeringFeatures.Of([new SteeringFeature(new FeatureId(3, Site.Res, 3))]), new SteeringRecipe { Mode = SteeringMode.Single, Layer = 1 }));
        Refused("FF4041", () => SteeringPlanner.Make(_pack, SteeringFeatures.Of([new SteeringFeature(new FeatureId(3, Site.Res, 3))]), new SteeringRecipe { Mode = SteeringMode.Cumulative, Layer = 9 }));
        Refused("FF4041", () => SteeringFeatures.Of([new SteeringFeature(new FeatureId(3, Site.Res, 3)), new SteeringFeature(new FeatureId(3, Site.Res, 3), true)]));
        Refused("FF4002", () => new InterventionSet(_pack, Model, [[new FeatureEdit(new FeatureId(3, Site.Res, 1024), EditMethod.Add, 1)]]).Dispose());
        using var other = _engine.Model(Repository.Fixture("models", "gpt2"));
        Refused("FF4040", () => new InterventionSet(_pack, other.Model, [[new FeatureEdit(new FeatureId(3, Site.Res, 5), EditMethod.Add, 1)]]).Dispose());

        static void Refused(string code, Action act) => Assert.Equal(code, Assert.Throws<FeatureFlowException>(act).Code);
    }

    private static SteeringPlan Plan(JsonNode setting) => new()
    {
        Name = (string)setting["name"]!,
        Edits = [.. setting["items"]!.AsArray().Select(i => new FeatureEdit(
            new FeatureId((int)i!["layer"]!, Sites.Parse((string)i["site"]!), (int)i["index"]!),
            Enum.Parse<EditMethod>((string)i["method"]!, true),
            (double)i["coefficient"]!,
            (bool)setting["folded"]!))],
        Targets = [new FeatureId(2, Site.Res, 301), new FeatureId(0, Site.Res, 7)],
    };

    private static int[] Ints(JsonNode list) => [.. list.AsArray().Select(x => (int)x!)];
}
