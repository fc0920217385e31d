using System.Collections.ObjectModel;

#pragma warning disable IDE0130 // the namespace of what it stands for
namespace System.Management.Automation;

/// <summary>What a cmdlet says goes to the pipeline it runs in.</summary>
public abstract class Cmdlet
{
    internal IStreams Streams { get; set; } = null!;

    public void WriteObject(object? value) => Streams.Object(value);

    public void WriteError(ErrorRecord record) => Streams.Error(record);

    public void WriteWarning(string text) => Streams.Warning(text);

    public void WriteVerbose(string text) => Streams.Verbose(text);

    public void WriteProgress(ProgressRecord record) => Streams.Progress(record);

    public bool ShouldProcess(string target, string action) => Streams.ShouldProcess(target, action);

    public void ThrowTerminatingError(ErrorRecord record) => throw new TerminatingErrorException(record);

    internal void RunBegin() => BeginProcessing();

    internal void RunProcess() => ProcessRecord();

    internal void RunEnd() => EndProcessing();

    internal void RunStop() => StopProcessing();

    protected virtual void BeginProcessing()
    {
    }

    protected virtual void ProcessRecord()
    {
    }

    protected virtual void EndProcessing()
    {
    }

    protected virtual void StopProcessing()
    {
    }
}

public abstract class PSCmdlet : Cmdlet
{
    public SessionState SessionState { get; internal set; } = null!;

    public InvocationInfo MyInvocation { get; } = new();

    public string ParameterSetName { get; internal set; } = "";
}

public sealed class InvocationInfo
{
    public bool ExpectingInput { get; internal set; }

    public Dictionary<string, object?> BoundParameters { get; } = new(StringComparer.OrdinalIgnoreCase);
}

public sealed class SessionState(string folder)
{
    public PathIntrinsics Path { get; } = new(folder);
}

public sealed record ProviderInfo(string Name);

public sealed record PSDriveInfo(string Name);

/// <summary>Paths relative to a folder that is not the process's.</summary>
public sealed class PathIntrinsics(string folder)
{
    public string GetUnresolvedProviderPathFromPSPath(string path, out ProviderInfo provider, out PSDriveInfo? drive)
    {
        drive = null;
        if (path.StartsWith("nodrive:", StringComparison.Ordinal)) throw new DriveNotFoundException("Cannot find drive.");
        provider = new ProviderInfo(path.StartsWith("env:", StringComparison.OrdinalIgnoreCase) ? "Environment" : "FileSystem");
        return IO.Path.GetFullPath(path, folder);
    }

    public Collection<string> GetResolvedProviderPathFromPSPath(string path, out ProviderInfo provider)
    {
        if (path.StartsWith("nodrive:", StringComparison.Ordinal)) throw new DriveNotFoundException("Cannot find drive.");
        provider = new ProviderInfo(path.StartsWith("env:", StringComparison.OrdinalIgnoreCase) ? "Environment" : "FileSystem");
        var full = IO.Path.GetFullPath(path, folder);
        return [.. Directory.EnumerateFileSystemEntries(IO.Path.GetDirectoryName(full)!, IO.Path.GetFileName(full)).Order()];
    }
}

/// <summary>Ends the command, as the real one does.</summary>
public sealed class TerminatingErrorException(ErrorRecord record) : RuntimeException(record.Exception.Message)
{
    public ErrorRecord ErrorRecord { get; } = record;
}

/// <summary>Where a command's words go.</summary>
internal interface IStreams
{
    void Object(object? value);

    void Error(ErrorRecord record);

    void Warning(string text);

    void Verbose(string text);

    void Progress(ProgressRecord record);

    bool ShouldProcess(string target, string action);
}
