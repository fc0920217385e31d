using System.Text.Json;
using FeatureFlow.Experiments.Judging;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments.Steering;

/// <summary>
/// A sweep of steering plans (Feature Flow, section 5.3): one unit for the unsteered texts, then one for every mode, schedule, layer and coefficient, each with all
/// its prompts and samples.
/// </summary>
internal sealed record SteeringSweepPlan : IExperimentPlan
{
    public const string UnsteeredUnit = "unsteered";

    public required SteeringFeatures Lineage { get; init; }

    public required SteeringAim Aim { get; init; }

    public required SteeringRecipe Recipe { get; init; }

    public required IReadOnlyList<double> Coefficients { get; init; }

    public required IReadOnlyList<SteeringMode> Modes { get; init; }

    public required IReadOnlyList<SteeringSchedule> Schedules { get; init; }

    /// <summary>Layers asked for; null for every layer of the lineage.</summary>
    public IReadOnlyList<int>? Layers { get; init; }

    public required IReadOnlyList<string> Prompts { get; init; }

    public required int Samples { get; init; }

    public required SteeringOptions Options { get; init; }

    public required IReadOnlyList<string> Subjects { get; init; }

    /// <summary>The judge as the file names it; empty for auto.</summary>
    public required IReadOnlyDictionary<string, object?> Judge { get; init; }

    /// <summary>The recipes, in the order of the results.</summary>
    public IReadOnlyList<SteeringRecipe> Recipes => _recipes ??= [.. Combine()];

    public IReadOnlyList<string> Units => [UnsteeredUnit, .. Recipes.Select(r => SteeringPlanner.Name(r, r.Layer!.Value))];

    public IReadOnlyDictionary<string, object?> Settings
    {
        get
        {
            var settings = new Dictionary<string, object?>
            {
                ["aim"] = Name(Aim),
                ["lineage"] = new Dictionary<string, object?>
                {
                    ["features"] = Lineage.Features.Where(f => !f.Antagonist).Select(f => f.Feature.ToString()).ToList(),
                    ["antagonists"] = Lineage.Features.Where(f => f.Antagonist).Select(f => f.Feature.ToString()).ToList(),
                    ["targets"] = Lineage.Targets.Select(f => f.ToString()).ToList(),
                    ["span"] = new List<int> { Lineage.SpanStart, Lineage.SpanEnd },
                    ["edges"] = Lineage.Edges.Select(SteeringGraph.Text).ToList(),
                },
                ["method"] = Name(Recipe.Method),
                ["coefficients"] = Coefficients.ToList(),
                ["modes"] = Modes.Select(Name).ToList(),
                ["schedules"] = Schedules.Select(Name).ToList(),
                ["alpha"] = Recipe.Alpha,
                ["end"] = Recipe.End,
                ["folded"] = Recipe.Folded,
                ["prompts"] = Prompts.ToList(),
                ["samples"] = Samples,
                ["max_tokens"] = Options.Generation.MaxTokens,
                ["temperature"] = Math.Round((double)Options.Generation.Temperature, 6),
                ["top_p"] = Math.Round((double)Options.Generation.TopP, 6),
                ["seed"] = (long)Options.Generation.Seed,
                ["tokens"] = Name(Options.Tokens),
                ["ignore_eos"] = !Options.Generation.StopAtEos,
                ["subjects"] = Subjects.ToList(),
            };
            if (Layers is not null) settings["layers"] = Layers.ToList();
            if (Judge.Count > 0) settings["judge"] = Judge;
            return settings;
        }
    }

    private IReadOnlyList<SteeringRecipe>? _recipes;

    public void Finish(string name, IReadOnlyList<string> results, RunOutputs outputs, CancellationToken cancel)
    {
        var units = Units.Zip(results).Select(u => Read(u.First, u.Second)).ToList();
        var texts = new List<SteeredText>();
        for (var u = 0; u < units.Count; u++)
        {
            var recipe = u == 0 ? null : Recipes[u - 1];
            texts.AddRange(units[u].Texts.Select(t => new SteeredText(Units[u], recipe, Prompts[t.Prompt], Options.Generation.Seed, Aim, t)));
        }

        cancel.ThrowIfCancellationRequested();
        SteeredText.Columns.Write(outputs.Add("samples.csv"), texts);
        SteeringPlanFile.Columns.Write(outputs.Add("plans.csv"), SteeringPlanFile.RowsOf(Units.Skip(1).Select((u, i) => new SteeringPlan { Name = u, Edits = units[i + 1].Edits, Targets = Lineage.Targets })));
        var aggregates = SteeringAggregate.Of(texts);
        SteeringAggregate.Columns.Write(outputs.Add("aggregate.csv"), aggregates);
        if (Subjects.Count > 0)
        {
            SteeringAggregate.Columns.Write(outputs.Add("best.csv"), SteeringAggregate.Best(aggregates));
            SteeringComparison.Columns.Write(outputs.Add("comparisons.csv"), SteeringComparison.Of(texts, Lineage.Targets[0].Layer));
        }

        cancel.ThrowIfCancellationRequested();
        new SteeringReport(this, texts, aggregates, Units.Skip(1).Select((u, i) => (u, units[i + 1].Edits)).ToDictionary(p => p.u, p => p.Edits)).Write(name, outputs);
    }

