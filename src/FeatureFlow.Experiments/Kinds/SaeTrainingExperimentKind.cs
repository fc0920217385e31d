using FeatureFlow.Experiments.Texts;
using FeatureFlow.Experiments.Training;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Models.Tokenizers;
using FeatureFlow.Saes.Training;

namespace FeatureFlow.Experiments;

/// <summary><c>kind: sae-training</c>: SAEs at sites of a model, trained in one pass over texts (METHODS 7).</summary>
internal sealed class SaeTrainingExperimentKind : ExperimentKind
{
    private const int DefaultContext = 512;

    public override string Name => "sae-training";

    public override IReadOnlyList<YamlRecord> Parts => [SaeRecord, IdsRecord];

    public override YamlRecord Schema { get; } = new(
        "sae-training",
        "Trains sparse autoencoders at sites of a model, writes them as a pack, and measures them (docs/training.md).",
        [
            .. Common("sae-training"),
            new("model", YamlType.Text, "The model: the folder of a checkpoint, relative to this file, or a hub id in the local cache.", Required: true),
            new("texts", YamlType.OneOrMany(YamlType.Either(Corpora.Entry, YamlType.Text)), "What the model reads: files, folders or patterns relative to this file, names from corpora.yaml, or corpora as in that file.", Default: "'ids' is given instead"),
            new("ids", IdsRecord, "Token ids instead of texts: a model without a tokenizer can be read too."),
            new("context", YamlType.Integer(2, 1_000_000), "Longest document in tokens, BOS counted; the rest of a longer one becomes documents of its own.", Default: "512, or the model's context if that is shorter"),
            new("documents", YamlType.Integer(0, int.MaxValue), "Documents drawn from each corpus, by the seed; 0 takes all.", Default: "0"),
            new("held_out", YamlType.Number(0, 0.9), "Share of the documents kept out of training, for measuring.", Default: "0.05"),
            new("measure_tokens", YamlType.Integer(1, int.MaxValue), "Tokens measured, at most.", Default: "50000"),
            new("losses", YamlType.Boolean, "Also measure how the model's loss rises with each SAE in place: one forward pass more per SAE.", Default: "true"),
            new("saes", YamlType.OneOrMany(SaeRecord), "The SAEs.", Required: true),
            new("steps", YamlType.Integer(1, int.MaxValue), "Updates.", Required: true),
            new("batch", YamlType.Integer(1, 1 << 24), "Tokens of an update.", Default: "2048"),
            new("buffer", YamlType.Integer(1, 1 << 28), "Tokens that are read and shuffled together.", Default: "65536"),
            new("seed", YamlType.Integer(0, long.MaxValue), "Seed of everything drawn by chance.", Default: "1"),
            new("dead_after", YamlType.Integer(1, long.MaxValue), "A feature that was not active for so many tokens counts as dead.", Default: "a quarter of all tokens, at most 1000000"),
            new("checkpoint_every", YamlType.Integer(1, int.MaxValue), "Updates between two checkpoints.", Default: "500"),
            new("formats", YamlType.OneOrMany(YamlType.Choice("gemma-scope", "saelens")), "How SAEs are written; TopK, which Gemma Scope's format cannot hold, always as saelens.", Default: "gemma-scope"),
            new("type", YamlType.Choice(SaeTrainingKinds.TypeNames), "Stored type of the weights.", Default: "float32"),
        ]);

    private static YamlRecord IdsRecord { get; } = new(
        "ids",
        "Token ids in a file.",
        new YamlField("path", YamlType.Text, "A .safetensors file, relative to this one.", Required: true),
        new YamlField("tensor", YamlType.Text, "Its tensor: int64 or int32 [N,T], BOS first.", Required: true));

