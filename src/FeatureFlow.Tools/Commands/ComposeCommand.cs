using System.CommandLine;
using System.Text.Json.Nodes;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow compose</c>: maps one after another.</summary>
internal sealed class ComposeCommand : ToolCommand
{
    private readonly Argument<string[]> _maps = new("MAP") { Description = "Maps in the order they are followed, .csv or .npy: at least two.", Arity = ArgumentArity.OneOrMore };
    private readonly Option<string?> _direct = new("--direct") { Description = "A map from the first to the last dictionary: says how many targets agree.", HelpName = "FILE" };
    private readonly Option<string?> _paths = new("--paths") { Description = "Write the path of every feature as CSV: one column per place.", HelpName = "FILE" };
    private readonly Option<string> _out = PackOptions.Out("The composed map, .csv or .npy.");

    public ComposeCommand()
        : base(
            "compose",
            "Follow maps one after another: P(A to C) from P(A to B) and P(B to C), and how far that agrees with a direct map.",
            ("compose tests/fixtures/maps/P_0_1.npy tests/fixtures/maps/P_1_2.npy --direct tests/fixtures/maps/P_0_2.npy --out composed.csv", "Two steps against one."))
    {
        Arguments.Add(_maps);
        foreach (var option in new Option[] { _direct, _paths, _out }) Options.Add(option);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var maps = options.GetValue(_maps)!.Select(FeatureMapFile.Read).ToList();
        var joined = FeatureMapAlgebra.Join(maps);
        double? agreement = options.GetValue(_direct) is { } direct ? FeatureMapAlgebra.Agreement(joined, FeatureMapFile.Read(direct)) : null;
        FeatureMapFile.Write(joined, options.GetValue(_out)!);
        if (options.GetValue(_paths) is { } paths) FeaturePaths.Write(paths, maps);
        if (context.Json)
        {
            context.Out.WriteLine(new JsonObject { ["maps"] = maps.Count, ["pairs"] = joined.Pairs.Count, ["agreement"] = agreement }.ToJsonString());
        }
        else
        {
            context.Note($"{joined.Pairs.Count} pairs in {options.GetValue(_out)}");
            if (agreement is { } share) context.Out.WriteLine(FormattableString.Invariant($"agreement with the direct map: {share}"));
        }

        return 0;
    }
}
