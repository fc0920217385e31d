using System.Text.Json;
using FeatureFlow.Experiments.Texts;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary><c>kind: deactivation</c>: do features fall silent when their predecessors are removed (Feature Flow, sections 5.2, A.2, C.2, C.4)?</summary>
internal sealed class DeactivationKind : ExperimentKind
{
    private static readonly CausalPlan Paper = new();

    public override string Name => "deactivation";

    public override IReadOnlyList<YamlRecord> Parts => [];

    public override YamlRecord Schema { get; } = new(
        "deactivation",
        "Removes the predecessors of active features at one token, computes the layer anew, and looks whether the features fall silent, by strategy, layer and group (docs/groups.md).",
        [
            .. Common("deactivation"),
            new("pack", YamlType.Text, "The pack: its file or folder, relative to this file, or the name of a preset.", Required: true),
            new("model", YamlType.Text, "The model: a checkpoint folder, relative to this file, or a hub id in the local cache.", Default: "the pack's"),
            new("texts", YamlType.OneOrMany(YamlType.Text), "Data sets: files, folders or patterns relative to this file, or names from corpora.yaml; each is measured on its own.", Required: true),
            new("documents", YamlType.Integer(1, int.MaxValue), "Documents drawn from each, by the seed.", Default: "35"),
            new("tokens_per_text", YamlType.Integer(1, int.MaxValue), "Random tokens of each document, never BOS.", Default: "5"),
            new("targets_per_token", YamlType.Integer(1, int.MaxValue), "Targets of a token and layer at most, none of them From nowhere by cosine (by cosine and by correlation, where both are tried).", Default: "25"),
            new("context", YamlType.Integer(2, int.MaxValue), "Longest document in tokens.", Default: "512"),
            new("layers", YamlType.Layers, "Layers of the targets.", Default: "6, 12, 18 where there are as many; else all from 1"),
            new("strategies", YamlType.OneOrMany(YamlType.Choice([.. CausalPlan.Known])), "Who names the predecessors; the first one's are also cut one site at a time and rescaled.", Default: "all"),
            new("pearson_texts", YamlType.Text, "The data set that correlations are over.", Default: "the first of 'texts'"),
            new("pearson_tokens", YamlType.Integer(1, long.MaxValue), "Tokens of it, from its start.", Default: "100000"),
            new("sweep", YamlType.OneOrMany(YamlType.Number(-1000, 1000)), "Factors that predecessors are rescaled by.", Default: "-1, -0.5, 0, 0.5, 1, 1.5, 2"),
            new("losses", YamlType.OneOrMany(YamlType.Number(-1000, 1000)), "Factors with which the loss of the whole text is measured.", Default: "those of 'sweep'"),
            new("sweep_targets", YamlType.Integer(0, int.MaxValue), "Targets of each data set that are rescaled; 0 for none.", Default: "100"),
            new("seed", YamlType.Integer(0, int.MaxValue), "Seed of the draws.", Default: "1"),
        ]);

    public override IExperiment Prepare(ExperimentFile file, CancellationToken cancel)
    {
        var values = file.Values;
        var pack = Session.Open(DataSets.Beside(file.Folder, values.Required("pack")));
        int[] have = [.. pack.Pack.Saes.Where(s => s.Site == Site.Res && s.Layer > 0).Select(s => s.Layer).Distinct().Order()];
        int[] paper = [.. CausalTests.PaperLayers];
        var layers = values.Layers("layers") ?? (paper.All(have.Contains) ? paper : have);
        foreach (var layer in layers) _ = pack.Info(layer, Site.Res); // a layer that is not there is told now
        var plan = ReadPlan(values, layers);
        (string, long)? correlated = plan.Protocol.Strategies.Contains("pearson") ? (plan.PearsonTexts, plan.PearsonTokens) : null;
        return new DeactivationExperiment(plan, new LineageInputs(pack, GroupsKind.ModelOf(file, pack), file.Folder, plan.Texts, plan.Protocol.Texts, plan.Context, (int)plan.Protocol.Seed, correlated, cancel));
    }

    public override IExperimentPlan Plan(ExperimentFile resolved) => ReadPlan(resolved.Values, resolved.Values.Layers("layers") ?? []);

    private static DeactivationPlan ReadPlan(YamlValues values, int[] layers)
    {
        var sweep = values.Has("sweep") ? values.Numbers("sweep") : Paper.Sweep;
        return new DeactivationPlan(
            [.. values.Texts("texts").Distinct()],
            new CausalPlan
            {
                Strategies = values.Has("strategies") ? [.. values.Texts("strategies").Distinct()] : CausalPlan.Known,
                Texts = (int)(values.Integer("documents") ?? Paper.Texts),
                TokensPerText = (int)(values.Integer("tokens_per_text") ?? Paper.TokensPerText),
                TargetsPerToken = (int)(values.Integer("targets_per_token") ?? Paper.TargetsPerToken),
                Layers = layers,
                Sweep = sweep,
                Losses = values.Has("losses") ? values.Numbers("losses") : sweep,
                SweepTargets = (int)(values.Integer("sweep_targets") ?? Paper.SweepTargets),
                Seed = (ulong)(values.Integer("seed") ?? 1),
            },
            (int)(values.Integer("context") ?? 512),
            values.Text("pearson_texts") ?? values.Texts("texts")[0],
            values.Integer("pearson_tokens") ?? PearsonMatcher.PaperTokens);
    }
}

