using System.Management.Automation;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>
/// What all cmdlets share: work beside the pipeline thread, Ctrl+C, progress, failures as error records, paths relative to the
/// current location, and packs opened once per call.
/// </summary>
public abstract class EngineCmdlet : PSCmdlet, IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<string, (OpenedPack? Pack, FeatureFlowException? Failure)> _packs = [];
    private readonly HashSet<string> _warned = [];
    private ProgressFeed? _progress;

    /// <summary>The progress bar: its number, one for each cmdlet, and what it says is being done.</summary>
    private protected virtual (int Id, string Text) Activity => (7000, "Reading the pack");

    /// <summary>Where long work reports to.</summary>
    private protected IProgress<FlowProgress> Progress => Feed;

    private ProgressFeed Feed => _progress ??= new ProgressFeed(Activity.Id, Activity.Text, WriteProgress, TimeProvider.System);

    /// <summary>Opens the pack of a name: a file or folder, as PowerShell sees it, or a preset.</summary>
    /// <exception cref="FeatureFlowException">It cannot be opened; the second time at no cost.</exception>
    internal OpenedPack OpenPack(string name)
    {
        if (!_packs.TryGetValue(name, out var known))
        {
            var path = PackPath(name);
            try
            {
                var pack = Run(_ => Session.Open(path));
                PackMemory.Remember(path, pack.Pack);
                WriteVerbose($"Pack '{pack.Pack.Name}' ({pack.Pack.Source}): {pack.Pack.Saes.Count} SAEs, {pack.Descriptions.Count} features described{(pack.Index is null ? "" : ", flow index in use")}.");
                foreach (var warning in pack.Warnings) WarnOnce(warning);
                known = (pack, null);
            }
            catch (FeatureFlowException e)
            {
                known = (null, e);
            }

            _packs[name] = known;
        }

        return known.Pack ?? throw known.Failure!;
    }

    /// <summary>A warning that is heard once a call, however many items it is about.</summary>
    private protected void WarnOnce(string text)
    {
        if (_warned.Add(text)) WriteWarning(text);
    }

    /// <summary>Says what was left out. That a pack has nothing at all at a site surprises nobody, and is for those who ask.</summary>
    internal void LeftOut(OpenedPack pack, IEnumerable<string> notes)
    {
        foreach (var note in notes)
        {
            if (pack.Pack.SitesPresent.Any(s => note.StartsWith(s.Name() + " ", StringComparison.Ordinal))) WarnOnce($"Left out: {note}.");
            else if (_warned.Add(note)) WriteVerbose($"Left out: {note}.");
        }
    }

    /// <summary>Results of engine work, as they come.</summary>
    private protected IEnumerable<T> Stream<T>(Func<CancellationToken, IEnumerable<T>> work) => Beside.Stream(work, Feed.Show, _stop.Token);

    /// <summary>One result of engine work.</summary>
    private protected T Run<T>(Func<CancellationToken, T> work) => Beside.Run(work, Feed.Show, _stop.Token);

    /// <summary>A failure of one item; the next may go well.</summary>
    private protected void WriteFailure(FeatureFlowException failure, object? target)
    {
        WriteError(ErrorRecords.Of(failure, target));
        foreach (var other in failure.Others) WriteError(ErrorRecords.Of(other, target));
    }

    /// <summary>A full path in the file system; relative to <c>$PWD</c>, which is not the process's folder.</summary>
    /// <exception cref="FeatureFlowException">FF7004: of another provider, or of none.</exception>
    internal string FilePath(string path)
    {
        try
        {
            var full = SessionState.Path.GetUnresolvedProviderPathFromPSPath(path, out var provider, out _);
            return provider.Name == "FileSystem" ? full : throw CmdletErrors.NotAFile(path, $"it belongs to {provider.Name}.");
        }
        catch (RuntimeException e) when (e is not PipelineStoppedException)
        {
            throw CmdletErrors.NotAFile(path, e.Message, e);
        }
    }

    /// <summary>A model's folder as PowerShell sees it; a hub id stays one.</summary>
    private protected string ModelAt(string named)
    {
        var path = FilePath(named);
        return Directory.Exists(path) || !FeatureFlow.Models.HubCache.IsRepositoryId(named) ? path : named;
    }

    /// <summary>Corpora as PowerShell sees them: paths and patterns in full, names as they are.</summary>
    internal string[] CorporaAt(string[] named) =>
        [.. named.Select(c => !Experiments.Texts.Corpora.IsMade(c) && (System.IO.Path.Exists(FilePath(c)) || WildcardPattern.ContainsWildcardCharacters(c)) ? FilePath(c) : c)];

    /// <summary>Full paths of what a pattern matches; a path without wildcards is taken as it is.</summary>
    /// <exception cref="FeatureFlowException">FF7004: of another provider, or of none. FF7005: nothing matches.</exception>
    internal IReadOnlyList<string> FilePaths(string pattern)
    {
        if (!WildcardPattern.ContainsWildcardCharacters(pattern)) return [FilePath(pattern)];
        try
        {
            var found = SessionState.Path.GetResolvedProviderPathFromPSPath(pattern, out var provider);
            if (provider.Name != "FileSystem") throw CmdletErrors.NotAFile(pattern, $"it belongs to {provider.Name}.");
            return found.Count > 0 ? found : throw CmdletErrors.NoFile(pattern);
        }
        catch (ItemNotFoundException)
        {
            throw CmdletErrors.NoFile(pattern);
        }
        catch (RuntimeException e) when (e is not PipelineStoppedException)
        {
            throw CmdletErrors.NotAFile(pattern, e.Message, e);
        }
    }

    private string PackPath(string name)
    {
        var path = FilePath(name);
        return PackFile.Presets.Contains(name) && !Path.Exists(path) ? name : path;
    }

    /// <summary>Only signals: it runs on another thread.</summary>
    protected sealed override void StopProcessing()
    {
        try
        {
            _stop.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // the call had ended already
        }
    }

    /// <summary>Calls <see cref="Begin"/>.</summary>
    protected sealed override void BeginProcessing() => Guard(Begin, terminating: true);

    /// <summary>Calls <see cref="Process"/>.</summary>
    protected sealed override void ProcessRecord() => Guard(Process, terminating: false);

    /// <summary>Calls <see cref="End"/>.</summary>
    protected sealed override void EndProcessing()
    {
        Guard(End, terminating: false);
        Feed.End();
    }

    /// <summary>Before the first item; a failure here ends the call.</summary>
    private protected virtual void Begin()
    {
    }

    /// <summary>For each item; a failure is this item's.</summary>
    private protected virtual void Process()
    {
    }

    /// <summary>After the last item.</summary>
    private protected virtual void End()
    {
    }

    /// <summary>What is at fault when the item as a whole fails.</summary>
    private protected virtual object? Target => null;

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Dispose();
        GC.SuppressFinalize(this);
    }

    private void Guard(Action step, bool terminating)
    {
        try
        {
            step();
        }
        catch (FeatureFlowException e) when (terminating)
        {
            ThrowTerminatingError(ErrorRecords.Of(e, Target));
        }
        catch (FeatureFlowException e)
        {
            WriteFailure(e, Target);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            throw new PipelineStoppedException();
        }
    }
}
