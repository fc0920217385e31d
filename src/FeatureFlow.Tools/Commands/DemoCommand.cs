using System.CommandLine;
using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json.Nodes;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow demo</c>: the main job on the pack that ships with the tool.</summary>
internal sealed class DemoCommand : ToolCommand
{
    private readonly Option<string> _out = new("--out", "-o") { Description = "Folder to write to.", HelpName = "DIR", DefaultValueFactory = _ => "featureflow-demo" };
    private readonly Option<bool> _noOpen = new("--no-open") { Description = "Do not open the report." };

    public DemoCommand()
        : base(
            "demo",
            "Trace a feature of a small trained model through its layers, and open the report.",
            ("demo", "Writes report and tables to featureflow-demo, and opens the report."),
            ("demo --out trace --no-open", "Writes them elsewhere, and opens nothing."))
    {
        Options.Add(_out);
        Options.Add(_noOpen);
    }

    /// <summary>Where the pack lies beside the tool.</summary>
    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "demo", "stories260k");

    protected override int Run(ParseResult options, ToolContext context)
    {
        if (!Directory.Exists(Folder)) throw ToolErrors.DemoMissing(Folder);
        var pack = context.Open(Folder);
        var output = options.GetValue(_out)!;
        var layers = pack.Pack.Layers;
        var features = pack.Pack.Saes.Sum(s => pack.Info(s.Layer, s.Site).FeatureCount);
        Say(context, $"The pack: {pack.Pack.Saes.Count} SAEs of a small story model, layers {layers[0]}-{layers[^1]}, {features} features at {string.Join(", ", pack.Pack.SitesPresent.Select(s => s.Name()))}.");

        var clock = Stopwatch.StartNew();
        var seed = context.Watch("choosing a feature", progress => Longest(pack, layers[^1], progress, context.Cancel));
        Say(context, $"The feature: {seed}, of all residual features of the last layer the one that reaches back furthest and best ({clock.ElapsedMilliseconds} ms for all of them).");

        var graph = FlowGraphBuilder.Build(pack, seed, new FlowGraphOptions { Direction = FlowDirection.Backward, Top = 2 }, context.Cancel);
        var matches = PredecessorSearch.Find(pack, [seed], 3, null, context.Cancel).ToList();
        Say(context, $"Its graph: {graph.Nodes.Count} nodes, {graph.Edges.Count} edges, similarity span [{graph.SpanStart}, {graph.SpanEnd}].");

        var report = Path.Combine(output, "report.html");
        GraphFile.Write(graph, report);
        GraphFile.Write(graph, Path.Combine(output, "graph.json"));
        GraphFile.Write(graph, Path.Combine(output, "graph.svg"));
        Tables.MatchesOf(pack).Write(Path.Combine(output, "predecessors.csv"), matches);
        Tables.Classes.Write(Path.Combine(output, "classes.csv"), StaticClasses.Count(pack, Thresholds.Default, cancel: context.Cancel));

        if (context.Json)
        {
            context.Out.WriteLine(new JsonObject { ["seed"] = seed.ToString(), ["nodes"] = graph.Nodes.Count, ["edges"] = graph.Edges.Count, ["report"] = report }.ToJsonString());
            return 0;
        }

        Say(context, "Where it comes from:");
        Say(context, "");
        context.Show(Tables.MatchesOf(pack), matches);
        Say(context, "");
        Say(context, $"Written to {output}: report.html, graph.json, graph.svg, predecessors.csv, classes.csv.");
        if (!options.GetValue(_noOpen) && context.Interactive && !TryShow(report)) Say(context, $"Open {Path.GetFullPath(report)} in a browser.");
        return 0;
    }

    private static void Say(ToolContext context, string text)
    {
        if (!context.Json) context.Out.WriteLine(text);
    }

    // the longest span, then the highest mean similarity along the residual chain
    private static FeatureId Longest(OpenedPack pack, int layer, IProgress<FlowProgress> progress, CancellationToken cancel)
    {
        var all = Enumerable.Range(0, pack.Info(layer, Site.Res).FeatureCount).Select(i => new FeatureId(layer, Site.Res, i)).ToArray();
        return FlowGraphBuilder.BuildMany(pack, all, new FlowGraphOptions(), progress, cancel)
            .OrderBy(g => g.SpanStart)
            .ThenByDescending(g => g.Edges.Where(e => e.Kind == "res").Select(e => e.Similarity).DefaultIfEmpty(0).Average())
            .Select(g => FeatureId.Parse(g.Seed))
            .First();
    }

    private static bool TryShow(string path)
    {
        try
        {
            using var shown = Process.Start(new ProcessStartInfo(Path.GetFullPath(path)) { UseShellExecute = true });
            return true;
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or PlatformNotSupportedException)
        {
            return false; // no desktop here
        }
    }
}
