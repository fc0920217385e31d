using System.CommandLine;

namespace FeatureFlow.Tools;

/// <summary>Options of every command.</summary>
internal static class GlobalOptions
{
    public static Option<bool> Json { get; } = new("--json") { Description = "Print one JSON document on standard output.", Recursive = true };

    public static Option<bool> Quiet { get; } = new("--quiet", "-q") { Description = "No progress and no remarks.", Recursive = true };

    public static Option<string> Engine { get; } = Make();

    public static IReadOnlyList<Option> All { get; } = [Json, Quiet, Engine];

    private static Option<string> Make()
    {
        var option = new Option<string>("--engine") { Description = "Who computes: cpu, torch, or auto for the best there is.", HelpName = "NAME", Recursive = true, DefaultValueFactory = _ => "auto" };
        option.CompletionSources.Add("auto", "cpu", "torch");
        return option;
    }
}
