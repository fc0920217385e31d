using System.CommandLine;
using System.Text;
using FeatureFlow.Testing;

namespace FeatureFlow.Tools.Tests;

/// <summary>The help of every command: complete, current in the docs, and with examples that run.</summary>
public sealed class HelpTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_reference_in_docs_is_the_help()
    {
        var page = new StringBuilder("""
            # Command line

            Every command prints tables for people; with `--json` one JSON document on standard output. Remarks, progress and errors go to standard error.
            Numbers in JSON and CSV are invariant and the shortest that read back the same. Errors in a file print as
            `file(line,col): error FFnnnn: text`, which MSBuild and editors understand; [errors.md](errors.md) lists the codes. `@FILE` anywhere on a command
            line but behind `--text` and `--prompt` stands for the words in a file, one a line. This page is made from the commands themselves.

            """).Append('\n');
        foreach (var command in Tree(ToolApp.Root))
        {
            var path = ToolApp.PathOf(command);
            page.Append("## " + path + "\n\n```\n" + ToolRun.Of([.. path.Split(' ').Skip(1), "--help"]).Ok().Out.TrimEnd() + "\n```\n\n");
        }

        Golden.CheckFile(Path.Combine(Repository.Root, "docs", "cli.md"), page.ToString().TrimEnd() + "\n");
    }

    [Fact]
    public void Every_command_and_option_is_described_and_every_command_has_examples()
    {
        foreach (var command in Tree(ToolApp.Root))
        {
            Assert.False(string.IsNullOrEmpty(command.Description), command.Name);
            Assert.All(command.Options, o => Assert.False(string.IsNullOrEmpty(o.Description), $"{command.Name} {o.Name}"));
            Assert.All(command.Arguments, a => Assert.False(string.IsNullOrEmpty(a.Description), $"{command.Name} {a.Name}"));
            if (command is ToolCommand tool) Assert.NotEmpty(tool.Examples);
        }
    }

    public static TheoryData<string> Examples() => [.. Tree(ToolApp.Root).OfType<ToolCommand>().SelectMany(c => c.Examples).Select(e => e.Line)];

    [Theory]
    [MemberData(nameof(Examples))]
    public void Examples_run(string line)
    {
        if (line.StartsWith("featureflow merge", StringComparison.Ordinal))
        {
            for (var i = 0; i < 2; i++) Run($"featureflow run examples/flow-graph.yaml --out share{i} --shard {i}/2").Ok();
        }

        if (line.StartsWith("featureflow index", StringComparison.Ordinal))
        {
            // an index is written beside the pack: into a copy, not into the repository
            CopyPack();
            line = line.Replace("examples/stories260k", _folder.File("pack"), StringComparison.Ordinal);
        }

        if (line.StartsWith("featureflow engine add", StringComparison.Ordinal))
        {
            // in a process of its own: the engines of this one stay as they are
            FakeEngine.Make(_folder.File("engine"));
            var added = FakeEngine.Run(_folder.File("engines"), "engine", "add", _folder.File("engine"));
            Assert.Equal(0, added.Code);
            return;
        }

        Run(line).Ok();
    }

    // paths of the repository as they are, results into the test's folder
    private ToolRun Run(string line)
    {
        var words = Words(line).Skip(1).ToList();
        for (var i = 0; i < words.Count; i++)
        {
            var isResult = i > 0 && words[i - 1] is "--out" or "--csv" or "-o" || words[0] == "merge" && !words[i].StartsWith('-') && i > 0;
            if (isResult) words[i] = _folder.File(words[i]);
            else if (Path.Exists(Path.Combine(Repository.Root, words[i])) && words[i].Contains('/', StringComparison.Ordinal)) words[i] = Path.Combine(Repository.Root, words[i]);
        }

        if (words[0] == "demo" && !words.Contains("--out")) words.AddRange(["--out", _folder.File("demo")]);
        return ToolRun.Of([.. words]);
    }

    private static IEnumerable<string> Words(string line) => line.Split('\'').SelectMany((part, i) => i % 2 == 1 ? [part] : part.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private static IEnumerable<Command> Tree(Command command) => command.Subcommands.SelectMany(Tree).Prepend(command);

    private void CopyPack()
    {
        foreach (var file in Directory.EnumerateFiles(ToolRun.Pack, "*", SearchOption.AllDirectories))
        {
            var copy = _folder.File("pack", Path.GetRelativePath(ToolRun.Pack, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }
}
