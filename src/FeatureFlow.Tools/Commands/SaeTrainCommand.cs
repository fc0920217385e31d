using System.CommandLine;
using FeatureFlow.Experiments;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow sae train</c>: SAEs at sites of a model, as an experiment says.</summary>
internal sealed class SaeTrainCommand : ToolCommand
{
    private const string Kind = "sae-training";

    private readonly Argument<string> _file = new("EXPERIMENT") { Description = "The experiment's YAML file, kind: sae-training (docs/training.md)." };
    private readonly Option<string?> _out = new("--out", "-o") { Description = "Folder of the results; unless given, the one that the file names.", HelpName = "DIR" };
    private readonly Option<string[]> _set = new("--set") { Description = "Overrides a value of the file, as in steps=500 or saes.0.l0=20; may be given several times.", HelpName = "KEY=VALUE" };
    private readonly Option<bool> _force = new("--force") { Description = "Train anew, and drop what the folder holds of other settings." };

    public SaeTrainCommand()
        : base(
            "train",
            "Train SAEs at sites of a model, write them as a pack, and measure them. Interrupted, it goes on where it was, to the same bits.",
            ("sae train tests/fixtures/training/sae-training.yaml --out saes", "A few steps on a tiny model."),
            ("sae train tests/fixtures/training/sae-training.yaml --out saes10 --set steps=10 --set saes.0.l0=3", "With settings changed."))
    {
        Arguments.Add(_file);
        foreach (var option in new Option[] { _out, _set, _force }) Options.Add(option);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var file = ExperimentFile.Load(options.GetValue(_file)!, options.GetValue(_set));
        if (file.KindName != Kind) throw ToolErrors.ExperimentKind(file.Path, file.KindName, Kind);
        var settings = new RunOptions { Output = options.GetValue(_out), Force = options.GetValue(_force), CommandLine = ["featureflow", .. context.Arguments] };
        RunReports.Show(context.Watch("sae train", progress => ExperimentRunner.Run(file, settings, progress, context.Cancel)), context);
        return 0;
    }
}
