using System.CommandLine;
using System.Runtime.InteropServices;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Tensors;

namespace FeatureFlow.Tools;

/// <summary>What a command needs while it runs: where to write, whether it was cancelled, progress, and how results are shown.</summary>
internal sealed class ToolContext : IDisposable
{
    private const int Interrupted = 130;
    private const int Terminated = 143;

    private readonly CancellationTokenSource _cancel = new();
    private readonly PosixSignalRegistration[] _signals;
    private readonly string? _engine;
    private readonly ToolStreams _streams;

    public ToolContext(ParseResult options, ToolStreams streams, IReadOnlyList<string> args)
    {
        _streams = streams;
        Arguments = args;
        Json = options.GetValue(GlobalOptions.Json);
        Quiet = options.GetValue(GlobalOptions.Quiet);
        _engine = options.GetResult(GlobalOptions.Engine) is { Implicit: false } ? options.GetValue(GlobalOptions.Engine) : null;
        _signals = [PosixSignalRegistration.Create(PosixSignal.SIGINT, s => Stop(s, Interrupted)), PosixSignalRegistration.Create(PosixSignal.SIGTERM, s => Stop(s, Terminated))];
    }

    public TextWriter Out => _streams.Out;

    public TextWriter Error => _streams.Error;

    public bool Json { get; }

    public bool Quiet { get; }

    public bool Interactive => _streams.Interactive;

    public CancellationToken Cancel => _cancel.Token;

    public int SignalExitCode { get; private set; } = Interrupted;

    /// <summary>The words of the command line, for manifests.</summary>
    public IReadOnlyList<string> Arguments { get; }

    /// <summary>Opens a pack and passes on what its opening has to say.</summary>
    public OpenedPack Open(string pack)
    {
        var opened = Session.Open(pack);
        foreach (var warning in opened.Warnings) Note(warning);
        return opened;
    }

    /// <summary>A remark for people.</summary>
    public void Note(string text)
    {
        if (!Quiet) Error.WriteLine($"featureflow: {text}");
    }

    /// <summary>Does long work with progress shown.</summary>
    public T Watch<T>(string title, Func<IProgress<FlowProgress>, T> work) => ProgressDisplay.Run(title, _streams, Quiet, work);

    /// <summary>Rows as a table for people, or as a JSON array of objects.</summary>
    public void Show<T>(TableColumns<T> columns, IEnumerable<T> rows)
    {
        if (Json) columns.WriteJson(Out, rows);
        else TextTable.Write(Out, columns, rows, _streams.Width);
    }

    /// <summary>Rows as a CSV file when one is named, else as <see cref="Show"/> does.</summary>
    public void ShowOrWrite<T>(TableColumns<T> columns, IReadOnlyCollection<T> rows, string? csv, bool excel)
    {
        if (csv is not null)
        {
            columns.Write(csv, rows, excel);
            Note($"{rows.Count} rows in {csv}");
            if (!Json) return;
        }

        Show(columns, rows);
    }

    /// <summary>Takes the engine that was asked for: torch must be here at once; auto is looked for when something is computed, and warns when it has to do with less.</summary>
    public void ChooseEngine()
    {
        var request = _engine is null ? EngineRequest.Default : EngineRequest.Parse(_engine);
        FlowEngine.Use(request, Note);
        if (request.Choice == EngineChoice.Torch) _ = FlowEngine.Shared;
    }

    public void Dispose()
    {
        foreach (var signal in _signals) signal.Dispose();
        _cancel.Dispose();
    }

    // the second signal is the system's to handle: it ends the process
    private void Stop(PosixSignalContext signal, int code)
    {
        if (_cancel.IsCancellationRequested) return;
        signal.Cancel = true;
        SignalExitCode = code;
        _cancel.Cancel();
    }
}
