using System.Text.Json;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary>Computes the units of a <see cref="FlowGraphPlan"/>: many seeds at a time, so that each decoder is read once for all of them.</summary>
internal sealed class FlowGraphExperiment : IExperiment
{
    private readonly OpenedPack _pack;
    private readonly FlowGraphPlan _plan;

    public FlowGraphExperiment(OpenedPack pack, FlowGraphPlan plan, CancellationToken cancel)
    {
        _pack = pack;
        _plan = plan;
        foreach (var place in plan.Seeds.GroupBy(s => (s.Layer, s.Site))) _ = pack.Features(place.Key.Layer, place.Key.Site, [.. place.Select(s => s.Index)], cancel);
        Inputs = new Dictionary<string, string> { ["saes"] = pack.ContentHash(cancel), ["descriptions"] = Described(pack.Pack) };
        Notes = pack.Warnings;
    }

    public IExperimentPlan Plan => _plan;

    public string Pack => _pack.Pack.Source;

    public IReadOnlyDictionary<string, string> Inputs { get; }

    public IReadOnlyList<string> Notes { get; }

    public IEnumerable<(int Unit, string Json)> Compute(IReadOnlyList<int> units, IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        var traced = units.Where(u => _plan.SeedOf(u) is not null).ToArray();
        var seeds = traced.Select(u => _plan.SeedOf(u)!.Value).ToArray();
        var predecessors = _plan.Predecessors == 0
            ? null
            : PredecessorSearch.Find(_pack, seeds, _plan.Predecessors, null, progress, null, cancel).ToLookup(m => m.Feature);
        var at = 0;
        foreach (var graph in FlowGraphBuilder.BuildMany(_pack, seeds, _plan.Options, progress, cancel))
        {
            var matches = predecessors?[graph.Seed] ?? [];
            yield return (traced[at++], $"{{\"Graph\":{GraphJson.Render(graph).TrimEnd()},\"Predecessors\":{JsonSerializer.Serialize(matches)}}}");
        }

        foreach (var unit in units.Where(u => _plan.SeedOf(u) is null))
            yield return (unit, JsonSerializer.Serialize(StaticClasses.Count(_pack, _plan.Options.Thresholds, _plan.Options.LayerThresholds, null, progress, null, cancel)));
    }

    private static string Described(Pack pack) =>
        string.Join(' ', pack.DescriptionFiles.Select(f => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(f.Path)))));
}
