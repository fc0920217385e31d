using System.Diagnostics;
using System.Globalization;
using FeatureFlow.Flow;
using Spectre.Console;

namespace FeatureFlow.Tools;

/// <summary>Progress of long work on standard error: a bar on a terminal, a line now and then elsewhere, nothing for work that is quick.</summary>
internal static class ProgressDisplay
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    public static T Run<T>(string title, ToolStreams streams, bool quiet, Func<IProgress<FlowProgress>, T> work)
    {
        if (quiet) return work(new Silent());
        return streams.Interactive ? Bar(title, streams, work) : work(new Lines(title, streams.Error, Stopwatch.GetTimestamp));
    }

    private static T Bar<T>(string title, ToolStreams streams, Func<IProgress<FlowProgress>, T> work)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(streams.Error) });
        T result = default!;
        console.Progress().AutoClear(true).Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn()).Start(display =>
        {
            var task = display.AddTask(Markup.Escape(title));
            result = work(new Bars(title, task));
        });
        return result;
    }

    private sealed class Bars(string title, ProgressTask task) : IProgress<FlowProgress>
    {
        public void Report(FlowProgress value)
        {
            task.Description = Markup.Escape($"{title}: {value.Stage}");
            task.Value = 100 * value.Done;
        }
    }

    private sealed class Silent : IProgress<FlowProgress>
    {
        public void Report(FlowProgress value)
        {
        }
    }

    /// <summary>The first line after two seconds, one every five from then on.</summary>
    internal sealed class Lines(string title, TextWriter error, Func<long> clock) : IProgress<FlowProgress>
    {
        private readonly Lock _lock = new();
        private long _next = clock() + (long)(Patience.TotalSeconds * Stopwatch.Frequency);

        public void Report(FlowProgress value)
        {
            lock (_lock)
            {
                var now = clock();
                if (now < _next) return;
                _next = now + (long)(Pause.TotalSeconds * Stopwatch.Frequency);
                error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"featureflow: {title}: {value.Stage} ({value.Done:P0})"));
            }
        }
    }
}
