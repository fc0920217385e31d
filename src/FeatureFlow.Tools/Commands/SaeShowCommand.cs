using System.CommandLine;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow sae show</c>: what an SAE is, and whether it is sound.</summary>
internal sealed class SaeShowCommand : ToolCommand
{
    private readonly SaeArgument _sae = new();
    private readonly Option<bool> _fast = new("--no-weights") { Description = "Headers and configuration only; weights are not looked at." };

    public SaeShowCommand()
        : base(
            "show",
            "Show what an SAE is (or every SAE of a pack), and check it: shapes, numbers, thresholds, decoder norms.",
            ("sae show tests/fixtures/saes/saelens-topk", "One SAE."),
            ("sae show examples/stories260k", "Every SAE of a pack, one row each."),
            ("sae show examples/stories260k --layer 2 --site mlp", "One SAE of a pack."))
    {
        _sae.AddTo(this);
        Options.Add(_fast);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var pack = _sae.TryPack(options);
        if (pack is null || pack.Saes.Count == 1)
        {
            using var sae = _sae.Open(options);
            var report = options.GetValue(_fast) ? null : context.Watch("sae show", _ => sae.Value.Check(FlowEngine.Shared.Tensors, context.Cancel));
            SaeSheet.Write(context, sae.Value.Info, report);
            context.Out.Flush();
            return report is null or { IsSound: true } ? 0 : throw ToolErrors.SaeProblems(sae.Value.Info.Path, report.Problems.Count);
        }

        context.Show(SaeSheet.Row, context.Watch("sae show", progress => pack.Saes.Select(s =>
        {
            using var sae = Sae.Open(s.Path, s.Site, s.Layer);
            return sae.Info;
        }).ToList()));
        return 0;
    }
}
