using System.Management.Automation;
using FeatureFlow.Flow;
using FeatureFlow.Testing;

namespace FeatureFlow.PowerShell.Tests;

/// <summary>Failures: of one item, of the call; ids, categories, targets, and what goes on.</summary>
public sealed class ErrorTests
{
    private static Shell Shell(string? folder = null) => new(folder ?? Stories.Folder);

    [Fact]
    public void WhatDoesNotExistIsReportedAndTheRestGoesOn()
    {
        var shell = Shell().Add<FindFeaturePredecessorCommand>(("Pack", "."), ("Top", 1)).Run(["4/res/1", "4/res/512", "9/res/1", "4/att_z/1", "4/res/2"]);
        Assert.Equal(["4/res/1", "4/res/2"], shell.Of<FeatureMatch>().Select(m => m.Feature).Distinct());
        Assert.Equal(["FF4002", "FF4001", "FF4001"], shell.Errors.Select(e => e.ErrorId));
        Assert.All(shell.Errors, e => Assert.Equal(ErrorCategory.ObjectNotFound, e.Category));
        Assert.Equal("4/res/512", shell.Errors[0].TargetObject!.ToString());
        Assert.EndsWith("(FF4002)", shell.Errors[0].ErrorDetails!.Message, StringComparison.Ordinal);
        Assert.Contains("FF4002", shell.Errors[0].ErrorDetails!.RecommendedAction, StringComparison.Ordinal);
    }

    [Fact]
    public void APackOnTheCommandLineThatCannotBeOpenedEndsTheCall()
    {
        var thrown = Assert.Throws<TerminatingErrorException>(() => Shell().Add<GetSaeFeatureCommand>(("Pack", "nowhere")).Run());
        Assert.Equal(("FF5010", "nowhere"), (thrown.ErrorRecord.ErrorId, thrown.ErrorRecord.TargetObject));
        Assert.Equal(ErrorCategory.ObjectNotFound, thrown.ErrorRecord.Category);
    }

    [Fact]
    public void APackFromThePipelineFailsByItself()
    {
        Dictionary<string, object> Row(string pack) => new() { ["Pack"] = pack, ["Layer"] = 4, ["Site"] = "res", ["Index"] = 3 };
        var shell = Shell().Add<GetSaeFeatureCommand>().Run([Row("nowhere"), Row("."), Row("nowhere")]);
        Assert.Single(shell.Output);
        Assert.Equal(["FF5010", "FF5010"], shell.Errors.Select(e => e.ErrorId));
    }

