using System.CommandLine;
using System.Text.Json.Nodes;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Activations;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow activations</c>: what a model computes at its sites.</summary>
internal sealed class ActivationsCommand : ToolCommand
{
    private const string Logits = "logits";

    private readonly Option<string> _model = TokenOptions.Model();
    private readonly TokenSource _tokens = new();
    private readonly Option<string[]> _sites = new("--sites") { Description = "Sites: res, mlp, att, att_z, res_pre, tc (the MLP's input), and logits.", HelpName = "SITE,...", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => ["res"] };
    private readonly Option<int[]> _layers = PackOptions.Layers("Layers; all unless given.");
    private readonly Option<string> _out = PackOptions.Out("The .safetensors file to write: <site>.<layer> [B,T,d] and logits [B,T,V], float32. An interrupted run is taken up again.");

    public ActivationsCommand()
        : base(
            "activations",
            "Write the activations of a model at any of its sites.",
            ("activations --model tests/fixtures/models/gemma2-window --ids-file tests/fixtures/models/gemma2-window/expected.safetensors --tensor input_ids --sites res,mlp,att --layers 0-2 --out a.safetensors", "Given tokens, three sites of three layers."),
            ("activations --model examples/storyworld/model --text 'Once there was a baker.' --sites logits --out logits.safetensors", "A text, and what the model predicts after each of its tokens."))
    {
        Options.Add(_model);
        _tokens.AddTo(this);
        foreach (var option in new Option[] { _sites, _layers, _out }) Options.Add(option);
        _sites.CompletionSources.Add(_ => Sites.Names.Append(Logits).Select(n => new System.CommandLine.Completions.CompletionItem(n)));
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        using var lease = FlowEngine.Shared.Model(options.GetValue(_model)!);
        var model = lease.Model;
        var rows = _tokens.Read(options, () => model.Tokenizer, context).Select(d => d.Document.Ids).ToList();
        var names = options.GetValue(_sites)!.SelectMany(s => s.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)).Distinct(StringComparer.OrdinalIgnoreCase).ToList();
        var logits = names.RemoveAll(n => n.Equals(Logits, StringComparison.OrdinalIgnoreCase)) > 0;
        var layers = options.GetValue(_layers) is { Length: > 0 } some ? some : [.. Enumerable.Range(0, model.Config.Layers)];
        var selection = new ActivationSelection([.. names.Select(Sites.Parse).SelectMany(s => layers.Select(l => new SiteAddress(l, s)))], logits);

        var path = options.GetValue(_out)!;
        var earlier = context.Watch("activations", progress => ActivationSweep.Run(model, rows, selection, path, new Steps(progress), context.Cancel));
        if (earlier > 0) context.Note($"{earlier} of {rows.Count} rows were there from an interrupted run");
        var tensors = selection.Sites.Select(s => s.TensorName).Concat(logits ? [Logits] : []);
        if (context.Json) context.Out.WriteLine(new JsonObject { ["out"] = path, ["rows"] = rows.Count, ["tokens"] = rows[0].Length, ["tensors"] = new JsonArray([.. tensors.Select(t => (JsonNode)t)]) }.ToJsonString());
        else context.Out.WriteLine($"{path}: {tensors.Count()} tensors of [{rows.Count},{rows[0].Length},d]");
        return 0;
    }

    private sealed class Steps(IProgress<FlowProgress> to) : IProgress<SweepProgress>
    {
        public void Report(SweepProgress value) => to.Report(new FlowProgress($"row {value.Done} of {value.Rows}", (double)value.Done / value.Rows));
    }
}
