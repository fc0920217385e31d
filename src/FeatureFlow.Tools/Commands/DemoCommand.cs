using System.CommandLine;
using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using FeatureFlow.Experiments;
using FeatureFlow.Experiments.Storyworld;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Saes;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow demo</c>: the main job on the model and the SAEs that ship with the tool.</summary>
internal sealed class DemoCommand : ToolCommand
{
    private const int Stories = 96;
    private const ulong StorySeed = 0x44454D4F; // stories that neither the model nor its SAEs have seen

    private readonly Option<string> _out = new("--out", "-o") { Description = "Folder to write to.", HelpName = "DIR", DefaultValueFactory = _ => "featureflow-demo" };
    private readonly Option<string> _theme = new("--theme") { Description = "Theme of the stories to follow: garden, hospital, kitchen, london, money, music, religion, school, science, sea, sport, travel, weather or wedding.", HelpName = "THEME", DefaultValueFactory = _ => "sea" };
    private readonly Option<bool> _noOpen = new("--no-open") { Description = "Do not open the report." };

    public DemoCommand()
        : base(
            "demo",
            "Find what a small language model makes of a theme, trace it through the layers, steer the model by it, and open the report.",
            ("demo", "Follows the sea; writes report and tables to featureflow-demo, and opens the report."),
            ("demo --theme wedding --out trace --no-open", "Another theme, another folder, and nothing is opened."))
    {
        foreach (var option in new Option[] { _out, _theme, _noOpen }) Options.Add(option);
        _theme.CompletionSources.Add(_ => StoryTeller.ThemeNames.Select(t => new System.CommandLine.Completions.CompletionItem(t)));
    }

