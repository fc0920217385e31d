using System.CommandLine;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow sae measure</c>: what SAEs do on texts, against what they declare.</summary>
internal sealed class SaeMeasureCommand : ToolCommand
{
    private readonly SaeArgument _sae = new();
    private readonly Option<string> _model = TokenOptions.Model();
    private readonly TokenSource _tokens = new();
    private readonly Option<bool> _fast = new("--no-losses") { Description = "Leave out how the loss rises with each SAE in place: one forward pass more per SAE." };
    private readonly Option<string?> _csv = PackOptions.Csv();

    public SaeMeasureCommand()
        : base(
            "measure",
            "Measure SAEs on texts: L0 against the declared one, explained variance, dead features, rise of the model's loss.",
            ("sae measure tests/fixtures/training/pack --model tests/fixtures/models/gemma2-window --ids-file tests/fixtures/models/gemma2-window/expected.safetensors --tensor input_ids", "Every SAE of a pack, on given tokens."),
            ("sae measure tests/fixtures/training/pack --layer 1 --site mlp --model tests/fixtures/models/gemma2-window --ids-file tests/fixtures/models/gemma2-window/expected.safetensors --tensor input_ids --no-losses --csv measures.csv", "One of them."))
    {
        _sae.AddTo(this);
        Options.Add(_model);
        _tokens.AddTo(this);
        foreach (var option in new Option[] { _fast, _csv }) Options.Add(option);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        using var lease = FlowEngine.Shared.Model(options.GetValue(_model)!);
        var saes = new List<Sae>();
        try
        {
            if (_sae.TryPack(options) is { } pack) saes.AddRange(pack.Saes.Select(s => Sae.Open(s.Path, s.Site, s.Layer)));
            else saes.Add(_sae.Open(options).Value);
            var documents = _tokens.Read(options, () => lease.Model.Tokenizer, context).Select(d => d.Document).ToList();
            var measures = context.Watch("sae measure", progress => SaeEvaluation.Measure(lease.Model, documents, saes, !options.GetValue(_fast), new Share(progress), context.Cancel));
            if (options.GetValue(_csv) is { } path) Tables.SaeMeasures.Write(path, measures);
            context.Show(Tables.SaeMeasures, measures);
            return 0;
        }
        finally
        {
            foreach (var sae in saes) sae.Dispose();
        }
    }

    private sealed class Share(IProgress<FlowProgress> to) : IProgress<double>
    {
        public void Report(double value) => to.Report(new FlowProgress("measuring", value));
    }
}