    [Fact]
    public void EveryWrongLineOfAPackIsReported()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File("pack.yaml"), "version: 1\nname: x\nsaess: []\nmodle: y\n");
        Dictionary<string, object> row = new() { ["Pack"] = "pack.yaml" };
        var shell = Shell(folder.Path).Add<GetSaeCommand>().Run([row]);
        Assert.NotEmpty(shell.Errors);
        Assert.All(shell.Errors, e => Assert.StartsWith(folder.File("pack.yaml") + "(", e.ErrorDetails!.Message, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("env:PATH")]
    [InlineData("nodrive:/x")]
    public void PathsAreOfTheFileSystem(string pack) =>
        Assert.Equal("FF7004", Assert.Throws<TerminatingErrorException>(() => Shell().Add<GetSaeCommand>(("Pack", pack)).Run()).ErrorRecord.ErrorId);

    [Fact]
    public void OnePathThatIsNoneDoesNotHideTheOthers()
    {
        var good = Directory.EnumerateFiles(Stories.Folder, "params.npz", SearchOption.AllDirectories).First();
        var shell = Shell().Add<GetSaeCommand>(("LiteralPath", new[] { "env:PATH", "nowhere.npz", good })).Run();
        Assert.Single(shell.Output);
        Assert.Equal(["FF7004", "FF3004"], shell.Errors.Select(e => e.ErrorId));
        Assert.Equal("env:PATH", shell.Errors[0].TargetObject);
        shell = Shell().Add<GetSaeCommand>(("Path", new[] { "*.npz", "env:*", "nodrive:*", good })).Run();
        Assert.Single(shell.Output);
        Assert.Equal(["FF7005", "FF7004", "FF7004"], shell.Errors.Select(e => e.ErrorId));
    }

    [Fact]
    public void PathsAreThoseOfTheSessionNotOfTheProcess()
    {
        Assert.NotEqual(Stories.Folder, Environment.CurrentDirectory);
        Assert.Single(Shell().Add<GetSaeFeatureCommand>(("Pack", "./pack.yaml"), ("Layer", 4), ("Site", "res"), ("Index", 3)).Run().Output);
        using var folder = new TempFolder();
        var graph = Shell().Add<NewFlowGraphCommand>(("Pack", "."), ("Feature", "4/res/40")).Run().Output[0]!;
        Shell(folder.Path).Add<ExportFlowGraphCommand>(("Path", "g.json")).Run([graph]);
        Assert.True(File.Exists(folder.File("g.json")));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("-1")]
    [InlineData("4-")]
    [InlineData("5-4")]
    [InlineData("1,2")]
    [InlineData("")]
    [InlineData("99999999999")]
    public void WhatIsNoRangeIsRefused(string layer) =>
        Assert.Contains("is no number, range or *", Assert.Throws<ParameterBindingException>(() => Shell().Add<GetSaeFeatureCommand>(("Pack", "."), ("Layer", layer))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(4, 2.0, "is no cosine")]
    [InlineData(4, "high", "is no number")]
    [InlineData("0-99999", 0.5, "no layers")]
    [InlineData("x", 0.5, "'x' is no number, range")]
    public void LayerThresholdsAreExplained(object key, object value, string says)
    {
        var thrown = Assert.Throws<TerminatingErrorException>(() => Shell().Add<NewFlowGraphCommand>(("Pack", "."), ("LayerThreshold", new System.Collections.Hashtable { [key] = value })).Run());
        Assert.Contains(says, thrown.ErrorRecord.ErrorDetails!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AGraphThatGrowsTooLargeFailsAlone()
    {
        // 4/res/40 has few predecessors above 0.5, others have many: the limit lies between
        var shell = Shell().Add<NewFlowGraphCommand>(("Pack", "."), ("Layer", 4), ("Index", "0-99"), ("MaxNodes", 10), ("BatchSize", 256)).Run();
        Assert.NotEmpty(shell.Output);
        Assert.NotEmpty(shell.Errors);
        Assert.Equal(100, shell.Output.Count + shell.Errors.Count);
        Assert.All(shell.Errors, e => Assert.Equal("FF4007", e.ErrorId));
        Assert.All(shell.Of<FlowGraph>(), g => Assert.InRange(g.Nodes.Count, 1, 10));
    }

    [Fact]
    public void ADamagedFileFailsItsFeaturesOnly()
    {
        using var folder = Stories.Described();
        var file = folder.File("mlp", "layer_3.npz");
        var bytes = File.ReadAllBytes(file);
        bytes[bytes.Length / 2] ^= 0xff; // the weights no longer have their checksum
        File.WriteAllBytes(file, bytes);
        var shell = Shell(folder.Path).Add<FindFeaturePredecessorCommand>(("Pack", "."), ("Top", 1)).Run(["4/res/1", "3/res/1", "4/res/2", "3/res/2", "4/res/3"]);
        Assert.Equal(["4/res/1", "4/res/2", "4/res/3"], shell.Of<FeatureMatch>().Select(m => m.Feature).Distinct());
        Assert.Equal(["3/res/1", "3/res/2"], shell.Errors.Select(e => e.TargetObject!.ToString()));
        Assert.All(shell.Errors, e => Assert.Equal(ErrorCategory.InvalidData, e.Category));
    }

    [Fact]
    public void FilesAreReplacedOnlyByForce()
    {
        using var folder = new TempFolder();
        var file = folder.File("g.json");
        File.WriteAllText(file, "mine");
        Shell Export(params (string, object?)[] more) => Shell().Add<NewFlowGraphCommand>(("Pack", "."), ("Feature", "4/res/40")).Add<ExportFlowGraphCommand>([("Path", file), .. more]);
        var thrown = Assert.Throws<TerminatingErrorException>(() => Export().Run());
        Assert.Equal(("FF7003", ErrorCategory.ResourceExists), (thrown.ErrorRecord.ErrorId, thrown.ErrorRecord.Category));
        Assert.Equal("mine", File.ReadAllText(file));
        Export(("Force", true)).Run();
        Assert.NotEqual("mine", File.ReadAllText(file));
    }

    [Fact]
    public void WhatIfWritesNothing()
    {
        using var folder = new TempFolder();
        var shell = new Shell(Stories.Folder) { WhatIf = true }
            .Add<NewFlowGraphCommand>(("Pack", "."), ("Feature", "4/res/40"))
            .Add<ExportFlowGraphCommand>(("Path", folder.File("sub") + "/"), ("PassThru", true))
            .Run();
        Assert.Equal($"Export flow graph 4/res/40 as Html: {folder.File("sub", "stories260k-4-res-40.html")}", Assert.Single(shell.Confirmations));
        Assert.Empty(shell.Output);
        Assert.False(Directory.Exists(folder.File("sub")));
    }

    [Fact]
    public void AnUnknownFormatFailsBeforeAnythingIsBuilt()
    {
        var shell = Shell().Add<NewFlowGraphCommand>(("Pack", "."), ("Layer", 4)).Add<ExportFlowGraphCommand>(("Path", "g.zzz"));
        Assert.Equal("FF5070", Assert.Throws<TerminatingErrorException>(() => shell.Run()).ErrorRecord.ErrorId);
        Assert.Equal(0, shell.Consumed);
    }

    [Fact]
    public void WhatIsLeftOutIsSaidOnce()
    {
        // the pack has res and mlp of layers 3 and 4 only
        using var folder = Stories.Described();
        var shell = Shell(folder.Path).Add<FindFeaturePredecessorCommand>(("Pack", "."), ("Layer", 3), ("Index", "0-9")).Run();
        Assert.Equal("Left out: res at layer 2: the pack has no SAE there.", Assert.Single(shell.Warnings));
        Assert.Contains("Left out: att at layer 3: the pack has no SAE there.", shell.Verbose); // it has none anywhere
        shell = Shell(folder.Path).Add<NewFlowGraphCommand>(("Pack", "."), ("Layer", 4), ("Index", "0-9"), ("ResidualThreshold", -1)).Run();
        Assert.Equal("Left out: res at layer 2: the pack has no SAE there.", Assert.Single(shell.Warnings));
    }
}
