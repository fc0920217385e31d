using System.Management.Automation;
using System.Reflection;

namespace FeatureFlow.PowerShell.Tests;

/// <summary>
/// A pipeline of cmdlets: every object goes through all of them before the next is made, as in PowerShell. Records the streams; checks
/// that cmdlets speak on the pipeline thread only.
/// </summary>
internal sealed class Shell(string folder)
{
    private readonly List<Stage> _stages = [];
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private int _wanted = int.MaxValue;

    public List<object?> Output { get; } = [];

    public List<ErrorRecord> Errors { get; } = [];

    public List<string> Warnings { get; } = [];

    public List<string> Verbose { get; } = [];

    public List<ProgressRecord> Progress { get; } = [];

    public List<string> Confirmations { get; } = [];

    public bool WhatIf { get; init; }

    /// <summary>Called for each object that leaves the pipeline.</summary>
    public Action<object?>? OnOutput { get; set; }

    /// <summary>Objects that entered the last command, counted as they come.</summary>
    public int Consumed { get; private set; }

    public Shell Add<T>(params (string Name, object? Value)[] arguments)
        where T : PSCmdlet, new()
    {
        var cmdlet = new T { SessionState = new SessionState(folder) };
        var stage = new Stage(this, cmdlet, _stages.Count);
        cmdlet.Streams = stage;
        stage.Binder.BindNamed(arguments);
        _stages.Add(stage);
        return this;
    }

    /// <summary>As <c>Select-Object -First</c> at the end.</summary>
    public Shell First(int count)
    {
        _wanted = count;
        return this;
    }

    /// <summary>Runs with objects from outside, or with none.</summary>
    public Shell Run(params IEnumerable<object>[] input)
    {
        try
        {
            foreach (var (place, stage) in _stages.Index()) stage.Cmdlet.MyInvocation.ExpectingInput = place > 0 || input.Length > 0;
            foreach (var stage in _stages) stage.Cmdlet.RunBegin();
            if (input.Length == 0) Feed(0, null);
            else foreach (var value in input[0]) Feed(0, value);
            foreach (var stage in _stages) stage.Cmdlet.RunEnd();
        }
        catch (Enough)
        {
            // Select-Object had all it wanted; like PowerShell, nobody's End is called
        }
        finally
        {
            foreach (var stage in _stages) (stage.Cmdlet as IDisposable)?.Dispose();
        }

        return this;
    }

    /// <summary>Ctrl+C, from another thread.</summary>
    public void Stop()
    {
        foreach (var stage in _stages) stage.Cmdlet.RunStop();
    }

    public IEnumerable<T> Of<T>() => Output.Cast<T>();

    private void Feed(int stage, object? value)
    {
        if (stage == _stages.Count)
        {
            Output.Add(value);
            OnOutput?.Invoke(value);
            if (Output.Count >= _wanted) throw new Enough();
            return;
        }

        if (value is not null && stage == _stages.Count - 1) Consumed++;
        try
        {
            _stages[stage].Binder.BindInput(value);
        }
        catch (ParameterBindingException e) when (value is not null)
        {
            Errors.Add(new ErrorRecord(e, "InputObjectNotBound", ErrorCategory.InvalidArgument, value));
            return;
        }

        _stages[stage].Cmdlet.RunProcess();
    }

    private sealed class Stage(Shell shell, PSCmdlet cmdlet, int place) : IStreams
    {
        public PSCmdlet Cmdlet => cmdlet;

        public Binder Binder { get; } = new(cmdlet);

        public void Object(object? value)
        {
            Here();
            Assert.True(value is null || cmdlet.GetType().GetCustomAttributes<OutputTypeAttribute>().Any(a => a.Types.Contains(value.GetType())), $"{cmdlet.GetType().Name} does not declare {value?.GetType().Name}");
            shell.Feed(place + 1, value);
        }

        public void Error(ErrorRecord record) => Note(shell.Errors, record);

        public void Warning(string text) => Note(shell.Warnings, text);

        public void Verbose(string text) => Note(shell.Verbose, text);

        public void Progress(ProgressRecord record) => Note(shell.Progress, record);

        public bool ShouldProcess(string target, string action)
        {
            Note(shell.Confirmations, $"{action}: {target}");
            return !shell.WhatIf;
        }

        private void Note<T>(List<T> to, T what)
        {
            Here();
            to.Add(what);
        }

        private void Here() => Assert.Equal(shell._thread, Environment.CurrentManagedThreadId);
    }

    private sealed class Enough : Exception;
}
