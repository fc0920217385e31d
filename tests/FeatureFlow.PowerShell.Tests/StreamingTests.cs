using System.Diagnostics;
using System.Globalization;
using FeatureFlow.Flow;
using FeatureFlow.Testing;

namespace FeatureFlow.PowerShell.Tests;

/// <summary>One object at a time, early ends, Ctrl+C, batches, progress.</summary>
public sealed class StreamingTests : IDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2); // for what hangs; a busy machine is slow

    private readonly ManualResetEventSlim _ended = new();

    public void Dispose() => _ended.Dispose();

    private static Shell Shell() => new(Stories.Folder);

    [Fact]
    public void TheFirstResultComesBeforeTheSecondInput()
    {
        var taken = 0;
        IEnumerable<object> Inputs()
        {
            for (var i = 0; i < 512; i++)
            {
                taken++;
                yield return $"4/res/{i}";
            }
        }

        var seen = new List<int>();
        var shell = Shell().Add<NewFlowGraphCommand>(("Pack", "."), ("BatchSize", 16));
        shell.OnOutput = _ => seen.Add(taken);
        shell.Run(Inputs());
        Assert.Equal(512, seen.Count);
        Assert.Equal(1, seen[0]);
        Assert.All(seen.Index(), s => Assert.InRange(s.Item - s.Index, 1, 16)); // never more than a batch behind
    }

    [Fact]
    public void BatchesGrowAndChangeNothing()
    {
        string[] Rows(int batch) => [.. Shell()
            .Add<GetSaeFeatureCommand>(("Pack", "."), ("Layer", "2-3"), ("Index", "0-40"))
            .Add<FindFeaturePredecessorCommand>(("Top", 3), ("BatchSize", batch))
            .Run().Of<FeatureMatch>().Select(m => string.Create(CultureInfo.InvariantCulture, $"{m.Feature} {m.Source} {m.Rank} {m.Similarity:R}"))];
        var one = Rows(1);
        Assert.NotEmpty(one);
        Assert.Equal(one, Rows(256));
    }

    [Fact]
    public void WhoeverHasEnoughEndsIt()
    {
        var shell = Shell().Add<GetSaeFeatureCommand>(("Pack", ".")).Add<FindFeaturePredecessorCommand>(("Top", 1)).First(2).Run();
        Assert.Equal(2, shell.Output.Count);
        Assert.Equal(1, shell.Consumed);
    }

    [Fact]
    public void StopEndsWhatWouldTakeMinutes()
    {
        // a busy machine may delay any single stop; slow code delays them all
        Assert.Contains(Enumerable.Range(0, 50).Select(_ => StopAfter()), ms => ms <= 100);
    }

    private static double StopAfter()
    {
        var shell = Shell().Add<FindFeaturePredecessorCommand>(("Pack", "."), ("Layer", "1-4"), ("Index", Enumerable.Repeat("0-511", 2000).ToArray()));
        long stopped = 0;
        shell.OnOutput = _ =>
        {
            if (shell.Output.Count != 100) return;
            stopped = Stopwatch.GetTimestamp();
            var stop = new Thread(shell.Stop); // of its own, as a host's is: the pool may be busy
            stop.Start();
            stop.Join();
        };
        Assert.Throws<System.Management.Automation.PipelineStoppedException>(() => shell.Run());
        return Stopwatch.GetElapsedTime(stopped).TotalMilliseconds;
    }

    [Fact]
    public void StopDoesNotWaitForAFileThatNeverEnds()
    {
        if (OperatingSystem.IsWindows()) return; // no named pipes in folders there; the suites stop a real PowerShell as well
        using var folder = Stories.Described();
        File.Delete(folder.File("said", "4.csv"));
        using (var make = Process.Start("mkfifo", folder.File("said", "4.csv"))) make.WaitForExit();
        var shell = new Shell(folder.Path).Add<GetSaeFeatureCommand>(("Pack", "."));
        var ended = false;
        var stop = new Thread(() =>
        {
            using var writer = new FileStream(folder.File("said", "4.csv"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite); // returns when somebody reads
            shell.Stop();
            ended = _ended.Wait(s_patience);
        });
        stop.Start();
        Assert.Throws<System.Management.Automation.PipelineStoppedException>(() => shell.Run());
        _ended.Set();
        stop.Join();
        Assert.True(ended, "it waited for the file");
    }

    [Fact]
    public void LongWorkShowsHowFarItIs()
    {
        var shell = Shell().Add<FindFeaturePredecessorCommand>(("Pack", "."), ("Layer", "1-4"), ("Index", Enumerable.Repeat("0-511", 500).ToArray()), ("BatchSize", 16));
        var clock = Stopwatch.StartNew();
        shell.OnOutput = _ =>
        {
            if (shell.Progress.Count >= 2 || clock.Elapsed > s_patience) shell.Stop();
        };
        Assert.Throws<System.Management.Automation.PipelineStoppedException>(() => shell.Run());
        Assert.InRange(shell.Progress.Count, 2, 2 + (clock.ElapsedMilliseconds / 200));
        Assert.Matches(@"^\d+ of 1024000 features, ", shell.Progress[0].StatusDescription);
        Assert.All(shell.Progress, p => Assert.InRange(p.PercentComplete, 0, 99));
    }

    [Fact]
    public void NobodyKnowsHowLongAPipelineIs()
    {
        var clock = Stopwatch.StartNew();
        var shell = Shell().Add<FindFeaturePredecessorCommand>(("Pack", "."), ("BatchSize", 16));
        IEnumerable<object> Endless()
        {
            while (shell.Progress.Count == 0 && clock.Elapsed < s_patience) yield return "4/res/40";
        }

        shell.Run(Endless());
        Assert.Equal(-1, shell.Progress[0].PercentComplete);
        Assert.Matches(@"^\d+ features, ", shell.Progress[0].StatusDescription);
        Assert.Equal(System.Management.Automation.ProgressRecordType.Completed, shell.Progress[^1].RecordType);
    }

    [Fact]
    public void ProgressFromAnyThreadReachesThePipeline()
    {
        var clock = new Clock();
        var shown = new List<System.Management.Automation.ProgressRecord>();
        var feed = new ProgressFeed(1, "Testing", shown.Add, clock);
        void Report(int atMs, string stage, double done)
        {
            clock.Ms = atMs;
            var worker = new Thread(() => feed.Report(new FlowProgress(stage, done)));
            worker.Start();
            worker.Join();
            feed.Show();
        }

        Report(499, "short work shows nothing", 0.1);
        Report(500, "first", 0.2);
        Report(699, "at most five times a second", 0.3);
        Report(700, "second", 1.5);
        clock.Ms = 1000;
        feed.Show(); // nothing new
        feed.End();
        Assert.Equal(["first", "second", "done"], shown.Select(p => p.StatusDescription));
        Assert.Equal([20, 100, -1], shown.Select(p => p.PercentComplete));
        Assert.Equal(System.Management.Automation.ProgressRecordType.Completed, shown[^1].RecordType);
        feed.End();
        Assert.Equal(3, shown.Count); // what was not shown is not taken away
    }

    private sealed class Clock : TimeProvider
    {
        public int Ms { get; set; }

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => Ms;
    }

    [Fact]
    public void WorkThatFailsIsHeardOnThePipelineThread()
    {
        static IEnumerable<int> Fails(CancellationToken cancel)
        {
            yield return 1;
            throw new InvalidDataException("two");
        }

        var seen = new List<int>();
        var thrown = Assert.Throws<InvalidDataException>(() => seen.AddRange(Beside.Stream(Fails, () => { }, CancellationToken.None)));
        Assert.Equal("two", thrown.Message);
    }

    [Fact]
    public void WorkNobodyWaitsForEnds()
    {
        using var ended = new ManualResetEventSlim();
        IEnumerable<int> Endless(CancellationToken cancel)
        {
            try
            {
                for (var i = 0; ; i++) yield return i;
            }
            finally
            {
                ended.Set();
            }
        }

        Assert.Equal(0, Beside.Stream(Endless, () => { }, CancellationToken.None).First());
        Assert.True(ended.Wait(s_patience));
    }
}
