using FeatureFlow.Experiments.Judging;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments.Storyworld;

/// <summary>A theme steered one way: the same prompt and draws without and with the plan, judged by the grammar.</summary>
/// <param name="Theme">The theme.</param>
/// <param name="Aim">Brought in, or removed.</param>
/// <param name="Plan">The plan.</param>
/// <param name="Prompt">How all texts begin.</param>
/// <param name="Unsteered">Texts by sample.</param>
/// <param name="Steered">Texts by sample.</param>
/// <param name="ThemeBefore">Share of the theme, 0 to 1, with its 95 % interval.</param>
/// <param name="ThemeAfter">The same of the steered texts.</param>
/// <param name="CoherenceBefore">Share of sentences that the grammar can make.</param>
/// <param name="CoherenceAfter">The same of the steered texts.</param>
public sealed record ThemeSteering(
    string Theme,
    SteeringAim Aim,
    SteeringPlan Plan,
    string Prompt,
    IReadOnlyList<SteeringResult> Unsteered,
    IReadOnlyList<SteeringResult> Steered,
    Interval ThemeBefore,
    Interval ThemeAfter,
    Interval CoherenceBefore,
    Interval CoherenceAfter)
{
    private const double Strength = 8;

    /// <summary>The sample whose steered text shows best what was wanted: the theme in it or not, in sentences that the grammar can make.</summary>
    public int Shown => Enumerable.Range(0, Steered.Count).MaxBy(i =>
    {
        var score = StoryJudge.Score(Steered[i].Text);
        var without = StoryJudge.Score(Unsteered[i].Text).Of(Theme);
        return score.Coherence * (Aim == SteeringAim.Activate ? score.Of(Theme) * (1 - without) : (1 - score.Of(Theme)) * without);
    });

    /// <summary>Brings a theme into stories that begin elsewhere, along the lineage of the feature that stands for it; and takes it out of stories that begin with it.</summary>
    /// <param name="pack">The Storyworld pack.</param>
    /// <param name="model">Its model.</param>
    /// <param name="theme">The theme.</param>
    /// <param name="best">The feature that stands for it.</param>
    /// <param name="found">All that stand for it, as <see cref="ThemeFeatures"/> finds them.</param>
    /// <param name="samples">Texts each way.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    public static IReadOnlyList<ThemeSteering> BothWays(OpenedPack pack, LanguageModel model, string theme, ThemeFeature best, IReadOnlyList<ThemeFeature> found, int samples = 24, CancellationToken cancel = default)
    {
        var lineage = FlowGraphBuilder.Build(pack, best.Feature, new FlowGraphOptions(), cancel);
        var bring = SteeringPlanner.Make(
            pack,
            SteeringFeatures.Of([lineage]),
            new SteeringRecipe { Coefficient = Strength, Schedule = SteeringSchedule.Exponential },
            $"{theme} brought in");

        // whatever else stands for the theme would put it back
        var all = FlowGraphBuilder.BuildMany(pack, [.. found.Where(f => f.Score >= found[0].Score / 2).Select(f => f.Feature)], new FlowGraphOptions { Top = 2, Thresholds = new Thresholds(0.5, 0.3, 0.3) }, cancel: cancel).ToList();
        var remove = SteeringPlanner.Make(
            pack,
            SteeringFeatures.Of(all, sites: [Site.Res, Site.Mlp, Site.Att]),
            new SteeringRecipe { Method = EditMethod.Rescale, Coefficient = 0, Mode = SteeringMode.Cumulative, Layer = model.Config.Layers - 1 },
            $"{theme} removed");

        var elsewhere = theme == "wedding" ? "The doctor" : "At the wedding,";
        return [Write(SteeringAim.Activate, bring, elsewhere, 36), Write(SteeringAim.Deactivate, remove, best.Example, 60)];

        ThemeSteering Write(SteeringAim aim, SteeringPlan plan, string prompt, int tokens)
        {
            var ids = model.Tokenizer.Encode(prompt);
            var tasks = new[] { SteeringPlan.Unsteered, plan }.SelectMany(p => Enumerable.Range(0, samples).Select(s => new SteeringTask(p, ids, prompt, s))).ToList();
            var results = Steerer.Run(pack, model, tasks, new SteeringOptions { Generation = SteeringOptions.PaperGeneration with { MaxTokens = tokens, RowsTogether = 2 * samples } }, cancel).OrderBy(r => r.Task).ToList();
            var (before, after) = (results[..samples], results[samples..]);
            return new ThemeSteering(theme, aim, plan, prompt, before, after, Share(before), Share(after), Coherence(before), Coherence(after));
        }

        Interval Share(IEnumerable<SteeringResult> texts) => new Bootstrap().Mean(texts.Select(t => StoryJudge.Score(t.Text).Of(theme)));

        Interval Coherence(IEnumerable<SteeringResult> texts) => new Bootstrap().Mean(texts.Select(t => StoryJudge.Score(t.Prompt + t.Text).Coherence));
    }
}
