using System.Globalization;
using System.Text.Json;
using FeatureFlow.Models;
using FeatureFlow.Saes;
using FeatureFlow.Saes.Training;

namespace FeatureFlow.Experiments.Training;

/// <summary>What is trained on what: one unit per SAE; those of one run are trained together in one pass over the text.</summary>
/// <param name="Model">As the file names it.</param>
/// <param name="Texts">As the file names them: what is kept of each corpus.</param>
/// <param name="Ids">A file of token ids instead, or null.</param>
/// <param name="Context">Longest document in tokens.</param>
/// <param name="Documents">Documents drawn of each corpus; 0 takes all.</param>
/// <param name="HeldOut">Share of the documents that is kept for measuring.</param>
/// <param name="MeasureTokens">Tokens measured, at most.</param>
/// <param name="Losses">Measure the rise of the loss too.</param>
/// <param name="Recipes">The SAEs.</param>
/// <param name="Options">Of the run.</param>
/// <param name="Formats">gemma-scope, saelens.</param>
/// <param name="Type">Stored type of the weights.</param>
internal sealed record SaeTrainingPlan(
    string Model,
    IReadOnlyList<IReadOnlyDictionary<string, object?>> Texts,
    IReadOnlyDictionary<string, object?>? Ids,
    int Context,
    int Documents,
    double HeldOut,
    int MeasureTokens,
    bool Losses,
    IReadOnlyList<SaeRecipe> Recipes,
    SaeTrainingOptions Options,
    IReadOnlyList<string> Formats,
    Tensors.DType Type) : IExperimentPlan
{
    public IReadOnlyList<string> Units { get; } = [.. Recipes.Select(Unit)];

    public IReadOnlyDictionary<string, object?> Settings => new Dictionary<string, object?>
    {
        ["model"] = Model,
        [Ids is null ? "texts" : "ids"] = Ids is null ? Texts.ToList() : Ids,
        ["context"] = Context,
        ["documents"] = Documents,
        ["held_out"] = HeldOut,
        ["measure_tokens"] = MeasureTokens,
        ["losses"] = Losses,
        ["saes"] = Recipes.Select(Of).ToList(),
        ["steps"] = Options.Steps,
        ["batch"] = Options.BatchSize,
        ["buffer"] = Options.BufferTokens,
        ["seed"] = (long)Options.Seed,
        ["dead_after"] = Options.DeadAfterTokens,
        ["formats"] = Formats.ToList(),
        ["type"] = SaeTrainingKinds.TypeName(Type),
    };

    public void Finish(string name, IReadOnlyList<string> results, RunOutputs outputs, CancellationToken cancel)
    {
        var saes = results.Select((r, i) => JsonSerializer.Deserialize<SaeTrainingResult>(r) ?? throw ExperimentErrors.UnitDamaged(Units[i], "it is empty.")).ToList();
        foreach (var file in saes.SelectMany(s => s.Files))
        {
            if (!File.Exists(outputs.Add(file))) throw ExperimentErrors.SaeFileGone(file);
        }

        SaeTrainingResult.Columns.Write(outputs.Add("metrics.csv"), saes);
        var pack = outputs.Add(PackFile.FileName);
        AtomicFile.WriteText(pack, PackText(name, ModelFrom(Path.GetDirectoryName(pack)!, saes[0].Model), saes));
    }

    /// <summary>Names an SAE of the run: res-3-jumprelu-512-l14.</summary>
    public static string Unit(SaeRecipe recipe) => string.Create(CultureInfo.InvariantCulture, $"{recipe.Address.Site.Name()}-{recipe.Address.Layer}-{SaeTrainingKinds.Name(recipe.Kind)}-{recipe.FeatureCount}-") + (recipe.TargetL0 is { } l0 ? string.Create(CultureInfo.InvariantCulture, $"l{l0}") : string.Create(CultureInfo.InvariantCulture, $"p{recipe.Penalty}"));

    // the first SAE of each place: a pack holds one
    private static string PackText(string name, string model, List<SaeTrainingResult> saes)
    {
        var text = new System.Text.StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"# SAEs trained by the experiment {name}; metrics.csv says how good they are.\nversion: 1\nname: {ResolvedYaml.Scalar(name)}\n");
        text.Append(CultureInfo.InvariantCulture, $"model: {ResolvedYaml.Scalar(model)}\n");
        text.Append("saes:\n");
        foreach (var sae in saes.DistinctBy(s => (s.Layer, s.Site)))
            text.Append(CultureInfo.InvariantCulture, $"  - {{site: {sae.Site}, path: {ResolvedYaml.Scalar(sae.Files[0].EndsWith(".npz", StringComparison.Ordinal) ? sae.Files[0] : Path.GetDirectoryName(sae.Files[0])!.Replace('\\', '/'))}, layers: {sae.Layer}}}\n");
        return text.ToString();
    }

    // a model that lies below the pack is named from there, so that both can be moved together
    private static string ModelFrom(string folder, string model) =>
        Directory.Exists(model) && SafePath.IsInside(folder, model) ? Path.GetRelativePath(folder, model).Replace('\\', '/') : model;

    private static Dictionary<string, object?> Of(SaeRecipe r)
    {
        var values = new Dictionary<string, object?> { ["site"] = r.Address.Site.Name(), ["layers"] = new List<int> { r.Address.Layer }, ["features"] = r.FeatureCount, ["kind"] = SaeTrainingKinds.Name(r.Kind) };
        if (r.TargetL0 is { } l0) values["l0"] = l0;
        values["penalty"] = r.Penalty;
        values["bandwidth"] = r.Bandwidth;
        values["rate"] = r.Rate;
        values["warm_up"] = r.WarmUpSteps;
        values["penalty_warm_up"] = r.PenaltyWarmUpSteps;
        values["decay"] = r.DecayShare;
        values["revive_every"] = r.ReviveEvery;
        return values;
    }
}

