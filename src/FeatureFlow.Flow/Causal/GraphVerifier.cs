using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>Causal evidence of an edge: what removing the predecessor did to the target, at tokens where both are active.</summary>
/// <param name="Count">Tokens at which it was tried; 0 when both are never active together.</param>
/// <param name="Success">Share of them at which the target fell silent, with its interval (Wilson); null without tokens.</param>
/// <param name="Change">Mean activation change 1 − z_new/z_old, with its interval (bootstrap); null without tokens.</param>
public sealed record EdgeEvidence(int Count, Interval? Success, Interval? Change);

/// <summary>Tries the edges of a flow graph on texts: similarity says that features look alike, this that one depends on the other (Feature Flow, sections 3.3 and 5.2).</summary>
public static class GraphVerifier
{
    /// <summary>Tokens tried for every edge unless the caller says.</summary>
    public const int DefaultTokens = 50;

    private const int MostNamed = 8;
    private const ulong Key = 0x7E5F;

    /// <summary>The same graph with evidence on its edges.</summary>
    /// <param name="pack">The pack.</param>
    /// <param name="model">Its model.</param>
    /// <param name="documents">Texts.</param>
    /// <param name="graph">A graph of the pack.</param>
    /// <param name="tokens">Tokens tried for every edge, drawn from those where both ends are active.</param>
    /// <param name="seed">Seed of the draws.</param>
    /// <param name="minimumEffect">Edges with evidence of a smaller mean change are left out, and what then is connected with the seed no more; null keeps all.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    /// <exception cref="FeatureFlowException">FF4001: the graph is of another pack; FF4040: SAEs of another model.</exception>
    public static FlowGraph Verify(
        OpenedPack pack, LanguageModel model, IReadOnlyList<TokenDocument> documents, FlowGraph graph, int tokens = DefaultTokens, ulong seed = 0, double? minimumEffect = null,
        IProgress<FlowProgress>? progress = null, CancellationToken cancel = default) =>
        VerifyMany(pack, model, documents, [graph], tokens, seed, minimumEffect, progress, cancel)[0];

    /// <summary>The same for several graphs with one reading of the texts; an edge that is in several is tried once.</summary>
    /// <inheritdoc cref="Verify"/>
    public static IReadOnlyList<FlowGraph> VerifyMany(
        OpenedPack pack, LanguageModel model, IReadOnlyList<TokenDocument> documents, IReadOnlyList<FlowGraph> graphs, int tokens = DefaultTokens, ulong seed = 0, double? minimumEffect = null,
        IProgress<FlowProgress>? progress = null, CancellationToken cancel = default)
    {
        var neighbours = new Neighbours(pack.Pack, pack.Matches);
        var lanes = new Dictionary<Place, Lanes>();
        var edges = new Dictionary<(string Target, string Predecessor), Tried>();
        foreach (var edge in graphs.SelectMany(g => g.Edges))
        {
            var (target, predecessor) = (FeatureId.Parse(edge.Target), FeatureId.Parse(edge.Predecessor));
            if (target.Site == Site.ResPre) continue; // the input of a layer is no result of it
            var place = Place.Of(target);
            if (!lanes.TryGetValue(place, out var before)) before = neighbours.Before(place);
            if (before.All().All(l => l.Place != Place.Of(predecessor))) continue;
            lanes[place] = before;
            edges.TryAdd((edge.Target, edge.Predecessor), new Tried(target, predecessor));
        }

        List<Tried> all = [.. edges.Values];
        Choose(pack, model, documents, all, tokens, seed, progress, cancel);
        var texts = all.SelectMany(e => e.Tokens.Select(t => t.Text)).Distinct().Order().ToList();
        using var memory = new ReplayMemory(model);
        for (var i = 0; i < texts.Count; i++)
        {
            progress?.Report(new FlowProgress($"text {texts[i]}", 0.5 + (0.5 * i / texts.Count)));
            Try(pack, model, documents[texts[i]], texts[i], lanes, all, memory, cancel);
        }

        progress?.Report(new FlowProgress("done", 1));
        var evidence = edges.ToDictionary(e => e.Key, e => e.Value.Evidence());
        return
        [
            .. graphs.Select(graph =>
            {
                var verified = graph with { Edges = [.. graph.Edges.Select(e => evidence.TryGetValue((e.Target, e.Predecessor), out var found) ? e with { Evidence = found } : e)] };
                return minimumEffect is { } least ? Pruned(verified, least) : verified;
            }),
        ];
    }

