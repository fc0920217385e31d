using System.CommandLine;
using System.CommandLine.Invocation;

namespace FeatureFlow.Tools;

/// <summary>An example of a command's help: what to type, and what it does. Each is run by a test.</summary>
internal sealed record Example(string Line, string Does);

/// <summary>A command that does something: its options are fields, its examples are part of its help and of docs/cli.md.</summary>
internal abstract class ToolCommand : Command
{
    protected ToolCommand(string name, string description, params (string Line, string Does)[] examples)
        : base(name, description)
    {
        Examples = [.. examples.Select(e => new Example("featureflow " + e.Line, e.Does))];
        Action = new ToolAction();
    }

    public IReadOnlyList<Example> Examples { get; }

    public int Execute(ParseResult options, ToolContext context)
    {
        context.ChooseEngine();
        var code = Run(options, context);
        context.Out.Flush();
        return code;
    }

    /// <summary>Does it; returns the exit code.</summary>
    protected abstract int Run(ParseResult options, ToolContext context);
}

/// <summary>Marks a command as ours; <see cref="ToolApp"/> runs it.</summary>
internal sealed class ToolAction : SynchronousCommandLineAction
{
    public override int Invoke(ParseResult parseResult) => throw new InvalidOperationException("run by ToolApp");
}