/// <summary>What a unit keeps of a trained SAE: where it is written, and how good it is.</summary>
internal sealed record SaeTrainingResult(
    int Layer,
    string Site,
    double MeanL0,
    double ExplainedVariance,
    double? DeltaLoss,
    double DeadShare,
    double? BaseLoss,
    double ExplainedVarianceUncentred,
    double MeanSquaredError,
    int FeatureCount,
    string Kind,
    double TrainedL0,
    long Tokens,
    string Model,
    IReadOnlyList<string> Files)
{
    /// <summary>metrics.csv.</summary>
    public static TableColumns<SaeTrainingResult> Columns { get; } = new(
        ("layer", r => r.Layer),
        ("site", r => r.Site),
        ("mean_l0", r => r.MeanL0),
        ("explained_variance", r => r.ExplainedVariance),
        ("delta_ce", r => r.DeltaLoss),
        ("dead_share", r => r.DeadShare),
        ("base_ce", r => r.BaseLoss),
        ("explained_variance_uncentred", r => r.ExplainedVarianceUncentred),
        ("mean_squared_error", r => r.MeanSquaredError),
        ("features", r => r.FeatureCount),
        ("kind", r => r.Kind),
        ("trained_l0", r => r.TrainedL0),
        ("tokens", r => r.Tokens),
        ("path", r => r.Files[0]));
}

/// <summary>Names of kinds and stored types in YAML.</summary>
internal static class SaeTrainingKinds
{
    public static string[] Names { get; } = ["jumprelu", "topk", "batchtopk"];

    public static string[] TypeNames { get; } = ["float32", "float16"];

    public static string Name(SaeTrainingKind kind) => Names[(int)kind];

    public static SaeTrainingKind Parse(string name) => (SaeTrainingKind)Array.IndexOf(Names, name);

    public static string TypeName(Tensors.DType type) => type == Tensors.DType.F16 ? TypeNames[1] : TypeNames[0];

    public static Tensors.DType ParseType(string name) => name == TypeNames[1] ? Tensors.DType.F16 : Tensors.DType.F32;
}