    /// <summary>Leaves out edges whose evidence is of a smaller mean change, and nodes that then are connected with the seed no more. Edges without evidence stay. A note names what was left out.</summary>
    public static FlowGraph Pruned(FlowGraph graph, double minimumEffect)
    {
        var kept = graph.Edges.Where(e => e.Evidence?.Change is not { } change || change.Value >= minimumEffect).ToList();
        var connected = new HashSet<string> { graph.Seed };
        for (var before = 0; before != connected.Count;)
        {
            before = connected.Count;
            foreach (var edge in kept)
            {
                if (connected.Contains(edge.Target) || connected.Contains(edge.Predecessor)) connected.UnionWith([edge.Target, edge.Predecessor]);
            }
        }

        string[] pruned = [.. graph.Edges.Except(kept).Select(e => FormattableString.Invariant($"{e.Predecessor} → {e.Target} ({e.Evidence!.Change!.Value.Value:0.###})"))];
        var nodes = graph.Nodes.Where(n => connected.Contains(n.Id)).ToList();
        int[] residual = [.. nodes.Where(n => n.Site is "res" or "res_pre").Select(n => n.Layer)];
        var seed = FeatureId.Parse(graph.Seed).Layer;
        return graph with
        {
            Nodes = nodes,
            Edges = [.. kept.Where(e => connected.Contains(e.Target))],
            MinimumEffect = minimumEffect,
            Notes = pruned.Length == 0 ? graph.Notes : [.. graph.Notes, FormattableString.Invariant($"{pruned.Length} edge{(pruned.Length == 1 ? "" : "s")} left out, with less effect than {minimumEffect}: {string.Join(", ", pruned.Take(MostNamed))}{(pruned.Length > MostNamed ? ", ..." : "")}")],
            SpanStart = residual.DefaultIfEmpty(seed).Min(),
            SpanEnd = residual.DefaultIfEmpty(seed).Max(),
        };
    }

    // tokens at which both ends are active, a sample of them
    private static void Choose(OpenedPack pack, LanguageModel model, IReadOnlyList<TokenDocument> documents, List<Tried> edges, int tokens, ulong seed, IProgress<FlowProgress>? progress, CancellationToken cancel)
    {
        using var reader = new ActivationReader(pack, model, edges.SelectMany(e => new[] { Place.Of(e.Target), Place.Of(e.Predecessor) }), cancel);
        var places = documents.SelectMany((d, text) => Enumerable.Range(d.FirstPosition, Math.Max(0, d.Positions)).Select(p => (Text: text, Position: p))).ToArray();
        reader.Run(model, [.. documents.Select(d => (d, (IReadOnlyList<int>)[.. Enumerable.Range(d.FirstPosition, Math.Max(0, d.Positions))]))], progress is null ? null : new Half(progress));
        foreach (var edge in edges)
        {
            var (targets, predecessors) = (reader[Place.Of(edge.Target)], reader[Place.Of(edge.Predecessor)]);
            int[] both = [.. Enumerable.Range(0, targets.Rows).Where(row => targets.At(row, edge.Target.Index) > 0 && predecessors.At(row, edge.Predecessor.Index) > 0)];
            new Prng(seed, Key, (ulong)edge.Target.Layer, (ulong)edge.Target.Index, (ulong)edge.Predecessor.Site, (ulong)edge.Predecessor.Index).Shuffle(both.AsSpan());
            edge.Tokens.AddRange(both.Take(tokens).Order().Select(row => places[row]));
        }
    }

    private static void Try(OpenedPack pack, LanguageModel model, TokenDocument document, int text, Dictionary<Place, Lanes> lanes, List<Tried> edges, ReplayMemory memory, CancellationToken cancel)
    {
        var here = edges.SelectMany(e => e.Tokens.Where(t => t.Text == text).Select(t => (Edge: e, t.Position))).ToList();
        int[] positions = [.. here.Select(h => h.Position).Distinct().Order()];
        var places = here.Select(h => Place.Of(h.Edge.Target)).Distinct().ToDictionary(p => p, p => lanes[p]);
        using var replay = new LayerReplay(pack, model, document, positions, places, memory, cancel);
        foreach (var (place, before) in places)
        {
            var mine = here.Where(h => Place.Of(h.Edge.Target) == place).ToList();
            var plan = new CutPlan();
            var rows = mine.ConvertAll(h => Array.IndexOf(positions, h.Position));
            for (var i = 0; i < mine.Count; i++) plan.Ask(plan.Add(rows[i], [new FeatureEdit(mine[i].Edge.Predecessor, EditMethod.Rescale, 0)]), mine[i].Edge.Target.Index);
            var outcomes = replay.Run(place, before, plan);
            for (var i = 0; i < mine.Count; i++)
            {
                double old = replay.Activations[place].At(rows[i], mine[i].Edge.Target.Index);
                if (old > 0) mine[i].Edge.Changes.Add(1 - (outcomes[i].Activation / old));
            }
        }
    }

    private sealed record Tried(FeatureId Target, FeatureId Predecessor)
    {
        public List<(int Text, int Position)> Tokens { get; } = [];

        public List<double> Changes { get; } = [];

        public EdgeEvidence Evidence() => Changes.Count == 0
            ? new EdgeEvidence(0, null, null)
            : new EdgeEvidence(Changes.Count, Wilson.Of(Changes.Count(c => c == 1), Changes.Count), new Bootstrap(Resamples: 1000).Mean(Changes));
    }

    private sealed class Half(IProgress<FlowProgress> to) : IProgress<double>
    {
        public void Report(double value) => to.Report(new FlowProgress("reading texts", value / 2));
    }
}
