namespace FeatureFlow.Flow.Tests;

public sealed class SideBySideTests
{
    [Fact]
    public void All_results_of_all_sequences_come()
    {
        var results = SideBySide.Run(3, (number, _) => Enumerable.Range(0, 100).Select(i => (number, i)), ahead: 4, CancellationToken.None).ToList();
        Assert.Equal(300, results.Distinct().Count());
        foreach (var one in results.GroupBy(r => r.number)) Assert.Equal(Enumerable.Range(0, 100), one.Select(r => r.i));
    }

    [Fact]
    public void The_first_failure_ends_all_and_is_the_readers()
    {
        using var started = new ManualResetEventSlim();
        using var other = new ManualResetEventSlim();
        var failure = Assert.Throws<InvalidOperationException>(() =>
        {
            foreach (var _ in SideBySide.Run(2, Sequence, ahead: 1, CancellationToken.None)) started.Set();
        });
        Assert.Equal("no more", failure.Message);
        Assert.True(other.IsSet);

        IEnumerable<int> Sequence(int number, CancellationToken stop)
        {
            if (number == 0)
            {
                started.Wait(stop);
                throw new InvalidOperationException("no more");
            }

            try
            {
                while (true)
                {
                    stop.ThrowIfCancellationRequested();
                    yield return number;
                }
            }
            finally
            {
                other.Set();
            }
        }
    }

    [Fact]
    public void A_reader_that_had_enough_ends_all()
    {
        var ended = 0;
        Assert.Equal(3, SideBySide.Run(2, Endless, ahead: 1, CancellationToken.None).Take(3).Count());
        Assert.Equal(2, ended);

        IEnumerable<int> Endless(int number, CancellationToken stop)
        {
            try
            {
                while (!stop.IsCancellationRequested) yield return number;
            }
            finally
            {
                Interlocked.Increment(ref ended);
            }
        }
    }

    [Fact]
    public void Cancelling_ends_all()
    {
        using var cancel = new CancellationTokenSource();
        var results = 0;
        Assert.ThrowsAny<OperationCanceledException>(() =>
        {
            foreach (var _ in SideBySide.Run(2, (_, stop) => Endless(stop), ahead: 2, cancel.Token))
            {
                if (++results == 5) cancel.Cancel();
            }
        });

        static IEnumerable<int> Endless(CancellationToken stop)
        {
            while (true)
            {
                stop.ThrowIfCancellationRequested();
                yield return 1;
            }
        }
    }
}
