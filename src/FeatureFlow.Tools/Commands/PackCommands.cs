using System.CommandLine;
using FeatureFlow.Experiments;
using FeatureFlow.Saes;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow pack list</c>: the presets.</summary>
internal sealed class PackListCommand() : ToolCommand(
    "list",
    "List the presets: published packs that are looked up in the local Hugging Face cache.",
    ("pack list", "Which presets there are, and which are in the cache."))
{
    private static readonly TableColumns<(string Name, string Found, string? Missing)> Columns = new(("preset", r => r.Name), ("found", r => r.Found), ("missing", r => r.Missing));

    protected override int Run(ParseResult options, ToolContext context)
    {
        context.Show(Columns, PackFile.Presets.Select(Look));
        return 0;
    }

    private static (string, string, string?) Look(string preset)
    {
        try
        {
            return (preset, $"{PackFile.Load(preset).Saes.Count} SAEs", null);
        }
        catch (FeatureFlowException)
        {
            return (preset, "-", $"'featureflow pack show {preset}' says what to get");
        }
    }
}

/// <summary><c>featureflow pack show</c>: what a pack holds, or a preset's YAML.</summary>
internal sealed class PackShowCommand : ToolCommand
{
    private static readonly TableColumns<PackSae> Columns = new(("layer", s => s.Layer), ("site", s => s.Site.Name()), ("path", s => s.Path), ("neuronpedia", s => s.NeuronpediaId));

    private readonly Argument<string> _pack = new("PACK") { Description = "A pack.yaml, a folder of SAEs, or a preset." };
    private readonly Option<bool> _yaml = new("--yaml") { Description = "Print a preset's YAML: a start for a pack of one's own." };

    public PackShowCommand()
        : base(
            "show",
            "List the SAEs of a pack, or print a preset.",
            ("pack show examples/stories260k", "The SAEs that the pack resolves to."),
            ("pack show gemma-scope-2b --yaml", "The preset's text, to be saved and changed."))
    {
        Arguments.Add(_pack);
        Options.Add(_yaml);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var pack = options.GetValue(_pack)!;
        if (options.GetValue(_yaml)) context.Out.Write(PackFile.PresetText(pack));
        else context.Show(Columns, PackFile.Load(pack).Saes);
        return 0;
    }
}
