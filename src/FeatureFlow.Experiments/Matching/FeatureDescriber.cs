using FeatureFlow.Flow;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments.Matching;

/// <summary>Descriptions of features: those of the pack, and of features that nobody described, with a model and texts, where they are active and what they promote (<see cref="FeatureEvidence.Description"/>).</summary>
internal sealed class FeatureDescriber(OpenedPack pack, string? model, IReadOnlyList<TokenDocument> documents)
{
    private readonly Dictionary<FeatureId, string> _found = [];

    /// <summary>Of those that have one, by feature.</summary>
    public Dictionary<FeatureId, string> Describe(IEnumerable<FeatureId> features, IProgress<double>? progress, CancellationToken cancel)
    {
        var wanted = features.ToHashSet();
        List<FeatureId> missing = [.. wanted.Where(f => pack.Descriptions.Text(f) is null && !_found.ContainsKey(f)).OrderBy(f => f.Layer).ThenBy(f => f.Site).ThenBy(f => f.Index)];
        if (missing.Count > 0 && model is not null)
        {
            using var lease = FlowEngine.Shared.Model(model);
            var saes = missing.GroupBy(f => (f.Layer, f.Site)).Select(g => (Lease: pack.Lease(g.Key.Layer, g.Key.Site), Features: (IReadOnlyList<int>)[.. g.Select(f => f.Index)])).ToList();
            try
            {
                foreach (var one in EvidenceSearch.Find(lease.Model, documents, [.. saes.Select(s => (s.Lease.Sae, s.Features))], lease.Model.Tokenizer.Piece, null, progress, cancel))
                    _found[FeatureId.Parse(one.Feature)] = one.Contexts.Count > 0 ? one.Description : ""; // never active: nothing to say
            }
            finally
            {
                foreach (var (sae, _) in saes) sae.Dispose();
            }
        }

        return wanted.Select(f => (Id: f, Text: pack.Descriptions.Text(f) ?? _found.GetValueOrDefault(f))).Where(f => !string.IsNullOrWhiteSpace(f.Text)).ToDictionary(f => f.Id, f => f.Text!);
    }
}