    /// <summary>Where the pack lies beside the tool.</summary>
    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "demo", "storyworld");

    protected override int Run(ParseResult options, ToolContext context)
    {
        if (!Directory.Exists(Folder)) throw ToolErrors.DemoMissing(Folder);
        var (output, theme) = (options.GetValue(_out)!, options.GetValue(_theme)!);
        var pack = context.Open(Folder);
        using var lease = FlowEngine.Shared.Model(pack.Pack.Model!);
        var model = lease.Model;
        var features = pack.Pack.Saes.Sum(s => pack.Info(s.Layer, s.Site).FeatureCount);
        Say(context, $"The model: {model.Config.Layers} layers of width {model.Config.Width}, trained on made-up stories of {StoryTeller.ThemeNames.Count} themes; {pack.Pack.Saes.Count} SAEs with {features} features at {string.Join(", ", pack.Pack.SitesPresent.Select(s => s.Name()))}.");

        var clock = Stopwatch.StartNew();
        var found = context.Watch("finding the theme", _ => ThemeFeatures.Find(pack, model, model.Config.Layers - 1, Site.Res, theme, Stories, cancel: context.Cancel));
        var best = Furthest(pack, found, context.Cancel);
        Say(context, $"The theme: {theme}. Of all residual features of the last layer {best.Feature} stands for it best: {best.Precision:P0} of its activation falls on sentences of the theme, and it is active in {best.Recall:P0} of them.");
        Say(context, $"  Most of all in: {best.Example}");

        var matches = PredecessorSearch.Find(pack, [best.Feature], 3, null, context.Cancel).ToList();
        var seen = Graph(pack, best.Feature, context.Cancel).Nodes.Select(n => FeatureId.Parse(n.Id)).Union(matches.Select(m => FeatureId.Parse(m.Source)));
        var evidence = context.Watch("reading stories", _ => Evidence(pack, model, seen, context.Cancel));
        pack = pack.With(Described(evidence));
        var graph = Graph(pack, best.Feature, context.Cancel);
        matches = [.. PredecessorSearch.Find(pack, [best.Feature], 3, null, context.Cancel)];
        Say(context, $"Its graph: {graph.Nodes.Count} nodes, {graph.Edges.Count} edges, similarity span [{graph.SpanStart}, {graph.SpanEnd}], {clock.ElapsedMilliseconds} ms in all.");

        var report = Path.Combine(output, "report.html");
        GraphFile.Write(graph, report);
        GraphFile.Write(graph, Path.Combine(output, "graph.json"));
        GraphFile.Write(graph, Path.Combine(output, "graph.svg"));
        Tables.MatchesOf(pack).Write(Path.Combine(output, "predecessors.csv"), matches);
        Tables.Classes.Write(Path.Combine(output, "classes.csv"), StaticClasses.Count(pack, Thresholds.Default, cancel: context.Cancel));
        clock.Restart();
        var steered = context.Watch("steering", _ => ThemeSteering.BothWays(pack, model, theme, best, found, cancel: context.Cancel));
        var took = clock.ElapsedMilliseconds;
        Tables.Steering.Write(Path.Combine(output, "steering.csv"), steered.SelectMany(s => s.Unsteered.Concat(s.Steered)));
        SteeringPlanFile.Columns.Write(Path.Combine(output, "plans.csv"), SteeringPlanFile.RowsOf(steered.Select(s => s.Plan)));
        ThemeSteeringReport.Write(Path.Combine(output, "steering.html"), steered, graph);
        if (context.Json)
        {
            context.Out.WriteLine(new JsonObject
            {
                ["theme"] = theme,
                ["seed"] = best.Feature.ToString(),
                ["nodes"] = graph.Nodes.Count,
                ["edges"] = graph.Edges.Count,
                ["report"] = report,
                ["steering"] = new JsonArray([.. steered.Select(s => new JsonObject { ["plan"] = s.Plan.Name, ["theme_before"] = s.ThemeBefore.Value, ["theme_after"] = s.ThemeAfter.Value, ["coherence_before"] = s.CoherenceBefore.Value, ["coherence_after"] = s.CoherenceAfter.Value })]),
            }.ToJsonString());
            return 0;
        }

        Say(context, "Where it comes from:");
        Say(context, "");
        context.Show(Tables.MatchesOf(pack), matches);
        Say(context, "");
        Say(context, string.Create(CultureInfo.InvariantCulture, $"Steered by it, {steered.Sum(s => s.Unsteered.Count + s.Steered.Count)} texts in {took} ms, judged by the grammar that the stories were made with:"));
        foreach (var way in steered) Show(context, way);
        Say(context, "");
        Say(context, $"Written to {output}: report.html, graph.json, graph.svg, predecessors.csv, classes.csv, steering.html, steering.csv, plans.csv.");
        if (!options.GetValue(_noOpen) && context.Interactive && !TryShow(report)) Say(context, $"Open {Path.GetFullPath(report)} in a browser.");
        return 0;
    }

    private static void Say(ToolContext context, string text)
    {
        if (!context.Json) context.Out.WriteLine(text);
    }

    private static void Show(ToolContext context, ThemeSteering way)
    {
        Say(context, "");
        Say(context, $"  {way.Plan.Name}: {way.Plan.Edits.Count} features. Share of the theme {way.ThemeBefore} -> {way.ThemeAfter}, coherence {way.CoherenceBefore} -> {way.CoherenceAfter}.");
        Say(context, $"    without: {way.Prompt}{way.Unsteered[way.Shown].Text}");
        Say(context, $"    with:    {way.Prompt}{way.Steered[way.Shown].Text}");
    }

    private static FlowGraph Graph(OpenedPack pack, FeatureId seed, CancellationToken cancel) =>
        FlowGraphBuilder.Build(pack, seed, new FlowGraphOptions { Direction = FlowDirection.Backward, Top = 2 }, cancel);

    // of the features that stand for the theme nearly as well as the best, the one whose lineage reaches furthest back
    private static ThemeFeature Furthest(OpenedPack pack, IReadOnlyList<ThemeFeature> found, CancellationToken cancel) =>
        found.Where(f => f.Score >= 0.9 * found[0].Score).OrderBy(f => Graph(pack, f.Feature, cancel).SpanStart).ThenByDescending(f => f.Score).First();

    // what features are active on, and which tokens they promote
    private static IReadOnlyList<FeatureEvidence> Evidence(OpenedPack pack, LanguageModel model, IEnumerable<FeatureId> features, CancellationToken cancel)
    {
        var teller = new StoryTeller(StorySeed);
        var documents = Enumerable.Range(0, Stories).Select(i => new TokenDocument(Cut(model.Tokenizer.Encode(teller.Text(i))), StartsWithBos: true, $"story {i}")).ToList();
        var leases = new List<SaeLease>();
        try
        {
            var wanted = new List<(Sae, IReadOnlyList<int>)>();
            foreach (var group in features.GroupBy(f => (f.Layer, f.Site)))
            {
                leases.Add(pack.Lease(group.Key.Layer, group.Key.Site));
                wanted.Add((leases[^1].Sae, [.. group.Select(f => f.Index)]));
            }

            return EvidenceSearch.Find(model, documents, wanted, model.Tokenizer.Piece, cancel: cancel);
        }
        finally
        {
            foreach (var lease in leases) lease.Dispose();
        }

        int[] Cut(int[] ids) => ids.Length > model.Config.Context ? ids[..model.Config.Context] : ids;
    }

    private static FeatureDescriptions Described(IReadOnlyList<FeatureEvidence> evidence)
    {
        var descriptions = new FeatureDescriptions();
        foreach (var e in evidence) descriptions.Add(FeatureId.Parse(e.Feature), new FeatureDescription(e.Description, Method: "evidence"));
        return descriptions;
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
