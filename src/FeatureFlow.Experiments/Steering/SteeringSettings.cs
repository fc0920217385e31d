using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Generation;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary>
/// Steering settings as <c>steer.json</c> lists them: each with its prompt and its edits, coefficients final; written greedily, all in one batch. Where the file also
/// holds results, the new ones are compared with them: a check of another implementation, or of another machine.
/// </summary>
public sealed class SteeringSettings
{
    private static readonly JsonSerializerOptions Written = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly JsonObject _root;
    private readonly List<Setting> _settings;

    private SteeringSettings(JsonObject root, List<Setting> settings, int newTokens) => (_root, _settings, NewTokens) = (root, settings, newTokens);

    /// <summary>New tokens of each setting.</summary>
    public int NewTokens { get; }

    /// <summary>Names, in order.</summary>
    public IReadOnlyList<string> Names => [.. _settings.Select(s => s.Plan.Name)];

    /// <summary>Reads a file.</summary>
    /// <exception cref="FeatureFlowException">FF5006: unreadable; FF5401: not settings.</exception>
    public static SteeringSettings Load(string path)
    {
        var text = PackFile.Text(Path.GetFullPath(path));
        try
        {
            var root = JsonNode.Parse(text) as JsonObject ?? throw ExperimentErrors.Settings(path, "the file is no JSON object.");
            var list = root["settings"] as JsonArray ?? throw ExperimentErrors.Settings(path, "there is no list 'settings'.");
            return new SteeringSettings(root, [.. list.Select((s, i) => Read(path, s as JsonObject, i))], (int?)root["new_tokens"] ?? 24);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw ExperimentErrors.Settings(path, e.Message);
        }
    }

    /// <summary>Runs all settings.</summary>
    /// <param name="pack">The pack.</param>
    /// <param name="model">The model.</param>
    /// <param name="prompt">A prompt for all; null for each its own.</param>
    /// <param name="newTokens">New tokens; null for what the file says.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF4001, FF4002, FF4040: features that are not there; FF5401: a setting without a prompt.</exception>
    public SteeringSettingsReport Run(OpenedPack pack, LanguageModel model, int[]? prompt = null, int? newTokens = null, CancellationToken cancel = default)
    {
        var count = newTokens ?? NewTokens;
        var tasks = _settings.Select(s => new SteeringTask(s.Plan, prompt ?? s.Prompt ?? throw ExperimentErrors.Settings(pack.Pack.Source, $"the setting '{s.Plan.Name}' has no prompt; give one with --prompt or --prompt-ids."), "")).ToList();
        var options = new SteeringOptions { Generation = new GenerationOptions { Temperature = 0, MaxTokens = count, StopAtEos = false }, Measure = false };
        var results = Steerer.Run(pack, model, [.. tasks, new SteeringTask(SteeringPlan.Unsteered, tasks[0].Ids, "")], options, cancel).OrderBy(r => r.Task).ToList();
        var unsteered = results[^1].Ids;
        var logits = Logits(pack, model, tasks, results, cancel);

        var comparable = prompt is null && count == NewTokens;
        var rows = new List<SteeringSettingResult>();
        var root = (JsonObject)_root.DeepClone();
        root["new_tokens"] = count;
        for (var i = 0; i < tasks.Count; i++)
        {
            var setting = (JsonObject)root["settings"]![i]!;
            var (expected, known) = ((setting["tokens"] as JsonArray)?.Select(t => (int)t!).ToArray(), setting["first_logits"] as JsonArray);
            var same = results[i].Ids.Zip(unsteered).Count(p => p.First == p.Second);
            rows.Add(new SteeringSettingResult(
                tasks[i].Plan.Name,
                results[i].Ids,
                model.Tokenizer.Decode(results[i].Ids, skipSpecial: true),
                logits[i].Gap,
                same,
                comparable && expected is not null ? results[i].Ids.SequenceEqual(expected) : null,
                comparable && known?.Count == logits[i].First.Length ? known.Zip(logits[i].First).Max(p => Math.Abs((double)p.First! - p.Second)) : null));
            setting["prompt"] = new JsonArray([.. tasks[i].Ids.Select(t => (JsonNode)t)]);
            setting["tokens"] = new JsonArray([.. results[i].Ids.Select(t => (JsonNode)t)]);
            setting["min_gap"] = logits[i].Gap;
            setting["same_as_unsteered"] = same;
            setting["first_logits"] = new JsonArray([.. logits[i].First.Select(x => (JsonNode)x)]);
        }

        return new SteeringSettingsReport(rows, root.ToJsonString(Written) + "\n");
    }