    // a schedule means nothing for one layer or for rescaling, and a layer nothing for the span
    private IEnumerable<SteeringRecipe> Combine()
    {
        var own = Lineage.Features.Select(f => f.Feature.Layer).Distinct().Order().ToList();
        foreach (var mode in Modes.Distinct())
        {
            foreach (var schedule in mode == SteeringMode.Single || Recipe.Method == EditMethod.Rescale ? [SteeringSchedule.Constant] : Schedules.Distinct())
            {
                IEnumerable<int> layers = mode == SteeringMode.Span ? [Lineage.SpanEnd] : Layers ?? own;
                foreach (var layer in layers.Where(l => mode == SteeringMode.Span || (mode == SteeringMode.Single ? own.Contains(l) : own[0] <= l)))
                {
                    foreach (var c in Coefficients.Distinct()) yield return Recipe with { Mode = mode, Schedule = schedule, Layer = layer, Coefficient = c };
                }
            }
        }
    }

    private static SteeringUnit Read(string unit, string json)
    {
        try
        {
            return JsonSerializer.Deserialize<SteeringUnit>(json) ?? throw ExperimentErrors.UnitDamaged(unit, "it is empty.");
        }
        catch (JsonException e)
        {
            throw ExperimentErrors.UnitDamaged(unit, e.Message);
        }
    }

    private static string Name<T>(T value) where T : struct, Enum => SteeringPlanFile.Name(value);
}

/// <summary>What is stored of a plan.</summary>
internal sealed record SteeringUnit(IReadOnlyList<FeatureEdit> Edits, IReadOnlyList<SteeringText> Texts);

/// <summary>What is stored of a text and a subject; a text without subjects is there once.</summary>
internal sealed record SteeringText(
    int Prompt, int Sample, string Text, int Tokens, string End, double? Norm, double? Kl, double? Perplexity, double? Before, double? After, string? Subject, double? Coherence, double? Behavioral, string? Judge, string? Problem);

/// <summary>A text with its plan: a row of samples.csv.</summary>
internal sealed record SteeredText(string Plan, SteeringRecipe? Recipe, string PromptText, ulong Seed, SteeringAim Aim, SteeringText Text)
{
    public static TableColumns<SteeredText> Columns { get; } = new(
        ("plan", r => r.Plan),
        ("method", r => Lower(r.Recipe?.Method)),
        ("mode", r => Lower(r.Recipe?.Mode)),
        ("schedule", r => Lower(r.Recipe?.Schedule)),
        ("layer", r => r.Recipe?.Layer),
        ("coefficient", r => r.Recipe?.Coefficient),
        ("prompt", r => r.PromptText),
        ("sample", r => r.Text.Sample),
        ("seed", r => r.Seed.ToString(System.Globalization.CultureInfo.InvariantCulture)),
        ("perturbation_norm", r => r.Text.Norm),
        ("kl", r => r.Text.Kl),
        ("perplexity", r => r.Text.Perplexity),
        ("target_before", r => r.Text.Before),
        ("target_after", r => r.Text.After),
        ("tokens", r => r.Text.Tokens),
        ("end", r => r.Text.End),
        ("text", r => r.Text.Text),
        ("subject", r => r.Text.Subject),
        ("aim", r => r.Text.Subject is null ? null : Lower<SteeringAim>(r.Aim)),
        ("coherence", r => r.Text.Coherence),
        ("behavioral", r => r.Text.Behavioral),
        ("total", r => r.Total),
        ("judge", r => r.Text.Judge),
        ("problem", r => r.Text.Problem));

    /// <summary>0 to 1; null without scores.</summary>
    public double? Total => Text is { Coherence: { } c, Behavioral: { } b } ? SteeringScore.Total(c, b, Aim) : null;

    /// <summary>What pairs texts of different plans: the same prompt, draws and subject.</summary>
    public (int Prompt, int Sample, string? Subject) Pair => (Text.Prompt, Text.Sample, Text.Subject);

    public static string? Lower<T>(T? value) where T : struct, Enum => value?.ToString().ToLowerInvariant();
}
