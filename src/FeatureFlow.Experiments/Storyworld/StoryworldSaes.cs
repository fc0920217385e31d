using FeatureFlow.Experiments.Training;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Models.Tokenizers;
using FeatureFlow.Saes.Training;
using FeatureFlow.Tensors;

namespace FeatureFlow.Experiments.Storyworld;

/// <summary>
/// The SAEs of the Storyworld model: res, mlp and att of every layer, trained together on stories that the model has not seen, measured on others, and written
/// as a pack. The same bits again on the same machine.
/// </summary>
internal static class StoryworldSaes
{
    private const ulong Unseen = 0x53414553; // the seed of these stories, beside the plan's
    private const double HeldOutShare = 0.02;
    private const int MeasureTokens = 30_000;
    private const int CheckpointEvery = 100;
    private static readonly Site[] Sites = [Site.Res, Site.Mlp, Site.Att];

    /// <summary>Trains what the folder's model lacks: with a pack.yaml there is nothing left to do.</summary>
    public static void Train(string folder, StoryworldPlan plan, IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        if (File.Exists(Path.Combine(folder, PackFile.FileName))) return;
        var model = Path.Combine(folder, "model");
        var recipes = Sites.SelectMany(s => Enumerable.Range(0, plan.Shape.Layers).Select(l => new SaeRecipe
        {
            Address = new SiteAddress(l, s),
            FeatureCount = plan.SaeFeatures,
            TargetL0 = plan.SaeL0,
            WarmUpSteps = Math.Min(200, plan.SaeSteps / 10),
            PenaltyWarmUpSteps = Math.Min(500, plan.SaeSteps / 4),
            ReviveEvery = 20, // as the SAEs that ship were trained
        })).ToList();
        var options = new SaeTrainingOptions { Steps = plan.SaeSteps, Seed = plan.Seed, DeadAfterTokens = Math.Clamp(plan.SaeSteps * 2048L / 4, 1, 1_000_000) };
        var training = new SaeTrainingPlan("model", [], null, plan.Shape.Context, 0, HeldOutShare, MeasureTokens, Losses: true, recipes, options, ["gemma-scope"], DType.F16);
        var experiment = new SaeTrainingExperiment(training, model, Documents(model, plan, cancel), [], CheckpointEvery);
        experiment.Begin(folder, force: false);
        var results = new string[recipes.Count];
        foreach (var (unit, json) in experiment.Compute([.. Enumerable.Range(0, recipes.Count)], progress, cancel)) results[unit] = json;
        training.Finish("storyworld", results, new RunOutputs(folder), cancel);
    }

    private static List<TokenDocument> Documents(string model, StoryworldPlan plan, CancellationToken cancel)
    {
        var tokenizer = Tokenizer.Load(model);
        var teller = new StoryTeller(plan.Seed ^ Unseen);
        var documents = new List<TokenDocument>();
        for (long story = 0, tokens = 0; tokens < plan.SaeSteps * 2048L / 2; story++)
        {
            cancel.ThrowIfCancellationRequested();
            var ids = tokenizer.Encode(teller.Text(story));
            documents.Add(new TokenDocument(ids.Length > plan.Shape.Context ? ids[..plan.Shape.Context] : ids, StartsWithBos: true, $"story {story}"));
            tokens += ids.Length;
        }

        return documents;
    }
}