    // the texts read again, all logits at hand: those of the first new token, and how clear the choice of every token was
    private static List<(float[] First, double Gap)> Logits(OpenedPack pack, LanguageModel model, List<SteeringTask> tasks, List<SteeringResult> results, CancellationToken cancel)
    {
        using var set = new InterventionSet(pack, model, [.. tasks.Select(t => t.Plan.Edits)], cancel);
        var found = new List<(float[], double)>();
        for (var i = 0; i < tasks.Count; i++)
        {
            using var hook = set.Hook([new RowEdits(i)]);
            using var pass = model.Forward(new TokenBatch([[.. tasks[i].Ids, .. results[i].Ids.SkipLast(1)]]), new ForwardOptions { Hook = hook }, cancel);
            using var host = FeatureFlow.Tensors.Tensor.Allocate(FeatureFlow.Tensors.DType.F32, pass.Logits!.Shape);
            model.Engine.Copy(pass.Logits, host);
            var vocabulary = model.Config.Vocabulary;
            var gap = double.PositiveInfinity;
            for (var t = tasks[i].Ids.Length - 1; t < host.Shape[0]; t++)
            {
                float best = float.NegativeInfinity, second = float.NegativeInfinity;
                foreach (var x in host.AsSpan<float>().Slice(t * vocabulary, vocabulary))
                {
                    if (x > best) (best, second) = (x, best);
                    else if (x > second) second = x;
                }

                gap = Math.Min(gap, (double)best - second);
            }

            found.Add((host.AsSpan<float>().Slice((tasks[i].Ids.Length - 1) * vocabulary, vocabulary).ToArray(), gap));
        }

        return found;
    }

    private static Setting Read(string path, JsonObject? setting, int number)
    {
        var name = (string?)setting?["name"] ?? $"setting {number}";
        var items = setting?["items"] as JsonArray ?? throw ExperimentErrors.Settings(path, $"{name} has no list 'items'.");
        var folded = (bool?)setting!["folded"] ?? false;
        var edits = items.Select(i => new FeatureEdit(
            new FeatureId(Need<int>(i, "layer"), Sites.Parse(Need<string>(i, "site")), Need<int>(i, "index")),
            Need<string>(i, "method") switch { "add" => EditMethod.Add, "rescale" => EditMethod.Rescale, var m => throw ExperimentErrors.Settings(path, $"{name} has an item of method '{m}'; methods are add and rescale.") },
            Need<double>(i, "coefficient"),
            folded)).ToList();
        return new Setting(new SteeringPlan { Name = name, Edits = edits }, (setting["prompt"] as JsonArray)?.Select(t => (int)t!).ToArray());

        T Need<T>(JsonNode? item, string key) => item?[key] is JsonValue value ? value.GetValue<T>() : throw ExperimentErrors.Settings(path, $"an item of {name} has no '{key}'.");
    }

    private sealed record Setting(SteeringPlan Plan, int[]? Prompt);
}

/// <summary>What a setting wrote.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Ids">New tokens.</param>
/// <param name="Text">Their text.</param>
/// <param name="MinGap">Least distance of the best two logits along the way.</param>
/// <param name="SameAsUnsteered">Positions at which the unsteered model writes the same token.</param>
/// <param name="TokensAgree">Whether they are those in the file; null without any.</param>
/// <param name="LogitDifference">Largest difference to the file's first logits; null without any.</param>
public sealed record SteeringSettingResult(string Name, IReadOnlyList<int> Ids, string Text, double MinGap, int SameAsUnsteered, bool? TokensAgree, double? LogitDifference);

/// <summary>All settings, and the file that says so.</summary>
/// <param name="Rows">By setting.</param>
/// <param name="Json">steer.json with these results.</param>
public sealed record SteeringSettingsReport(IReadOnlyList<SteeringSettingResult> Rows, string Json);