    private static YamlRecord SaeRecord { get; } = new(
        "saes",
        "SAEs of one site, alike at all layers. Lengths are those of inputs scaled to a mean norm of √d.",
        new YamlField("site", YamlType.Choice("res", "mlp", "att", "att_z", "res_pre"), "The site.", Required: true),
        new YamlField("layers", YamlType.Layers, "The layers.", Default: "every layer of the model"),
        new YamlField("features", YamlType.Integer(1, 1 << 24), "Number of features.", Required: true),
        new YamlField("kind", YamlType.Choice(SaeTrainingKinds.Names), "What makes activations sparse.", Default: "jumprelu"),
        new YamlField("l0", YamlType.OneOrMany(YamlType.Number(0.01, 1 << 24)), "Active features of a token: k of topk and batchtopk, for jumprelu what the penalty is steered towards; one number, or one for each layer.", Default: "jumprelu: the penalty stays as it is"),
        new YamlField("penalty", YamlType.Number(0, 1e6), "Loss per active feature, against a loss of 1 for a reconstruction of zeros: a constant, or where steering starts.", Default: "0.003"),
        new YamlField("bandwidth", YamlType.Number(1e-9, 1e6), "Width of the rectangle around the threshold within which it learns.", Default: "0.4"),
        new YamlField("rate", YamlType.Number(1e-12, 10), "Peak learning rate.", Default: "0.003"),
        new YamlField("warm_up", YamlType.Integer(0, int.MaxValue), "Updates over which the rate rises.", Default: "200, at most a tenth of the steps"),
        new YamlField("penalty_warm_up", YamlType.Integer(0, int.MaxValue), "Updates over which the penalty rises.", Default: "500, at most a quarter of the steps"),
        new YamlField("decay", YamlType.Number(0, 1), "Share of the updates, at the end, over which the rate falls to 0.", Default: "0.25"),
        new YamlField("revive_every", YamlType.Integer(0, int.MaxValue), "Every so many updates some of the dead features start anew; 0 for never.", Default: "20"));

    public override IExperiment Prepare(ExperimentFile file, CancellationToken cancel)
    {
        var values = file.Values;
        var named = values.Required("model");
        var beside = Path.Combine(file.Folder, named);
        var folder = Path.Exists(beside) ? Path.GetFullPath(beside) : named;
        using var lease = FlowEngine.Shared.Model(folder);
        var config = lease.Model.Config;
        var plan = ReadPlan(values, Math.Min(DefaultContext, config.Context), config.Layers);
        foreach (var recipe in plan.Recipes)
        {
            var place = values.Place("saes");
            if (recipe.Address.Layer >= config.Layers) throw ExperimentErrors.YamlValue(place.Source, place.Line, place.Column, $"there is no layer {recipe.Address.Layer}; the model has {config.Layers}.");
        }

        var notes = new List<string>();
        return new SaeTrainingExperiment(plan, folder, Documents(values, plan, file.Folder, () => lease.Model.Tokenizer, notes, cancel), notes, (int)(values.Integer("checkpoint_every") ?? 500));
    }

    public override IExperimentPlan Plan(ExperimentFile resolved) => ReadPlan(resolved.Values, DefaultContext, 0);

    private static SaeTrainingPlan ReadPlan(YamlValues values, int context, int layers)
    {
        var steps = (int)values.Integer("steps")!;
        var batch = (int)(values.Integer("batch") ?? 2048);
        var recipes = values.Records("saes").SelectMany(group => Recipes(group, layers, steps)).ToList();
        if (recipes.GroupBy(SaeTrainingPlan.Unit).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            var place = values.Place("saes");
            throw ExperimentErrors.YamlValue(place.Source, place.Line, place.Column, $"the SAE {twice.Key} is there twice.");
        }

        return new SaeTrainingPlan(
            values.Required("model"),
            [.. TextsOf(values)],
            values.Record("ids") is { } ids ? new Dictionary<string, object?> { ["path"] = ids.Required("path"), ["tensor"] = ids.Required("tensor") } : null,
            (int)(values.Integer("context") ?? context),
            (int)(values.Integer("documents") ?? 0),
            values.Number("held_out") ?? 0.05,
            (int)(values.Integer("measure_tokens") ?? 50_000),
            values.Flag("losses", true),
            recipes,
            new SaeTrainingOptions
            {
                Steps = steps,
                BatchSize = batch,
                BufferTokens = (int)Math.Max(batch, values.Integer("buffer") ?? 1 << 16),
                Seed = (ulong)(values.Integer("seed") ?? 1),
                DeadAfterTokens = values.Integer("dead_after") ?? Math.Clamp((long)steps * batch / 4, 1, 1_000_000),
            },
            values.Has("formats") ? [.. values.Texts("formats").Distinct()] : ["gemma-scope"],
            SaeTrainingKinds.ParseType(values.Text("type") ?? "float32"));
    }

