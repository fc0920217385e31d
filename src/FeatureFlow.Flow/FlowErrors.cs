using System.Globalization;
using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>Every message of the flow floor (FF40xx).</summary>
internal static class FlowErrors
{
    public static Exception NoSae(Pack pack, Place place) =>
        Usage("FF4001", $"The pack '{pack.Name}' has no SAE at {place}; it has {Contents(pack)}.", pack.Source);

    public static Exception NoFeature(Pack pack, Place place, int index, int count) =>
        Usage("FF4002", Invariant($"There is no feature {place}/{index}; {place} has features 0 to {count - 1}."), pack.Source);

    public static Exception NoSite(Pack pack, Site site) =>
        Usage("FF4003", $"The pack '{pack.Name}' has no SAE at {site.Name()} of any layer; it has {Contents(pack)}.", pack.Source);

    public static Exception Incomparable(Pack pack, Place target, Place other, string reason) =>
        Usage("FF4004", $"{other} cannot be compared with {target} by cosine: {reason}. Leave {other.Site.Name()} out.", pack.Source);

    public static Exception Top(int top) =>
        Usage("FF4005", Invariant($"{top} matches per site cannot be listed; ask for 1 to {MaxTop}."));

    public static Exception NotANeighbour(Place place, Site site, Side side) =>
        Usage("FF4006", $"{place.Site.Name()} features are compared with the residual stream only; ask for {(side == Side.Before ? "predecessors" : "successors")} in res or res_pre, not {site.Name()}.");

    public static Exception TooManyNodes(FeatureId seed, int limit, int layer) =>
        Usage("FF4007", Invariant($"The flow graph of {seed} passed {limit} nodes at layer {layer}; raise the thresholds, lower top, or allow more nodes."));

    public static Exception Threshold(EdgeKind kind, double value) =>
        Usage("FF4008", Invariant($"The {(kind == EdgeKind.Res ? "residual" : kind == EdgeKind.Mlp ? "MLP" : "attention")} threshold {value} is not a cosine; thresholds are -1 to 1."));

    public static Exception IndexBusy(string folder) =>
        New(FailureKind.Retry, "FF4020", "Another process is writing this flow index; wait for it, or end it.", folder);

    public static Exception IndexNotWritable(string folder, Exception why) =>
        New(FailureKind.Input, "FF4021", $"The flow index cannot be written here: {why.Message}", folder, why);

    public static Exception NotOptimal(AssignmentCertificate found) =>
        New(FailureKind.Check, "FF4061", Invariant($"The assignment costs {found.Primal}, its dual bound is {found.Dual}: the optimum is not proven. Costs that are not finite, or of very different size, do that."));

    public static Exception NoCosts(int row) =>
        New(FailureKind.Input, "FF4062", Invariant($"The costs of feature {row} are not finite; its parameters, or the fold of them, are too large."));

    public static Exception Widths(string path, string group, int a, int b) =>
        Usage("FF4063", Invariant($"Its {group} is {a} wide, that of the other {b}: dictionaries of different widths cannot be matched."), path);

    public static Exception Weight(string name, double value) =>
        Usage("FF4064", Invariant($"The {name} weight is {value}; weights are finite and not negative."));

    public static Exception Gap(FeatureMap first, FeatureMap second) =>
        Usage("FF4065", $"These maps do not follow each other: {first} and {second}.");

    public static Exception NoPair(Pack pack, string place) =>
        Usage("FF4066", $"The pack '{pack.Name}' has no residual SAEs at {place}; it has {Contents(pack)}.", pack.Source);

    public static Exception NotAnApproximation(string path) =>
        Usage("FF4067", "Activations of an SAE that normalises its input, or of a transcoder, cannot be decoded at another layer.", path);

    public static Exception Nowhere(FeatureMap map, string why) =>
        Usage("FF4068", $"The map {map} cannot be measured: {why}.");

    public static Exception Closed() =>
        New(FailureKind.Usage, "FF4030", "The flow engine was closed; open the pack again.");

    public static Exception OtherModel(Pack pack, Place place, string what) =>
        Usage("FF4040", $"Features of {place} of the pack '{pack.Name}' cannot be edited in this model: {what}. Name the model that the pack was trained on.", pack.Source);

    public static Exception Plan(string what) =>
        Usage("FF4041", what);

    public static Exception NoText(int sequence, int count) =>
        Usage("FF4080", Invariant($"There is no text {sequence}; there are {count}, numbered from 0."));

    public static Exception NoPosition(int sequence, int position, Models.Texts.TokenDocument document) =>
        Usage("FF4081", Invariant($"Text {sequence} has no position {position} that counts; it has {document.FirstPosition} to {document.Ids.Length - 1}."));

    /// <summary>The largest k of a top-k search.</summary>
    public const int MaxTop = 1024;

    /// <summary><c>layers 0-3, 7</c>.</summary>
    public static string Layers(IEnumerable<int> ascending)
    {
        var runs = new List<(int First, int Last)>();
        foreach (var layer in ascending)
        {
            if (runs.Count > 0 && runs[^1].Last == layer - 1) runs[^1] = (runs[^1].First, layer);
            else runs.Add((layer, layer));
        }

        var text = string.Join(", ", runs.Select(r => r.First == r.Last ? Invariant($"{r.First}") : Invariant($"{r.First}-{r.Last}")));
        return (runs.Count == 1 && runs[0].First == runs[0].Last ? "layer " : "layers ") + text;
    }

    private static string Contents(Pack pack) => pack.Saes.Count == 0
        ? "none at all"
        : string.Join("; ", pack.SitesPresent.Select(s => $"{s.Name()} at {Layers(pack.Saes.Where(x => x.Site == s).Select(x => x.Layer))}"));

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static FeatureFlowException Usage(string code, string text, string? file = null) => New(FailureKind.Usage, code, text, file);

    private static FeatureFlowException New(FailureKind kind, string code, string text, string? file = null, Exception? inner = null) =>
        new(kind, code, text, file, inner: inner);
}
