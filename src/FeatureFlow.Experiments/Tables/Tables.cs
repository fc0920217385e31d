using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Experiments;

/// <summary>The tables that FeatureFlow writes (docs/cli.md). Columns are added at the end, never renamed.</summary>
public static class Tables
{
    /// <summary>Predecessors or successors, one match a row.</summary>
    public static TableColumns<FeatureMatch> Matches { get; } = new(
        ("layer", m => m.Layer),
        ("site", m => m.Site),
        ("index", m => m.Index),
        ("source_layer", m => m.SourceLayer),
        ("source_site", m => m.SourceSite),
        ("source_index", m => m.SourceIndex),
        ("rank", m => m.Rank),
        ("similarity", m => m.Similarity));

    /// <summary>The same with both descriptions.</summary>
    public static TableColumns<FeatureMatch> DescribedMatches { get; } = Matches.With(
        ("description", m => m.Description),
        ("source_description", m => m.SourceDescription));

    /// <summary>Features, one a row.</summary>
    public static TableColumns<SaeFeature> Features { get; } = new(
        ("layer", f => f.Layer),
        ("site", f => f.Site),
        ("index", f => f.Index),
        ("threshold", f => f.Threshold),
        ("norm", f => f.Norm),
        ("bias", f => f.Bias),
        ("description", f => f.Description),
        ("neuronpedia_url", f => f.NeuronpediaUrl));

    /// <summary>Residual features with scores and class.</summary>
    public static TableColumns<ClassifiedFeature> ClassifiedFeatures { get; } = new(
        ("layer", f => f.Layer),
        ("site", f => f.Site),
        ("index", f => f.Index),
        ("score_res", f => f.ScoreRes),
        ("score_mlp", f => f.ScoreMlp),
        ("score_att", f => f.ScoreAtt),
        ("class", f => f.Class),
        ("description", f => f.Description));

    /// <summary>What SAEs do on a text, against what they declare.</summary>
    public static TableColumns<SaeMeasures> SaeMeasures { get; } = new(
        ("layer", m => m.Info.Layer),
        ("site", m => m.Info.Site?.Name()),
        ("mean_l0", m => m.MeanL0),
        ("declared_l0", m => m.DeclaredL0),
        ("explained_variance", m => m.ExplainedVariance),
        ("delta_ce", m => m.DeltaLoss),
        ("dead_share", m => m.DeadShare),
        ("base_ce", m => m.BaseLoss),
        ("explained_variance_uncentred", m => m.ExplainedVarianceUncentred),
        ("mean_squared_error", m => m.MeanSquaredError),
        ("features", m => m.Info.FeatureCount),
        ("tokens", m => m.Tokens),
        ("path", m => m.Info.Path));

    /// <summary>Evidence of features; also a file of descriptions that a pack can name.</summary>
    public static TableColumns<FeatureEvidence> Evidence { get; } = new(
        ("layer", e => e.Layer),
        ("site", e => e.Site),
        ("index", e => e.Index),
        ("description", e => e.Description),
        ("model", e => "FeatureFlow"),
        ("method", e => "contexts and logit lens"),
        ("frequency", e => e.Frequency),
        ("max_activation", e => (double)e.MaxActivation),
        ("promoted", e => string.Join(' ', e.Promoted.Select(t => t.Text))),
        ("suppressed", e => string.Join(' ', e.Suppressed.Select(t => t.Text))),
        ("contexts", e => string.Join(" | ", e.Contexts)));

    /// <summary>Substitutes for hidden states.</summary>
    public static TableColumns<LayerApproximation> Approximations { get; } = new(
        ("layer", a => a.Layer),
        ("substitute", a => a.Substitute),
        ("explained_variance", a => a.ExplainedVariance),
        ("explained_variance_uncentred", a => a.ExplainedVarianceUncentred),
        ("ce", a => a.CrossEntropy),
        ("delta_ce", a => a.DeltaCrossEntropy),
        ("matching_score", a => a.MatchingScore));

    /// <summary>The same with 95 % intervals: over documents, of matching scores over features; and what was folded by.</summary>
    public static TableColumns<LayerApproximation> ApproximationIntervals { get; } = new(
        ("layer", a => a.Layer),
        ("substitute", a => a.Substitute),
        ("explained_variance", a => a.ExplainedVariance),
        ("explained_variance_low", a => a.ExplainedVarianceInterval?.Low),
        ("explained_variance_high", a => a.ExplainedVarianceInterval?.High),
        ("delta_ce", a => a.DeltaCrossEntropy),
        ("delta_ce_low", a => a.DeltaInterval?.Low),
        ("delta_ce_high", a => a.DeltaInterval?.High),
        ("matching_score", a => a.MatchingScore),
        ("matching_score_low", a => a.MatchingInterval?.Low),
        ("matching_score_high", a => a.MatchingInterval?.High),
        ("fold", a => a.Fold));

