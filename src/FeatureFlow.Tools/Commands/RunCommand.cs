using System.CommandLine;
using System.Text.Json.Nodes;
using FeatureFlow.Experiments;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow run</c>: an experiment from one YAML file.</summary>
internal sealed class RunCommand : ToolCommand
{
    private readonly Argument<string> _file = new("EXPERIMENT") { Description = "The experiment's YAML file (docs/yaml.md)." };
    private readonly Option<string?> _out = new("--out", "-o") { Description = "Folder of the results; unless given, the one that the file names.", HelpName = "DIR" };
    private readonly Option<string[]> _set = new("--set") { Description = "Overrides a value of the file, as in thresholds.res=0.6; may be given several times.", HelpName = "KEY=VALUE" };
    private readonly Option<string?> _shard = new("--shard") { Description = "Compute share i of N only (i from 0), or 'auto' in a Slurm or Kubernetes array; join with merge.", HelpName = "i/N" };
    private readonly Option<bool> _force = new("--force") { Description = "Compute everything anew, and drop what the folder holds of other settings." };

    public RunCommand()
        : base(
            "run",
            "Run an experiment. Interrupted, it goes on where it was; in shares, it gives the same results.",
            ("run examples/flow-graph.yaml --out out", "Runs the example."),
            ("run examples/flow-graph.yaml --out out06 --set thresholds.res=0.6", "With one setting changed."),
            ("run examples/flow-graph.yaml --out share0 --shard 0/2", "The first half of the work."))
    {
        Arguments.Add(_file);
        foreach (var option in new Option[] { _out, _set, _shard, _force }) Options.Add(option);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var file = ExperimentFile.Load(options.GetValue(_file)!, options.GetValue(_set));
        var settings = new RunOptions
        {
            Output = options.GetValue(_out),
            Shard = options.GetValue(_shard) is { } shard ? Shard.Parse(shard) : Shard.Whole,
            Force = options.GetValue(_force),
            CommandLine = ["featureflow", .. context.Arguments],
        };
        var report = context.Watch(file.KindName, progress => ExperimentRunner.Run(file, settings, progress, context.Cancel));
        RunReports.Show(report, context);
        return 0;
    }
}

/// <summary><c>featureflow merge</c>: the shares of a run.</summary>
internal sealed class MergeCommand : ToolCommand
{
    private readonly Argument<string[]> _folders = new("DIR") { Description = "Folders of the shares.", Arity = ArgumentArity.OneOrMore };
    private readonly Option<string?> _out = new("--out", "-o") { Description = "Folder of the results; the first one unless given.", HelpName = "DIR" };

    public MergeCommand()
        : base("merge", "Join the shares of a run to the results of the whole.", ("merge share0 share1 --out merged", "Needs nothing but the folders; exits with 75 while units are missing."))
    {
        Arguments.Add(_folders);
        Options.Add(_out);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var report = ExperimentRunner.Merge(options.GetValue(_folders)!, options.GetValue(_out), ["featureflow", .. context.Arguments], context.Cancel);
        RunReports.Show(report, context);
        return 0;
    }
}

/// <summary>How a run's report is shown.</summary>
internal static class RunReports
{
    public static void Show(RunReport report, ToolContext context)
    {
        foreach (var note in report.Notes) context.Note(note);
        if (context.Json)
        {
            context.Out.WriteLine(new JsonObject
            {
                ["folder"] = report.Folder,
                ["shard"] = report.Shard,
                ["units"] = report.Units,
                ["computed"] = report.Computed,
                ["files"] = new JsonArray([.. report.Files.Select(f => JsonValue.Create(f))]),
            }.ToJsonString());
            return;
        }

        context.Out.WriteLine($"{report.Folder}: {report.Units} units, {report.Computed} computed now{(report.Shard == "0/1" ? "" : $" (shard {report.Shard})")}");
        foreach (var file in report.Files) context.Out.WriteLine($"  {file}");
    }
}
