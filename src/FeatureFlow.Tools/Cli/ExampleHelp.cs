using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace FeatureFlow.Tools;

/// <summary>The usual help, followed by examples; the root's by examples of the commands and the exit codes.</summary>
internal sealed class ExampleHelp(HelpAction usual) : SynchronousCommandLineAction
{
    private const int Width = 120;

    // what somebody new would try, in this order
    private static readonly Example[] Tour =
    [
        new("featureflow demo", "Trace a feature of the pack that ships with the tool, and open the report."),
        new("featureflow sae show pack.yaml", "What the SAEs of a pack are."),
        new("featureflow predecessors --pack pack.yaml --feature 12/res/4711 --top 5", "Where a feature comes from."),
        new("featureflow graph --pack pack.yaml --feature 12/res/4711 --out lineage.html", "Its flow graph, as an offline page."),
        new("featureflow index --pack pack.yaml", "Match everything once; later graphs take milliseconds."),
        new("featureflow run experiment.yaml", "A repeatable, resumable experiment."),
    ];

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        var output = parseResult.InvocationConfiguration.Output;
        var code = Usual(parseResult, output);
        var command = parseResult.CommandResult.Command;
        var examples = command is ToolCommand tool ? tool.Examples : command is RootCommand ? Tour : [.. Below(command).Select(c => c.Examples[0])];
        if (examples.Count > 0) output.WriteLine("Examples:");
        foreach (var example in examples)
        {
            output.WriteLine($"  {example.Line}");
            output.WriteLine($"      {example.Does}");
        }

        if (command is RootCommand)
        {
            output.WriteLine();
            output.WriteLine(ToolApp.ExitCodes);
        }

        output.Flush();
        return code;
    }

    // the library names the tool after whatever file it was started from
    private int Usual(ParseResult parseResult, TextWriter output)
    {
        using var text = new StringWriter();
        usual.MaxWidth = Width;
        parseResult.InvocationConfiguration.Output = text;
        try
        {
            var code = usual.Invoke(parseResult);
            foreach (var line in text.ToString().ReplaceLineEndings("\n").TrimEnd('\n').Split('\n'))
            {
                var own = line.StartsWith($"  {RootCommand.ExecutableName} ", StringComparison.Ordinal) ? $"  featureflow{line[(RootCommand.ExecutableName.Length + 2)..]}" : line;
                output.WriteLine(own.TrimEnd());
            }

            output.WriteLine();
            return code;
        }
        finally
        {
            parseResult.InvocationConfiguration.Output = output;
        }
    }

    private static IEnumerable<ToolCommand> Below(Command command) =>
        command.Subcommands.SelectMany(c => c is ToolCommand tool ? [tool] : Below(c)).Where(c => c.Examples.Count > 0);
}
