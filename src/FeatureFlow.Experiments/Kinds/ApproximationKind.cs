using System.Globalization;
using FeatureFlow.Experiments.Approximation;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary><c>kind: approximation</c>: hidden states from the layer before, by layer and data set (METHODS 5; SAE Match, section 5.5, appendices A and B; Feature Flow, appendix F).</summary>
internal sealed class ApproximationKind : ExperimentKind
{
    internal static readonly (string Name, PermutationKind Kind)[] Permutations =
        [("decoder", PermutationKind.Decoder), ("encoder", PermutationKind.Encoder), ("decoder-encoder", PermutationKind.DecoderEncoder), ("both", PermutationKind.Both)];

    public override string Name => "approximation";

    public override IReadOnlyList<YamlRecord> Parts => [];

    public override YamlRecord Schema { get; } = new(
        "approximation",
        "Approximates the hidden state of each layer from the layer before, on texts, and measures what is lost (docs/matching.md).",
        [
            .. Common("approximation"),
            new("pack", YamlType.Text, "The pack: its file or folder, relative to this file, or the name of a preset.", Required: true),
            new("model", YamlType.Text, "The model: a checkpoint folder, relative to this file, or a hub id in the local cache.", Default: "the pack's"),
            .. ExperimentTexts.Fields(required: true, "each is measured on its own."),
            new("layers", YamlType.Layers, "First layers of the pairs.", Default: "every pair of neighbours"),
            new("fold", YamlType.Choice([.. FoldRules.Names.Where(n => n != "none")]), "What is folded by; mean-activation is measured on the texts.", Default: "thresholds where there are some, else decoder norms"),
            new("quantiles", YamlType.OneOrMany(YamlType.Number(0, 1)), "Shares of the pairs, those of smallest error first, that go through the permutation.", Default: "0, 0.25, 0.5, 0.75, 1"),
            new("tops", YamlType.OneOrMany(YamlType.Integer(1, 1024)), "k of the transition maps.", Default: "1, 2"),
            new("permutations", YamlType.OneOrMany(YamlType.Choice([.. Permutations.Select(p => p.Name)])), "Permutations used as transition maps too, by what they compare: each found folded and unfolded.", Default: "none but the first one's"),
            new("sweep", YamlType.OneOrMany(YamlType.Text), "More packs of the same model: SAEs of other sparsity, or of more even sparsity, to hold against the first.", Default: "none"),
            new("losses", YamlType.Boolean, "Measure how the loss rises: a forward pass for every substitute.", Default: "true"),
        ]);

    public override IExperiment Prepare(ExperimentFile file, CancellationToken cancel)
    {
        var values = file.Values;
        var pack = Session.Open(ExperimentTexts.Beside(file.Folder, values.Required("pack")));
        var place = values.Place("pack");
        var model = values.Text("model") is { } named ? ExperimentTexts.Beside(file.Folder, named) : pack.Pack.Model ?? throw ExperimentErrors.YamlValue(place.Source, place.Line, place.Column, "the pack names no model; name one with 'model'.");
        var have = pack.Pack.Saes.Where(s => s.Site == Site.Res).Select(s => s.Layer).ToHashSet();
        int[] layers = values.Layers("layers") ?? [.. have.Where(l => have.Contains(l + 1)).Order()];
        return new ApproximationExperiment(pack, model, ReadPlan(values, layers), file.Folder, cancel);
    }

    public override IExperimentPlan Plan(ExperimentFile resolved) => ReadPlan(resolved.Values, resolved.Values.Layers("layers") ?? []);

    private static ApproximationPlan ReadPlan(YamlValues values, int[] layers) => new(
        ExperimentTexts.Of(values),
        layers,
        values.Has("quantiles") ? [.. values.Items("quantiles").Select(q => Convert.ToDouble(q, CultureInfo.InvariantCulture))] : [0, 0.25, 0.5, 0.75, 1],
        values.Has("tops") ? [.. values.Items("tops").Select(k => Convert.ToInt32(k, CultureInfo.InvariantCulture))] : [1, 2],
        !values.Has("losses") || values.Flag("losses"))
    {
        Fold = values.Text("fold") is { } fold ? FoldRules.Parse(fold) : null,
        Permutations = [.. values.Texts("permutations").Distinct()],
        Sweep = [.. values.Texts("sweep").Distinct()],
    };
}
