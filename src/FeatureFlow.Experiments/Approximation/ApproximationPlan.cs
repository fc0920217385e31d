using System.Globalization;
using System.Text.Json;
using FeatureFlow.Flow;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments.Approximation;

/// <summary>A unit of work: a layer on a data set, of the pack or of one of the packs it is held against.</summary>
internal sealed record ApproximationWork(int Sweep, int Text, int Layer)
{
    public string Id => string.Create(CultureInfo.InvariantCulture, $"{(Sweep < 0 ? "" : $"sweep{Sweep}-")}text{Text}-layer{Layer}");
}

/// <summary>One unit per data set and layer, and the same for every pack of the sweep.</summary>
internal sealed record ApproximationPlan(ExperimentTexts Texts, IReadOnlyList<int> Layers, IReadOnlyList<double> Quantiles, IReadOnlyList<int> Tops, bool Losses) : IExperimentPlan
{
    private IReadOnlyList<ApproximationWork>? _work;

    public FoldRule? Fold { get; init; }

    public IReadOnlyList<string> Permutations { get; init; } = [];

    public IReadOnlyList<string> Sweep { get; init; } = [];

    public IReadOnlyList<ApproximationWork> Work => _work ??= [.. from s in Enumerable.Range(-1, Sweep.Count + 1) from t in Enumerable.Range(0, Texts.Names.Count) from l in Layers select new ApproximationWork(s, t, l)];

    public IReadOnlyList<string> Units => [.. Work.Select(w => w.Id)];

    public IReadOnlyDictionary<string, object?> Settings
    {
        get
        {
            var settings = new Dictionary<string, object?>(Texts.Settings()) { ["layers"] = Layers.ToList(), ["quantiles"] = Quantiles.ToList(), ["tops"] = Tops.ToList(), ["losses"] = Losses };
            if (Fold is { } fold) settings["fold"] = fold.Name();
            if (Permutations.Count > 0) settings["permutations"] = Permutations.ToList();
            if (Sweep.Count > 0) settings["sweep"] = Sweep.ToList();
            return settings;
        }
    }

    public void Finish(string name, IReadOnlyList<string> results, RunOutputs outputs, CancellationToken cancel)
    {
        var found = Work.Zip(results, (w, json) => (Work: w, Found: JsonSerializer.Deserialize<ApproximationUnit>(json) ?? throw ExperimentErrors.UnitDamaged(w.Id, "it is empty."))).ToList();
        for (var t = 0; t < Texts.Names.Count; t++)
        {
            var suffix = Texts.Names.Count == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"_{t}");
            var mine = found.Where(f => f.Work.Text == t && f.Work.Sweep < 0).Select(f => f.Found).ToList();
            List<LayerApproximation> rows = [.. mine.SelectMany(u => u.Approximations)];
            Tables.Approximations.Write(outputs.Add($"approx{suffix}.csv"), rows);
            Tables.ApproximationIntervals.Write(outputs.Add($"intervals{suffix}.csv"), rows);
            Tables.Transitions.Write(outputs.Add($"transitions{suffix}.csv"), mine.SelectMany(u => u.Transitions));
            if (mine.Count > 0) Tables.Layers.Write(outputs.Add($"layers{suffix}.csv"), mine[0].Layers);
        }

        ApproximationReport.Write(name, this, found, outputs);
    }
}

/// <summary>What is stored of a unit.</summary>
internal sealed record ApproximationUnit(IReadOnlyList<LayerApproximation> Approximations, IReadOnlyList<TransitionApproximation> Transitions, IReadOnlyList<LayerStatistics> Layers)
{
    /// <summary>Active features of a token at a layer's residual SAE.</summary>
    public double? L0(int layer) => Layers.FirstOrDefault(l => l.Layer == layer && l.Site == Site.Res.Name())?.MeanL0;
}

/// <summary>Measures the layers of a plan.</summary>
internal sealed class ApproximationExperiment : IExperiment
{
    private readonly OpenedPack _pack;
    private readonly List<OpenedPack> _sweep;
    private readonly string _model;
    private readonly ApproximationPlan _plan;
    private readonly List<List<TokenDocument>> _documents;
    private readonly List<string> _notes;

    public ApproximationExperiment(OpenedPack pack, string model, ApproximationPlan plan, string folder, CancellationToken cancel)
    {
        (_pack, _model, _plan, _notes) = (pack, model, plan, [.. pack.Warnings]);
        _sweep = [.. plan.Sweep.Select(s => Session.Open(ExperimentTexts.Beside(folder, s)))];
        (_documents, var hash) = plan.Texts.Read(folder, model, _notes.Add);
        var inputs = new Dictionary<string, string> { ["saes"] = pack.ContentHash(cancel), ["tokens"] = hash };
        foreach (var (i, other) in _sweep.Index()) inputs[string.Create(CultureInfo.InvariantCulture, $"saes of sweep {i}")] = other.ContentHash(cancel);
        Inputs = inputs;
    }

    IExperimentPlan IExperiment.Plan => _plan;

    public string Pack => _pack.Pack.Source;

    public IReadOnlyDictionary<string, string> Inputs { get; }

    public IReadOnlyList<string> Notes => _notes;

    public IEnumerable<(int Unit, string Json)> Compute(IReadOnlyList<int> units, IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        using var lease = FlowEngine.Shared.Model(_model);
        for (var i = 0; i < units.Count; i++)
        {
            var work = _plan.Work[units[i]];
            progress?.Report(new FlowProgress(work.Id, (double)i / units.Count));
            var first = work.Sweep < 0;
            var options = new ApproximationOptions
            {
                Layers = [work.Layer],
                Fold = _plan.Fold,
                Quantiles = first ? _plan.Quantiles : [],
                TransitionTops = first ? _plan.Tops : [],
                Permutations = first ? [.. _plan.Permutations.Select(p => ApproximationKind.Permutations.First(k => k.Name == p).Kind)] : [],
                Losses = _plan.Losses,
            };
            var result = LayerApproximations.Measure(first ? _pack : _sweep[work.Sweep], lease.Model, _documents[work.Text], options, null, cancel);
            yield return (units[i], JsonSerializer.Serialize(new ApproximationUnit(result.Approximations, result.Transitions, result.Layers)));
        }
    }
}
