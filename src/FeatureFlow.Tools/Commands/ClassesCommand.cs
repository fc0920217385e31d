using System.CommandLine;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow classes</c>: static classes A-D of residual features.</summary>
internal sealed class ClassesCommand : ToolCommand
{
    private readonly Option<string> _pack = PackOptions.Pack();
    private readonly Option<int[]> _layers = PackOptions.Layers("Layer, or a range; every layer unless given.");
    private readonly ThresholdOptions _thresholds = new(Thresholds.Default.Res, Thresholds.Default.Mlp);
    private readonly Option<bool> _each = new("--each") { Description = "One row per feature with its scores, instead of counts." };
    private readonly Option<string?> _csv = PackOptions.Csv();
    private readonly Option<bool> _excel = PackOptions.Excel();

    public ClassesCommand()
        : base(
            "classes",
            "Static classes of residual features: A translated, B processed, C newborn, D unexplained.",
            ("classes --pack examples/stories260k --t-res 0.5 --t-mlp 0.5 --t-att 0.5", "How many features of every layer are in each class."),
            ("classes --pack examples/stories260k --layer 4 --each --csv classes.csv", "Scores and class of every feature of layer 4."))
    {
        Options.Add(_pack);
        Options.Add(_layers);
        _thresholds.AddTo(this);
        foreach (var option in new Option[] { _each, _csv, _excel }) Options.Add(option);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var pack = context.Open(options.GetValue(_pack)!);
        var layers = options.GetValue(_layers) is { Length: > 0 } some ? some : null;
        var thresholds = _thresholds.Read(options);
        var notes = new List<string>();
        if (options.GetValue(_each))
        {
            var rows = context.Watch("classes", progress => StaticClasses.Classify(pack, thresholds, null, layers, progress, notes, context.Cancel).ToList());
            foreach (var note in notes) context.Note(note);
            context.ShowOrWrite(Tables.ClassifiedFeatures, rows, options.GetValue(_csv), options.GetValue(_excel));
        }
        else
        {
            var rows = context.Watch("classes", progress => StaticClasses.Count(pack, thresholds, null, layers, progress, notes, context.Cancel));
            foreach (var note in notes) context.Note(note);
            context.ShowOrWrite(Tables.Classes, rows.ToList(), options.GetValue(_csv), options.GetValue(_excel));
        }

        return 0;
    }
}
