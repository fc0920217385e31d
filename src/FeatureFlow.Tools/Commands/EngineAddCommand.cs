using System.CommandLine;
using FeatureFlow.Tensors;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow engine add</c>: takes an engine into the user's engine folder.</summary>
internal sealed class EngineAddCommand : ToolCommand
{
    private readonly Argument<string[]> _sources = new("FOLDER|NUPKG") { Description = "Folders that hold the engine (what dotnet publish made of it) or NuGet packages, or packages one by one; libraries that come in pieces are put together.", Arity = ArgumentArity.OneOrMore };
    private readonly Option<string> _name = new("--name") { Description = "Name of its folder; one of the same name is replaced.", HelpName = "NAME", DefaultValueFactory = _ => "torch" };

    public EngineAddCommand()
        : base(
            "add",
            "Take a torch engine into this user's engine folder, where every FeatureFlow of this user finds it.",
            ("engine add engines/torch-cuda", "The folder that 'dotnet publish src/FeatureFlow.Tensors.TorchSharp -p:Torch=cuda-windows -o engines/torch-cuda' made."))
    {
        Arguments.Add(_sources);
        Options.Add(_name);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var added = EngineStore.Add(options.GetValue(_sources)!, options.GetValue(_name)!);
        context.Note($"{added.Path}: TorchSharp {added.TorchSharp?.ToString(3)}; 'featureflow engine list' tries it.");
        if (context.Json) context.Out.WriteLine(System.Text.Json.JsonSerializer.Serialize(new { folder = added.Path, torchsharp = added.TorchSharp?.ToString(3) }));
        return 0;
    }
}
