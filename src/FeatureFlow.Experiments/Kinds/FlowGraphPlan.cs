using System.Text.Json;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary>One unit per seed, and one for the classes of the pack.</summary>
internal sealed record FlowGraphPlan(IReadOnlyList<FeatureId> Seeds, FlowGraphOptions Options, int Predecessors, bool Classes, IReadOnlyList<string> Formats) : IExperimentPlan
{
    private const string ClassesUnit = "classes";

    private static readonly TableColumns<FlowGraph> Summary = new(
        ("seed", g => g.Seed),
        ("nodes", g => g.Nodes.Count),
        ("edges", g => g.Edges.Count),
        ("span_start", g => g.SpanStart),
        ("span_end", g => g.SpanEnd),
        ("class", g => g.Nodes.First(n => n.Id == g.Seed).Class),
        ("description", g => g.Nodes.First(n => n.Id == g.Seed).Description));

    public IReadOnlyList<string> Units { get; } = [.. Seeds.Select(Unit), .. Classes ? [ClassesUnit] : Array.Empty<string>()];

    public IReadOnlyDictionary<string, object?> Settings
    {
        get
        {
            var settings = new Dictionary<string, object?>
            {
                ["seeds"] = Seeds.Select(s => s.ToString()).ToList(),
                ["direction"] = Name(Options.Direction),
                ["top"] = Options.Top,
                ["thresholds"] = Of(Options.Thresholds),
            };
            if (Options.LayerThresholds.Count > 0) settings["layer_thresholds"] = Options.LayerThresholds.OrderBy(p => p.Key).ToDictionary(p => p.Key, p => Of(p.Value));
            settings["forward_modules"] = Name(Options.ForwardModules);
            settings["max_nodes"] = Options.MaxNodes;
            settings["predecessors"] = Predecessors;
            settings["classes"] = Classes;
            settings["formats"] = Formats.ToList();
            return settings;
        }
    }

    /// <summary>The seed of a unit, or null for the classes.</summary>
    public FeatureId? SeedOf(int unit) => unit < Seeds.Count ? Seeds[unit] : null;

    public void Finish(string name, IReadOnlyList<string> results, RunOutputs outputs, CancellationToken cancel)
    {
        var graphs = new List<FlowGraph>(Seeds.Count);
        var matches = new List<FeatureMatch>();
        for (var i = 0; i < Seeds.Count; i++)
        {
            var unit = Read<FlowGraphResult>(Units[i], results[i]);
            graphs.Add(GraphJson.Parse(unit.Graph.GetRawText(), Units[i])[0]);
            matches.AddRange(unit.Predecessors);
        }

        Summary.Write(outputs.Add("summary.csv"), graphs);
        if (Predecessors > 0) (matches.Exists(m => m.Description is not null || m.SourceDescription is not null) ? Tables.DescribedMatches : Tables.Matches).Write(outputs.Add("predecessors.csv"), matches);
        if (Classes) Tables.Classes.Write(outputs.Add("classes.csv"), Read<List<ClassCount>>(ClassesUnit, results[^1]));
        foreach (var (_, format, file) in FlowGraphKind.Formats.Where(f => Formats.Contains(f.Name)))
        {
            cancel.ThrowIfCancellationRequested();
            if (!file.Contains("{unit}", StringComparison.Ordinal))
            {
                GraphFile.Write(graphs, outputs.Add(file), format);
                continue;
            }

            foreach (var graph in graphs) GraphFile.Write(graph, outputs.Add(file.Replace("{unit}", Unit(FeatureId.Parse(graph.Seed)), StringComparison.Ordinal)), format);
        }
    }

    private static T Read<T>(string unit, string json)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(json) ?? throw ExperimentErrors.UnitDamaged(unit, "it is empty.");
        }
        catch (JsonException e)
        {
            throw ExperimentErrors.UnitDamaged(unit, e.Message);
        }
    }

    private static string Unit(FeatureId seed) => seed.ToString().Replace('/', '-');

    private static Dictionary<string, object?> Of(Thresholds t) => new() { ["res"] = t.Res, ["mlp"] = t.Mlp, ["att"] = t.Att };

    private static string Name<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();
}

/// <summary>What is stored of one seed.</summary>
internal sealed record FlowGraphResult(JsonElement Graph, IReadOnlyList<FeatureMatch> Predecessors);
