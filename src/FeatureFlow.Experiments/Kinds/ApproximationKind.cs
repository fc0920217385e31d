using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using FeatureFlow.Experiments.Figures;
using FeatureFlow.Experiments.Texts;
using FeatureFlow.Flow;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary><c>kind: approximation</c>: hidden states from the layer before, by layer and data set (METHODS 5; SAE Match, section 5.5, appendices A and B; Feature Flow, appendix F).</summary>
internal sealed class ApproximationKind : ExperimentKind
{
    public override string Name => "approximation";

    public override IReadOnlyList<YamlRecord> Parts => [];

    public override YamlRecord Schema { get; } = new(
        "approximation",
        "Approximates the hidden state of each layer from the layer before, on texts, and measures what is lost (docs/matching.md).",
        [
            .. Common("approximation"),
            new("pack", YamlType.Text, "The pack: its file or folder, relative to this file, or the name of a preset.", Required: true),
            new("model", YamlType.Text, "The model: a checkpoint folder, relative to this file, or a hub id in the local cache.", Default: "the pack's"),
            new("texts", YamlType.OneOrMany(YamlType.Text), "Data sets: files, folders or patterns relative to this file, or names from corpora.yaml; each is measured on its own.", Required: true),
            new("documents", YamlType.Integer(1, int.MaxValue), "Documents drawn from each, by the seed.", Default: "100"),
            new("context", YamlType.Integer(2, int.MaxValue), "Longest document in tokens.", Default: "256"),
            new("seed", YamlType.Integer(0, int.MaxValue), "Seed of the draw.", Default: "1"),
            new("layers", YamlType.Layers, "First layers of the pairs.", Default: "every pair of neighbours"),
            new("quantiles", YamlType.OneOrMany(YamlType.Number(0, 1)), "Shares of the pairs, those of smallest error first, that go through the permutation.", Default: "0, 0.25, 0.5, 0.75, 1"),
            new("tops", YamlType.OneOrMany(YamlType.Integer(1, 1024)), "k of the transition maps.", Default: "1, 2"),
            new("losses", YamlType.Boolean, "Measure how the loss rises: a forward pass for every substitute.", Default: "true"),
        ]);

    public override IExperiment Prepare(ExperimentFile file, CancellationToken cancel)
    {
        var values = file.Values;
        var pack = Session.Open(Beside(file.Folder, values.Required("pack")));
        var place = values.Place("pack");
        var model = values.Text("model") is { } named ? Beside(file.Folder, named) : pack.Pack.Model ?? throw ExperimentErrors.YamlValue(place.Source, place.Line, place.Column, "the pack names no model; name one with 'model'.");
        var have = pack.Pack.Saes.Where(s => s.Site == Site.Res).Select(s => s.Layer).ToHashSet();
        int[] layers = values.Layers("layers") ?? [.. have.Where(l => have.Contains(l + 1)).Order()];
        return new ApproximationExperiment(pack, model, ReadPlan(values, layers), file.Folder, cancel);
    }

    public override IExperimentPlan Plan(ExperimentFile resolved) => ReadPlan(resolved.Values, resolved.Values.Layers("layers") ?? []);

    internal static string Beside(string folder, string named) => Path.Exists(Path.Combine(folder, named)) ? Path.GetFullPath(Path.Combine(folder, named)) : named;

    private static ApproximationPlan ReadPlan(YamlValues values, int[] layers) => new(
        [.. values.Texts("texts").Distinct()],
        layers,
        (int)(values.Integer("documents") ?? 100),
        (int)(values.Integer("context") ?? 256),
        (int)(values.Integer("seed") ?? 1),
        values.Has("quantiles") ? [.. values.Items("quantiles").Select(q => Convert.ToDouble(q, CultureInfo.InvariantCulture))] : [0, 0.25, 0.5, 0.75, 1],
        values.Has("tops") ? [.. values.Items("tops").Select(k => Convert.ToInt32(k, CultureInfo.InvariantCulture))] : [1, 2],
        !values.Has("losses") || values.Flag("losses"));
}

