using System.CommandLine;
using System.CommandLine.Help;
using FeatureFlow.Experiments;
using FeatureFlow.Tools.Commands;

namespace FeatureFlow.Tools;

/// <summary>The command line: the tree of commands, and what becomes of errors. One file per command under Commands.</summary>
internal static class ToolApp
{
    /// <summary>Exit codes, as the help of the root command prints them.</summary>
    public const string ExitCodes =
        """
        Exit codes:
          0 done   1 internal error   2 usage or configuration   3 missing or unreadable input   4 a check failed
          75 passing shortage, retry later   130 interrupted (Ctrl+C)   143 terminated
        """;

    private static readonly Lazy<RootCommand> Tree = new(Make);

    /// <summary>The tree of commands.</summary>
    public static RootCommand Root => Tree.Value;

    /// <summary>Runs a command; returns its exit code.</summary>
    public static int Run(IReadOnlyList<string> args, ToolStreams streams)
    {
        var result = Root.Parse(Literal(args));
        using var context = new ToolContext(result, streams, args);
        try
        {
            var command = result.CommandResult.Command;
            if (result.Errors.Count > 0) throw ToolErrors.Usage(Complaint(result), PathOf(command));
            if (result.Action is not null && result.Action is not ToolAction) return result.Invoke(new InvocationConfiguration { Output = streams.Out, Error = streams.Error, EnableDefaultExceptionHandler = false });
            if (command is not ToolCommand tool)
            {
                // a group without its command: say what there is
                _ = command.Parse(["--help"]).Invoke(new InvocationConfiguration { Output = streams.Error, Error = streams.Error });
                return (int)FailureKind.Usage;
            }

            return tool.Execute(result, context);
        }
        catch (OperationCanceledException) when (context.Cancel.IsCancellationRequested)
        {
            streams.Error.WriteLine("featureflow: cancelled; what was finished is kept.");
            return context.SignalExitCode;
        }
        catch (IOException e) when (IsBrokenPipe(e))
        {
            return 0; // whoever read our output has had enough
        }
        catch (Exception e)
        {
            return Report(e, streams);
        }
    }

    // a text may begin with '@': behind these options it is no response file
    private static List<string> Literal(IReadOnlyList<string> args)
    {
        var literal = new List<string>(args.Count);
        foreach (var arg in args)
        {
            if (arg.StartsWith('@') && literal is [.., "--text" or "--prompt" or "--separator"]) literal[^1] += "=" + arg;
            else literal.Add(arg);
        }

        return literal;
    }

    private static RootCommand Make()
    {
        var root = new RootCommand("Follow the features of a language model through its layers.")
        {
            new Command("sae", "Look at sparse autoencoders, compute with them, train and measure them.") { new SaeShowCommand(), new SaeEncodeCommand(), new SaeTrainCommand(), new SaeMeasureCommand() },
            new TokensCommand(),
            new ActivationsCommand(),
            new GenerateCommand(),
            new PlanCommand(),
            new SteerCommand(),
            new FeaturesCommand(),
            new DescribeCommand(),
            new PredecessorsCommand(),
            new SuccessorsCommand(),
            new ClassesCommand(),
            new MatchCommand(),
            new ComposeCommand(),
            new ApproximateCommand(),
            new GraphCommand(),
            new GroupsCommand(),
            new DeactivateCommand(),
            new IndexCommand(),
            new JudgeCommand(),
            new RunCommand(),
            new MergeCommand(),
            new Command("pack", "Packs: which are known, and what one holds.") { new PackListCommand(), new PackShowCommand() },
            new Command("engine", "Tensor engines.") { new EngineListCommand(), new EngineAddCommand() },
            new Command("storyworld", "The embedded language model: its stories, their judge, and how it is made.") { new StoryworldBuildCommand(), new StoryworldTellCommand(), new StoryworldJudgeCommand() },
            new DoctorCommand(),
            new DemoCommand(),
        };
        foreach (var option in GlobalOptions.All) root.Options.Add(option);
        foreach (var help in root.Options.OfType<HelpOption>()) help.Action = new ExampleHelp((HelpAction)help.Action!);
        return root;
    }

    /// <summary><c>featureflow sae show</c>.</summary>
    public static string PathOf(Command command)
    {
        var parents = command.Parents.OfType<Command>().FirstOrDefault();
        return parents is null ? "featureflow" : $"{PathOf(parents)} {command.Name}";
    }

    // an unknown word first: what is missing is mostly its consequence
    private static string Complaint(ParseResult result)
    {
        var command = result.CommandResult.Command;
        if (result.UnmatchedTokens is not [var unknown, ..]) return string.Join(" ", result.Errors.Select(e => e.Message));
        var known = command.Subcommands.Select(c => c.Name).Concat(command.Options.Concat(GlobalOptions.All).Select(o => o.Name));
        return $"'{unknown}' is not understood by {PathOf(command)}{(Spelling.Nearest(unknown, known) is { } near ? $"; did you mean '{near}'?" : ".")}";
    }

    private static int Report(Exception e, ToolStreams streams)
    {
        var error = e switch
        {
            FeatureFlowException f => f,
            OutOfMemoryException => ToolErrors.Memory(e),
            IOException or UnauthorizedAccessException => ToolErrors.FileSystem(e),
            _ => ToolErrors.Internal(e),
        };
        foreach (var one in error.Others.Prepend(error)) streams.Error.WriteLine(one.ToDiagnostic());
        if (Environment.GetEnvironmentVariable("FEATUREFLOW_TRACE") == "1") streams.Error.WriteLine(e.ToString());
        return (int)error.Kind;
    }

    private static bool IsBrokenPipe(IOException e) => OperatingSystem.IsWindows() ? (e.HResult & 0xFFFF) is 109 or 232 : e.HResult == 32;
}
