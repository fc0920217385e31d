#pragma warning disable IDE0130 // the namespace of what it stands for
namespace System.Management.Automation;

public enum ErrorCategory
{
    InvalidArgument,
    InvalidData,
    InvalidOperation,
    InvalidResult,
    ObjectNotFound,
    ResourceExists,
    ResourceUnavailable,
}

public sealed class ErrorDetails(string message)
{
    public string Message { get; } = message;

    public string? RecommendedAction { get; set; }
}

public sealed class ErrorRecord(Exception exception, string errorId, ErrorCategory category, object? target)
{
    public Exception Exception { get; } = exception;

    public string ErrorId { get; } = errorId;

    public ErrorCategory Category { get; } = category;

    public object? TargetObject { get; } = target;

    public ErrorDetails? ErrorDetails { get; set; }
}

public enum ProgressRecordType
{
    Processing,
    Completed,
}

public sealed class ProgressRecord(int activityId, string activity, string statusDescription)
{
    public int ActivityId { get; } = activityId;

    public string Activity { get; } = activity;

    public string StatusDescription { get; } = statusDescription;

    public int PercentComplete { get; set; } = -1;

    public ProgressRecordType RecordType { get; set; }
}

public class RuntimeException(string message) : Exception(message);

public sealed class DriveNotFoundException(string message) : RuntimeException(message);

public sealed class ItemNotFoundException(string message) : RuntimeException(message);

public sealed class ParameterBindingException(string message) : RuntimeException(message);

public sealed class PipelineStoppedException() : RuntimeException("The pipeline has been stopped.");

public sealed class PSObject(object value)
{
    public object BaseObject { get; } = value;
}

public readonly struct SwitchParameter(bool isPresent)
{
    public bool IsPresent { get; } = isPresent;

    public static implicit operator bool(SwitchParameter value) => value.IsPresent;

    public static implicit operator SwitchParameter(bool value) => new(value);
}