/// <summary>One unit per data set and layer.</summary>
internal sealed record ApproximationPlan(
    IReadOnlyList<string> Texts, IReadOnlyList<int> Layers, int Documents, int Context, int Seed, IReadOnlyList<double> Quantiles, IReadOnlyList<int> Tops, bool Losses) : IExperimentPlan
{
    public IReadOnlyList<(int Text, int Layer)> Work { get; } = [.. from t in Enumerable.Range(0, Texts.Count) from l in Layers select (t, l)];

    public IReadOnlyList<string> Units => [.. Work.Select(w => string.Create(CultureInfo.InvariantCulture, $"text{w.Text}-layer{w.Layer}"))];

    public IReadOnlyDictionary<string, object?> Settings => new Dictionary<string, object?>
    {
        ["texts"] = Texts.ToList(), ["documents"] = Documents, ["context"] = Context, ["seed"] = Seed, ["layers"] = Layers.ToList(), ["quantiles"] = Quantiles.ToList(), ["tops"] = Tops.ToList(), ["losses"] = Losses,
    };

    public void Finish(string name, IReadOnlyList<string> results, RunOutputs outputs, CancellationToken cancel)
    {
        var found = results.Select((json, i) => JsonSerializer.Deserialize<ApproximationUnit>(json) ?? throw ExperimentErrors.UnitDamaged(Units[i], "it is empty.")).ToList();
        var report = new Report(name);
        for (var t = 0; t < Texts.Count; t++)
        {
            var suffix = Texts.Count == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"_{t}");
            var mine = Work.Zip(found).Where(w => w.First.Text == t).Select(w => w.Second).ToList();
            List<LayerApproximation> rows = [.. mine.SelectMany(u => u.Approximations)];
            List<TransitionApproximation> transitions = [.. mine.SelectMany(u => u.Transitions)];
            Tables.Approximations.Write(outputs.Add($"approx{suffix}.csv"), rows);
            Tables.Transitions.Write(outputs.Add($"transitions{suffix}.csv"), transitions);
            if (mine.Count > 0) Tables.Layers.Write(outputs.Add($"layers{suffix}.csv"), mine[0].Layers);
            report.Section(Texts[t])
                .Figure(Chart("Explained variance of the substitutes", "Explained variance", rows.Where(r => !IsQuantile(r)).Select(r => (r.Substitute, r.Layer, (double?)r.ExplainedVariance))))
                .Figure(Chart("Explained variance by quantile of the pairs' error", "Explained variance", rows.Where(IsQuantile).Select(r => (r.Substitute, r.Layer, (double?)r.ExplainedVariance))));
            if (Losses) report.Figure(Chart("Rise of the loss", "Nats", rows.Where(r => !IsQuantile(r)).Select(r => (r.Substitute, r.Layer, r.DeltaCrossEntropy))));
            report
                .Figure(Chart("Matching score", "Share", rows.Where(r => r.MatchingScore is not null).Select(r => (r.Substitute, r.Layer, r.MatchingScore))))
                .Figure(Chart("Transition maps", "Explained variance", transitions.Select(r => ($"{r.Map}, {r.Inference}", r.Layer, (double?)r.ExplainedVariance))))
                .Table("Substitutes", Tables.Approximations, rows, $"approx{suffix}.csv");
        }

        report.Write(outputs.Add("report.html"));
    }

    private static bool IsQuantile(LayerApproximation row) => row.Substitute.StartsWith("quantile", StringComparison.Ordinal);

    private static Figure Chart(string title, string y, IEnumerable<(string Name, int Layer, double? Value)> points) =>
        new(title, new Panel(new Axis("Layer") { Whole = true }, new Axis(y), [.. points.GroupBy(p => p.Name).Select(g => new LineSeries(g.Key, [.. g.Where(p => p.Value is not null).Select(p => new Dot(p.Layer, p.Value!.Value))]))]));
}

/// <summary>What is stored of a data set and layer.</summary>
internal sealed record ApproximationUnit(IReadOnlyList<LayerApproximation> Approximations, IReadOnlyList<TransitionApproximation> Transitions, IReadOnlyList<LayerStatistics> Layers);

/// <summary>Measures the layers of a plan.</summary>
internal sealed class ApproximationExperiment : IExperiment
{
    private readonly OpenedPack _pack;
    private readonly string _model;
    private readonly ApproximationPlan _plan;
    private readonly List<List<TokenDocument>> _documents = [];
    private readonly List<string> _notes;

    public ApproximationExperiment(OpenedPack pack, string model, ApproximationPlan plan, string folder, CancellationToken cancel)
    {
        (_pack, _model, _plan, _notes) = (pack, model, plan, [.. pack.Warnings]);
        using var lease = FlowEngine.Shared.Model(model);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var text in plan.Texts)
        {
            var corpus = Corpora.Find(ApproximationKind.Beside(folder, text));
            var how = new TokenizeOptions(MaxTokens: Math.Min(plan.Context, lease.Model.Config.Context));
            List<TokenDocument> documents = [.. how.Tokenize(corpus.Sample(plan.Documents, (ulong)plan.Seed, _notes.Add), lease.Model.Tokenizer)];
            foreach (var document in documents) hash.AppendData(System.Runtime.InteropServices.MemoryMarshal.AsBytes<int>([.. document.Ids, -1]));
            _documents.Add(documents);
        }

        Inputs = new Dictionary<string, string> { ["saes"] = pack.ContentHash(cancel), ["tokens"] = Convert.ToHexStringLower(hash.GetHashAndReset()) };
    }

    public IExperimentPlan Plan => _plan;

    public string Pack => _pack.Pack.Source;

    public IReadOnlyDictionary<string, string> Inputs { get; }

    public IReadOnlyList<string> Notes => _notes;

    public IEnumerable<(int Unit, string Json)> Compute(IReadOnlyList<int> units, IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        using var lease = FlowEngine.Shared.Model(_model);
        for (var i = 0; i < units.Count; i++)
        {
            var (text, layer) = _plan.Work[units[i]];
            progress?.Report(new FlowProgress(_plan.Units[units[i]], (double)i / units.Count));
            var options = new ApproximationOptions { Layers = [layer], Quantiles = _plan.Quantiles, TransitionTops = _plan.Tops, Losses = _plan.Losses };
            var result = LayerApproximations.Measure(_pack, lease.Model, _documents[text], options, null, cancel);
            yield return (units[i], JsonSerializer.Serialize(new ApproximationUnit(result.Approximations, result.Transitions, result.Layers)));
        }
    }
}
