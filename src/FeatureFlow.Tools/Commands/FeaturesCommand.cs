using System.CommandLine;
using System.IO.Enumeration;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow features</c>: one row per feature.</summary>
internal sealed class FeaturesCommand : ToolCommand
{
    private readonly Option<string> _pack = PackOptions.Pack();
    private readonly Option<int[]> _layers = PackOptions.Layers("Layer, or a range; every layer unless given.");
    private readonly Option<Site> _site = PackOptions.Site("Site.");
    private readonly Option<int[]> _indices = PackOptions.Indices();
    private readonly Option<string?> _search = new("--search", "-s") { Description = "Only features with a description like this; '*' and '?' stand for characters.", HelpName = "TEXT" };
    private readonly Option<string?> _csv = PackOptions.Csv();
    private readonly Option<bool> _excel = PackOptions.Excel();

    public FeaturesCommand()
        : base(
            "features",
            "List features: threshold, decoder norm, encoder bias, description.",
            ("features --pack examples/stories260k --site res --layer 4 --index 0-9", "The first ten residual features of layer 4."),
            ("features --pack examples/stories260k --site mlp --layers 0-2 --csv features.csv", "All MLP features of three layers, as CSV."),
            ("features --pack examples/stories260k --layer 2 --search '*animal*'", "Features that somebody described so; none where the pack has no descriptions."))
    {
        _site.DefaultValueFactory = _ => Site.Res;
        foreach (var option in new Option[] { _pack, _layers, _site, _indices, _search, _csv, _excel }) Options.Add(option);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var pack = context.Open(options.GetValue(_pack)!);
        var site = options.GetValue(_site);
        var layers = options.GetValue(_layers) is { Length: > 0 } asked ? asked : [.. pack.Pack.Saes.Where(s => s.Site == site).Select(s => s.Layer)];
        if (layers.Length == 0) layers = [pack.Pack.Layers[0]]; // throws, with what the pack has
        var indices = options.GetValue(_indices) is { Length: > 0 } some ? some : null;
        var pattern = options.GetValue(_search) is { } text ? (text.AsSpan().IndexOfAny('*', '?') >= 0 ? text : $"*{text}*") : null;
        var rows = context.Watch("features", progress =>
        {
            var found = new List<SaeFeature>();
            foreach (var layer in layers)
            {
                progress.Report(new FlowProgress($"layer {layer}", (double)Array.IndexOf(layers, layer) / layers.Length));
                found.AddRange(pack.Features(layer, site, Matching(pack, layer, site, indices, pattern), context.Cancel));
            }

            return found;
        });
        context.ShowOrWrite(Tables.Features, rows, options.GetValue(_csv), options.GetValue(_excel));
        return 0;
    }

    // descriptions are searched before any weight is read
    private static int[]? Matching(OpenedPack pack, int layer, Site site, int[]? indices, string? pattern) => pattern is null
        ? indices
        : [.. (indices ?? Enumerable.Range(0, pack.Info(layer, site).FeatureCount)).Where(i => pack.Descriptions.Of(new FeatureId(layer, site, i)).Any(d => FileSystemName.MatchesSimpleExpression(pattern, d.Text)))];
}
