using System.Management.Automation;

namespace FeatureFlow.PowerShell;

/// <summary>Failures as PowerShell shows them: the code is the error id (<c>FF4002,FeatureFlow.PowerShell...</c>), and stays it for ever.</summary>
internal static class ErrorRecords
{
    private static readonly string[] s_notFound = ["FF2001", "FF2051", "FF3004", "FF4001", "FF4002", "FF4003", "FF5010", "FF5012", "FF5014", "FF5022", "FF7005"];

    /// <summary>The record of a failure; <paramref name="target"/> is the item that failed.</summary>
    public static ErrorRecord Of(FeatureFlowException failure, object? target)
    {
        var place = (failure.File, failure.Line) switch
        {
            (null, _) => "",
            (_, 0) => failure.Message.Contains(failure.File, StringComparison.Ordinal) ? "" : failure.File + ": ",
            _ => FormattableString.Invariant($"{failure.File}({failure.Line},{Math.Max(1, failure.Column)}): "),
        };
        return new ErrorRecord(failure, failure.Code, Category(failure), target ?? failure.File)
        {
            ErrorDetails = new ErrorDetails($"{place}{failure.Message} ({failure.Code})") { RecommendedAction = Action(failure) },
        };
    }

    private static ErrorCategory Category(FeatureFlowException failure) => failure.Kind switch
    {
        _ when s_notFound.Contains(failure.Code) => ErrorCategory.ObjectNotFound,
        _ when failure.Code == "FF7003" => ErrorCategory.ResourceExists,
        FailureKind.Usage => ErrorCategory.InvalidArgument,
        FailureKind.Input => ErrorCategory.InvalidData,
        FailureKind.Check => ErrorCategory.InvalidResult,
        FailureKind.Retry => ErrorCategory.ResourceUnavailable,
        _ => ErrorCategory.InvalidOperation,
    };

    private static string Action(FeatureFlowException failure) => failure.Kind switch
    {
        _ when s_notFound.Contains(failure.Code) => $"Get-Sae lists what a pack has; docs/errors.md explains {failure.Code}.",
        FailureKind.Usage => $"Correct the argument or the file it names; docs/errors.md explains {failure.Code}.",
        FailureKind.Input => $"Look at the file with Get-Sae -Path ... -Check; docs/errors.md explains {failure.Code}.",
        FailureKind.Retry => "Run the same command again later; Clear-FlowEngine frees what this session holds.",
        _ => $"docs/errors.md explains {failure.Code}.",
    };
}
