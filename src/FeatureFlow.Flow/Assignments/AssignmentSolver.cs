namespace FeatureFlow.Flow;

/// <summary>
/// Exact linear assignment (SAE Match, section 3) between dictionaries whose cost matrix is never held. (1) Prices from a sample of the rows. (2) One pass finds every row's
/// nearest columns under them. (3) Shortest augmenting paths over these candidates, exact because no search passes the line up to which a row's candidates are
/// complete; rows that stop searches are asked again, with all columns. (4) One more pass over all pairs certifies the optimum, whatever went before. Sequential but for
/// the passes, which give the same bits for any number of threads: so does the whole.
/// </summary>
public static class AssignmentSolver
{
    /// <summary>The assignment of least total cost: min(rows, columns) pairs.</summary>
    /// <param name="costs">The problem.</param>
    /// <param name="options">Candidates, checkpoint, progress.</param>
    /// <param name="cancel">Honoured within 100 ms; with a checkpoint the work is taken up again where it was.</param>
    /// <exception cref="FeatureFlowException">FF4061: the certificate does not prove the optimum (costs that are not finite).</exception>
    public static Assignment Solve(ICostSource costs, AssignmentOptions? options = null, CancellationToken cancel = default)
    {
        var turned = costs.Rows > costs.Columns;
        var run = new Run(turned ? costs.Transpose() : costs, options ?? new AssignmentOptions(), cancel);
        var (matched, certificate, work) = run.Solve();
        if (!certificate.IsOptimal) throw FlowErrors.NotOptimal(certificate);
        if (!turned) return new Assignment(matched, certificate, work);
        var target = new int[costs.Rows];
        Array.Fill(target, -1);
        for (var j = 0; j < matched.Length; j++) target[matched[j]] = j;
        return new Assignment(target, certificate, work);
    }

    private sealed class Run(ICostSource costs, AssignmentOptions options, CancellationToken cancel)
    {
        private const int SampledShare = 8;
        private const int PassBlock = 8192;
        private const double RelativeTolerance = 1e-11;

        private readonly AssignmentState _state = new(costs.Rows, costs.Columns);
        private readonly CandidateLists _lists = new(costs.Rows);
        private readonly AssignmentCheckpoint? _checkpoint = options.Checkpoint is { } file ? new(file, costs.Identity, options.CheckpointSeconds) : null;

        // every row's smallest reduced cost over all columns, as the certificate finds it; NaN before
        private readonly double[] _smallest = new double[costs.Rows];
        private long _queries;

        public Assignment Solve()
        {
            if (costs.Rows == 0) return new Assignment([], new AssignmentCertificate(0, 0, 0, 0), new AssignmentWork(0, 0, 0, 0));
            Array.Fill(_smallest, double.NaN);
            if (_checkpoint?.TryLoad(_state, _lists, _smallest) != true) StartPrices();
            try
            {
                var (rounds, search) = Match();
                Certify();
                _checkpoint?.Delete();
                return new Assignment(_state.ColumnOf, Certificate(), new AssignmentWork(_queries, rounds, search.Paths, search.Scanned));
            }
            catch (OperationCanceledException)
            {
                // between two steps the state is always one that can be gone on from
                _checkpoint?.Save(_state, _lists, _smallest, always: true);
                throw;
            }
        }

        private (int Rounds, PathSearch Search) Match()
        {
            var first = Math.Min(options.Candidates, costs.Columns);
            for (var start = 0; start < costs.Rows; start += PassBlock)
            {
                int[] rows = [.. Enumerable.Range(start, Math.Min(PassBlock, costs.Rows - start)).Where(i => _lists.Count(i) == 0)];
                if (rows.Length == 0) continue;
                Renew(rows, first, Report("candidates", 0.05 + (0.4 * start / costs.Rows), 0.4 * rows.Length / costs.Rows));
            }

            var search = new PathSearch(_state, _lists);
            if (_state.FreeRows().Count == costs.Rows) search.Bid(_state.FreeRows(), cancel);
            for (var rounds = 0; ; rounds++)
            {
                foreach (var row in _state.FreeRows())
                {
                    cancel.ThrowIfCancellationRequested();
                    search.Match(row);
                }

                var free = _state.FreeRows().Count;
                options.Progress?.Report(new FlowProgress(FormattableString.Invariant($"paths, {free} left"), 0.45 + (0.2 * (costs.Rows - free) / costs.Rows)));
                if (free == 0) return (rounds, search);
                int[] stale = [.. search.Stale.Order()];
                search.Stale.Clear();
                if (stale.Length == 0) throw FlowErrors.NoCosts(_state.FreeRows()[0]);
                Renew(stale, first, null);
            }
        }

        // a column's price starts near its smallest costs: dictionaries have columns that are near to everybody, or to nobody. With more columns than rows, prices must
        // start at 0: a column that stays unmatched has price 0
        private void StartPrices()
        {
            if (costs.Rows != costs.Columns) return;
            var count = Math.Min(costs.Rows, Math.Max(1024, costs.Rows / SampledShare));
            int[] sample = [.. Enumerable.Range(0, count).Select(i => (int)((long)i * costs.Rows / count))];
            costs.Smallest(sample, _state.Price, Report("prices", 0, 0.05), cancel);
        }

        private void Renew(int[] rows, int first, Stage? progress)
        {
            _queries += rows.Length;
            _lists.Renew(costs, rows, _state.Price, first, progress, cancel);
            _checkpoint?.Save(_state, _lists, _smallest);
        }

        // asks all rows anew, so that nothing that went before is trusted
        private void Certify()
        {
            var column = new int[PassBlock];
            var smallest = new double[PassBlock];
            for (var start = 0; start < costs.Rows; start += PassBlock)
            {
                var count = Math.Min(PassBlock, costs.Rows - start);
                if (!double.IsNaN(_smallest[start + count - 1])) continue;
                costs.Nearest([.. Enumerable.Range(start, count)], _state.Price, 1, column, smallest, Report("certificate", 0.65 + (0.35 * start / costs.Rows), 0.35 * count / costs.Rows), cancel);
                smallest.AsSpan(0, count).CopyTo(_smallest.AsSpan(start));
                _checkpoint?.Save(_state, _lists, _smallest);
            }

            options.Progress?.Report(new FlowProgress("certificate", 1));
        }

        private AssignmentCertificate Certificate()
        {
            double primal = 0, dual = 0, size = 0;
            for (var i = 0; i < costs.Rows; i++)
            {
                var cost = costs.Cost(i, _state.ColumnOf[i]);
                primal += cost;
                dual += _smallest[i];
                size += Math.Abs(_smallest[i]) + Math.Abs(cost);
            }

            foreach (var price in _state.Price)
            {
                dual += price;
                size += Math.Abs(price);
            }

            // columns too many are matched with rows that cost nothing, whose value is the negative of the largest price
            if (costs.Columns > costs.Rows) dual -= (costs.Columns - costs.Rows) * _state.Price.Max();
            return new AssignmentCertificate(primal, dual, RelativeTolerance * size, (long)costs.Rows * costs.Columns);
        }

        private Stage? Report(string stage, double from, double share) => options.Progress is null ? null : new Stage(options.Progress, stage, from, share);
    }

    private sealed class Stage(IProgress<FlowProgress> whole, string name, double from, double share) : IProgress<double>
    {
        public void Report(double value) => whole.Report(new FlowProgress(name, from + (share * value)));
    }
}