/// <summary>One unit per text.</summary>
internal sealed record DeactivationPlan(IReadOnlyList<string> Texts, CausalPlan Protocol, int Context, string PearsonTexts, long PearsonTokens) : IExperimentPlan
{
    public IReadOnlyList<(int Text, int Document)> Work { get; } = [.. from t in Enumerable.Range(0, Texts.Count) from d in Enumerable.Range(0, Protocol.Texts) select (t, d)];

    public IReadOnlyList<string> Units => [.. Work.Select(w => FormattableString.Invariant($"text{w.Text}-{w.Document}"))];

    public IReadOnlyDictionary<string, object?> Settings => new Dictionary<string, object?>
    {
        ["texts"] = Texts.ToList(), ["documents"] = Protocol.Texts, ["tokens_per_text"] = Protocol.TokensPerText, ["targets_per_token"] = Protocol.TargetsPerToken, ["context"] = Context,
        ["layers"] = Protocol.Layers!.ToList(), ["strategies"] = Protocol.Strategies.ToList(), ["pearson_texts"] = PearsonTexts, ["pearson_tokens"] = PearsonTokens,
        ["sweep"] = Protocol.Sweep.ToList(), ["losses"] = Protocol.Losses.ToList(), ["sweep_targets"] = Protocol.SweepTargets, ["seed"] = (long)Protocol.Seed,
    };

    public void Finish(string name, IReadOnlyList<string> results, RunOutputs outputs, CancellationToken cancel)
    {
        var units = results.Select((json, i) => JsonSerializer.Deserialize<DeactivationUnit>(json) ?? throw ExperimentErrors.UnitDamaged(Units[i], "it is empty.")).ToList();
        var reports = Enumerable.Range(0, Texts.Count).Select(t => Join([.. Work.Zip(units).Where(w => w.First.Text == t).Select(w => w.Second)])).ToList();
        new CausalFigures(this, reports).Write(name, outputs);
    }

    private static CausalReport Join(List<DeactivationUnit> units) => new(
        [.. units.SelectMany(u => u.Rows)], [.. units.SelectMany(u => u.OneSite)], [.. units.SelectMany(u => u.Sweep)], [.. units.SelectMany(u => u.Losses)], [], units.Sum(u => u.Cuts));
}

/// <summary>What is stored of a text.</summary>
internal sealed record DeactivationUnit(IReadOnlyList<CausalRow> Rows, IReadOnlyList<OneSiteRow> OneSite, IReadOnlyList<RescaleRow> Sweep, IReadOnlyList<CutLossRow> Losses, long Cuts);

/// <summary>Runs the protocol text by text.</summary>
internal sealed class DeactivationExperiment(DeactivationPlan plan, LineageInputs inputs) : IExperiment
{
    public IExperimentPlan Plan => plan;

    public string Pack => inputs.Pack.Pack.Source;

    public IReadOnlyDictionary<string, string> Inputs => inputs.Hashes;

    public IReadOnlyList<string> Notes => inputs.Notes;

    public IEnumerable<(int Unit, string Json)> Compute(IReadOnlyList<int> units, IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        if (units.Count == 0) yield break;
        using var lease = FlowEngine.Shared.Model(inputs.Model);
        progress?.Report(new FlowProgress("correlations", 0));
        using var pearson = inputs.Pearson(lease.Model, plan.Protocol.Layers!, cancel);
        var options = plan.Protocol.Options(inputs.Pack, pearson);
        options = options with { SweepTargets = (options.SweepTargets + plan.Protocol.Texts - 1) / plan.Protocol.Texts }; // of every text alike
        for (var i = 0; i < units.Count; i++)
        {
            var (text, document) = plan.Work[units[i]];
            progress?.Report(new FlowProgress($"{inputs.Texts.Names[text]}, text {document}", (double)i / units.Count));
            var documents = inputs.Texts.Documents[text];
            var report = document < documents.Count // a data set may have fewer
                ? CausalTests.Run(inputs.Pack, lease.Model, documents, plan.Protocol.Draw(inputs.Pack, lease.Model, documents, [document], pearson, cancel), options, null, cancel)
                : new CausalReport([], [], [], [], [], 0);
            yield return (units[i], JsonSerializer.Serialize(new DeactivationUnit(report.Rows, report.OneSite, report.Sweep, report.Losses, report.Cuts)));
        }
    }
}
