using Xunit.Abstractions;

namespace FeatureFlow.PowerShell.Tests;

/// <summary>The built module in a real PowerShell: the suites of Suites/.</summary>
public sealed class SuiteTests(ITestOutputHelper output)
{
    public static TheoryData<string> Pipeline => [.. Pwsh.Tests("Pipeline")];

    public static TheoryData<string> Errors => [.. Pwsh.Tests("Errors")];

    public static TheoryData<string> Completion => [.. Pwsh.Tests("Completion")];

    public static TheoryData<string> Engine => [.. Pwsh.Tests("Engine")];

    public static TheoryData<string> Isolation => [.. Pwsh.Tests("Isolation")];

    public static TheoryData<string> Stopping => [.. Pwsh.Tests("Stop")];

    public static TheoryData<string> Format => [.. Pwsh.Tests("Format")];

    public static TheoryData<string> Help => [.. Pwsh.Tests("Help")];

    public static TheoryData<string> Examples => [.. Pwsh.Tests("Examples")];

    [PwshTheory]
    [MemberData(nameof(Help))]
    public void GetHelp(string test) => Run("Help", test);

    [PwshTheory]
    [MemberData(nameof(Examples))]
    public void ExamplesRun(string test) => Run("Examples", test);

    [PwshTheory]
    [MemberData(nameof(Pipeline))]
    public void Pipelines(string test) => Run("Pipeline", test);

    [PwshTheory]
    [MemberData(nameof(Errors))]
    public void ErrorRecords(string test) => Run("Errors", test);

    [PwshTheory]
    [MemberData(nameof(Completion))]
    public void Completions(string test) => Run("Completion", test);

    [PwshTheory]
    [MemberData(nameof(Engine))]
    public void OneEngine(string test) => Run("Engine", test);

    [PwshTheory]
    [MemberData(nameof(Isolation))]
    public void BesideOtherModules(string test) => Run("Isolation", test);

    [PwshTheory]
    [MemberData(nameof(Stopping))]
    public void Stops(string test) => Run("Stop", test);

    [PwshTheory]
    [MemberData(nameof(Format))]
    public void Views(string test)
    {
        if (!FeatureFlow.Testing.TestEngine.IsOther) Run("Format", test); // what people see is kept for the built-in engine
    }

    private void Run(string suite, string test)
    {
        var result = Pwsh.Run(suite, test);
        if (result.Says.Length > 0) output.WriteLine(result.Says);
        Assert.True(result.Failure is null, result.Failure);
    }
}