    private static IEnumerable<SaeRecipe> Recipes(YamlValues group, int layers, int steps)
    {
        var chosen = group.Layers("layers") ?? [.. Enumerable.Range(0, layers)];
        var targets = group.Numbers("l0");
        var kind = SaeTrainingKinds.Parse(group.Text("kind") ?? "jumprelu");
        if (targets.Count > 1 && targets.Count != chosen.Length || targets.Count == 0 && kind != SaeTrainingKind.JumpRelu)
        {
            var place = group.Place("l0");
            throw ExperimentErrors.YamlValue(place.Source, place.Line, place.Column, targets.Count == 0 ? $"'l0' is missing: the k of {SaeTrainingKinds.Name(kind)}." : $"'l0' has {targets.Count} numbers for {chosen.Length} layers.");
        }

        for (var i = 0; i < chosen.Length; i++)
        {
            yield return new SaeRecipe
            {
                Address = new SiteAddress(chosen[i], FeatureFlow.Sites.Parse(group.Required("site"))),
                FeatureCount = (int)group.Integer("features")!,
                Kind = kind,
                TargetL0 = targets.Count == 0 ? null : targets[targets.Count == 1 ? 0 : i],
                Penalty = group.Number("penalty") ?? 3e-3,
                Bandwidth = group.Number("bandwidth") ?? 0.4,
                Rate = group.Number("rate") ?? 3e-3,
                WarmUpSteps = (int)(group.Integer("warm_up") ?? Math.Min(200, steps / 10)),
                PenaltyWarmUpSteps = (int)(group.Integer("penalty_warm_up") ?? Math.Min(500, steps / 4)),
                DecayShare = group.Number("decay") ?? 0.25,
                ReviveEvery = (int)(group.Integer("revive_every") ?? 20),
            };
        }
    }

    private static List<TokenDocument> Documents(YamlValues values, SaeTrainingPlan plan, string folder, Func<Tokenizer> tokenizer, List<string> notes, CancellationToken cancel)
    {
        if (values.Has("ids") == values.Has("texts")) throw ExperimentErrors.YamlValue(values.Node.Source, values.Node.Line, values.Node.Column, "give either 'texts' or 'ids'.");
        if (values.Record("ids") is { } file) return [.. TokenIdsFile.Read(Path.Combine(folder, file.Required("path")), file.Required("tensor"))];
        var how = new TokenizeOptions(BosRule.Auto, plan.Context, MinTokens: 2, Long: LongDocuments.Split);
        var documents = new List<TokenDocument>();
        foreach (var corpus in CorporaOf(values, folder))
        {
            var texts = plan.Documents > 0 ? corpus.Sample(plan.Documents, plan.Options.Seed, notes.Add) : corpus.Read(notes.Add);
            foreach (var document in how.Tokenize(texts, tokenizer()))
            {
                cancel.ThrowIfCancellationRequested();
                documents.Add(document);
            }
        }

        return documents;
    }

    // as written, for resolved.yaml
    private static IEnumerable<IReadOnlyDictionary<string, object?>> TextsOf(YamlValues values)
    {
        foreach (var item in values.Items("texts"))
        {
            if (item is not YamlValues entry)
            {
                yield return new Dictionary<string, object?> { ["path"] = item };
                continue;
            }

            var text = new Dictionary<string, object?> { ["path"] = entry.Required("path") };
            if (entry.Text("field") is { } field) text["field"] = field;
            if (entry.Text("separator") is { } separator) text["separator"] = separator;
            if (entry.Integer("min_characters") is { } least) text["min_characters"] = least;
            yield return text;
        }
    }

    private static IEnumerable<TextCorpus> CorporaOf(YamlValues values, string folder)
    {
        foreach (var item in values.Items("texts"))
        {
            if (item is YamlValues entry)
            {
                yield return Corpora.Of(Path.GetFileName(entry.Required("path")), entry, folder);
                continue;
            }

            var named = (string)item!;
            var beside = Path.Combine(folder, named);
            yield return Path.Exists(beside) || TextFolder.IsMany(beside) ? Corpora.Find(beside) : Corpora.Find(named);
        }
    }
}