    /// <summary>Writes everything that was found of approximations into a folder: layers.csv, approx.csv, intervals.csv, transitions.csv.</summary>
    /// <exception cref="FeatureFlowException">FF2030: a file cannot be written.</exception>
    public static void Write(ApproximationResult result, string folder)
    {
        ArgumentNullException.ThrowIfNull(result);
        Layers.Write(Path.Combine(folder, "layers.csv"), result.Layers);
        Approximations.Write(Path.Combine(folder, "approx.csv"), result.Approximations);
        ApproximationIntervals.Write(Path.Combine(folder, "intervals.csv"), result.Approximations);
        Transitions.Write(Path.Combine(folder, "transitions.csv"), result.Transitions);
    }

    /// <summary>Transition maps as translayer transcoders.</summary>
    public static TableColumns<TransitionApproximation> Transitions { get; } = new(
        ("layer", t => t.Layer),
        ("map", t => t.Map),
        ("inference", t => t.Inference),
        ("explained_variance", t => t.ExplainedVariance));

    /// <summary>States, thresholds and L0 of SAEs on texts.</summary>
    public static TableColumns<LayerStatistics> Layers { get; } = new(
        ("layer", l => l.Layer),
        ("site", l => l.Site),
        ("mean_norm", l => l.MeanNorm),
        ("mean_theta", l => l.MeanTheta),
        ("mean_l0", l => l.MeanL0),
        ("never_fired", l => l.NeverFired));

    /// <summary>Number of features per layer and class.</summary>
    public static TableColumns<ClassCount> Classes { get; } = new(
        ("layer", c => c.Layer),
        ("class", c => c.Class),
        ("count", c => c.Count));

    /// <summary>Steered texts, one a row.</summary>
    public static TableColumns<SteeringResult> Steering { get; } = new(
        ("plan", r => r.Plan),
        ("method", r => Lower(r.Method)),
        ("mode", r => Lower(r.Mode)),
        ("schedule", r => Lower(r.Schedule)),
        ("layer", r => r.Layer),
        ("coefficient", r => r.Coefficient),
        ("prompt", r => r.Prompt),
        ("sample", r => r.Sample),
        ("seed", r => r.Seed.ToString(System.Globalization.CultureInfo.InvariantCulture)),
        ("perturbation_norm", r => r.PerturbationNorm),
        ("kl", r => r.Kl),
        ("perplexity", r => r.Perplexity),
        ("target_before", r => r.TargetBefore),
        ("target_after", r => r.TargetAfter),
        ("tokens", r => r.Ids.Length),
        ("end", r => r.End),
        ("text", r => r.Text));

    /// <summary>Settings that were run as <c>steer.json</c> lists them.</summary>
    public static TableColumns<SteeringSettingResult> SteeringSettings { get; } = new(
        ("name", r => r.Name),
        ("min_gap", r => r.MinGap),
        ("same_as_unsteered", r => r.SameAsUnsteered),
        ("tokens_agree", r => r.TokensAgree),
        ("logit_difference", r => r.LogitDifference),
        ("text", r => r.Text));

    /// <summary>Edges of flow graphs, short: for reading.</summary>
    public static TableColumns<(FlowGraph Graph, FlowEdge Edge)> Edges { get; } = new(
        ("target", e => e.Edge.Target),
        ("predecessor", e => e.Edge.Predecessor),
        ("similarity", e => e.Edge.Similarity),
        ("kind", e => e.Edge.Kind),
        ("description", e => e.Graph.Nodes.First(n => n.Id == e.Edge.Predecessor).Description));

    /// <summary>The same with the causal evidence of verified graphs.</summary>
    public static TableColumns<(FlowGraph Graph, FlowEdge Edge)> VerifiedEdges { get; } = Edges.With(
        ("n", e => e.Edge.Evidence?.Count),
        ("success", e => e.Edge.Evidence?.Success?.Value),
        ("change", e => e.Edge.Evidence?.Change?.Value));

    /// <summary>The rows of <see cref="Edges"/>.</summary>
    public static IEnumerable<(FlowGraph Graph, FlowEdge Edge)> EdgesOf(FlowGraph graph) => graph.Edges.Select(e => (graph, e));

    /// <summary>The columns for matches of a pack: descriptions only where it has some.</summary>
    public static TableColumns<FeatureMatch> MatchesOf(OpenedPack pack) => pack.Descriptions.Count > 0 ? DescribedMatches : Matches;

    private static string? Lower<T>(T? value) where T : struct, Enum => value?.ToString().ToLowerInvariant();
}
