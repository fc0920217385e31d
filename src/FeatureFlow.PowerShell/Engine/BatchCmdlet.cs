using System.Diagnostics;
using System.Management.Automation;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>
/// A cmdlet that answers many features with one reading of the decoders. The first feature is answered at once and alone, then 2, 4, 8 ...
/// together up to <see cref="BatchSize"/>: results stream from the first moment, and a pipeline of thousands costs hardly more than a
/// single search of them all. Results come in the order of the features.
/// </summary>
/// <typeparam name="T">What is written.</typeparam>
public abstract class BatchCmdlet<T> : FeatureCmdlet
    where T : class
{
    /// <summary>A feature waits no longer than this for company when the pipeline goes on slowly.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(500);

    private readonly List<FeatureId> _waiting = [];
    private OpenedPack? _pack;
    private long _since;
    private int _size = 1;
    private int _done;
    private int? _total;

    /// <summary>Most features answered together.</summary>
    [Parameter(HelpMessage = "Most features answered together; 1 answers each before the next is taken")]
    [ValidateRange(1, 2048)]
    public int BatchSize { get; set; } = 256;

    /// <summary>The results of features of one pack, in their order, one feature after the other.</summary>
    internal abstract IEnumerable<T> Answer(OpenedPack pack, IReadOnlyList<FeatureId> features, IProgress<FlowProgress> progress, CancellationToken cancel);

    /// <summary>The feature that a result is about, as <c>layer/site/index</c>.</summary>
    internal abstract string About(T result);

    /// <summary>Something to say about a result before it is written.</summary>
    internal virtual void Remark(OpenedPack pack, T result)
    {
    }

    private protected override void Process()
    {
        var selected = Selected().ToList();
        _total = MyInvocation.ExpectingInput ? null : selected.Sum(s => s.Indices.Count); // nobody knows what else will come
        foreach (var selection in selected)
        {
            if (_pack != selection.Pack) Flush();
            _pack = selection.Pack;
            foreach (var feature in selection.Features)
            {
                if (_waiting.Count == 0) _since = Stopwatch.GetTimestamp();
                _waiting.Add(feature);
                if (_waiting.Count >= Math.Min(_size, BatchSize) || Stopwatch.GetElapsedTime(_since) > s_patience) Flush();
            }
        }
    }

    private protected override void End() => Flush();

    private void Flush()
    {
        if (_waiting.Count == 0) return;
        var (pack, features) = (_pack!, _waiting.ToArray());
        _waiting.Clear();
        _size = Math.Min(2 * _size, BatchSize);
        var at = -1; // the feature whose results are being written
        try
        {
            foreach (var result in Stream(cancel => Answer(pack, features, new BatchProgress(Progress, _done, features.Length, _total), cancel)))
            {
                if (at < 0 || features[at].ToString() != About(result)) at = Array.FindIndex(features, at + 1, f => f.ToString() == About(result));
                Write(pack, result);
            }
        }
        catch (FeatureFlowException e) when (features.Length == 1)
        {
            WriteFailure(e, features[0]);
        }
        catch (FeatureFlowException)
        {
            // one of them fails: one by one, so that the others are answered and the failure names its feature
            foreach (var feature in features[(at + 1)..]) One(pack, feature);
        }

        _done += features.Length;
    }

    private void Write(OpenedPack pack, T result)
    {
        Remark(pack, result);
        WriteObject(result);
    }

    private void One(OpenedPack pack, FeatureId feature)
    {
        try
        {
            foreach (var result in Stream(cancel => Answer(pack, [feature], Progress, cancel))) Write(pack, result);
        }
        catch (FeatureFlowException e)
        {
            WriteFailure(e, feature);
        }
    }

    /// <summary>Progress of a batch as progress of them all; without a share where nobody knows how many there are.</summary>
    private sealed class BatchProgress(IProgress<FlowProgress> all, int done, int count, int? total) : IProgress<FlowProgress>
    {
        public void Report(FlowProgress value) => all.Report(total is { } t
            ? new FlowProgress($"{done} of {t} features, {value.Stage}", (done + (value.Done * count)) / t)
            : new FlowProgress($"{done} features, {value.Stage}", -1));
    }
}
