using System.CommandLine;
using System.Text.Json.Nodes;
using FeatureFlow.Flow;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow index</c>: the pack-wide flow index.</summary>
internal sealed class IndexCommand : ToolCommand
{
    private readonly Option<string> _pack = PackOptions.Pack();
    private readonly Option<int> _top = PackOptions.Top(FlowIndex.DefaultTop);

    public IndexCommand()
        : base(
            "index",
            "Match every residual feature with its neighbours once, so that graphs answer in milliseconds. Can be interrupted and run again.",
            ("index --pack examples/stories260k", "Writes the index beside the pack, or brings it up to date."),
            ("index --pack examples/stories260k --top 20", "Keeps twenty matches per feature and site."))
    {
        Options.Add(_pack);
        Options.Add(_top);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var pack = context.Open(options.GetValue(_pack)!);
        var report = context.Watch("index", progress => FlowIndex.Build(pack, options.GetValue(_top), progress, context.Cancel));
        foreach (var note in report.Notes) context.Note(note);
        if (context.Json)
        {
            context.Out.WriteLine(new JsonObject { ["folder"] = report.Folder, ["top"] = report.Top, ["parts"] = report.Parts, ["written"] = report.Written, ["bytes"] = report.Bytes }.ToJsonString());
        }
        else
        {
            context.Out.WriteLine($"{report.Folder}: {report.Parts} parts, {report.Written} written now, {report.Bytes / 1e6:0.0} MB");
        }

        return 0;
    }
}
