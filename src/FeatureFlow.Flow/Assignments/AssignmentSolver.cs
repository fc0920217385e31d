namespace FeatureFlow.Flow;

/// <summary>
/// Exact linear assignment (SAE Match, section 3) between dictionaries whose cost matrix is never held. (1) Prices from a sample (<see cref="StartingPrices"/>). (2) One pass over all pairs finds
/// every row's nearest columns under them. (3) Rows bid, then shortest augmenting paths over these candidates. (4) Rows whose value has passed what their candidates prove are asked
/// again under the new prices; those that find a nearer column leave theirs; back to 3, until every row is proven. Then the certificate holds. Sequential but for the passes, which give the same bits for any number of threads: so does the whole.
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
        var (matched, prices, certificate, work) = run.Solve();
        if (!certificate.IsOptimal) throw FlowErrors.NotOptimal(certificate);
        if (!turned) return new Assignment(matched, prices, certificate, work);
        var target = new int[costs.Rows];
        Array.Fill(target, -1);
        for (var j = 0; j < matched.Length; j++) target[matched[j]] = j;
        return new Assignment(target, prices, certificate, work);
    }

    private sealed class Run(ICostSource costs, AssignmentOptions options, CancellationToken cancel)
    {
        private const int PassBlock = 8192;
        private const double RelativeTolerance = 1e-11;

        // by how much of what enters it a reduced cost may be off and count as equal
        private const double Equal = 1e-13;

        private readonly AssignmentState _state = new(costs.Rows, costs.Columns);
        private readonly CandidateLists _lists = new(costs.Rows, costs.Columns);
        private readonly AssignmentCheckpoint? _checkpoint = options.Checkpoint is { } file ? new(file, costs.Identity, options.CheckpointSeconds) : null;
        private readonly int _first = Math.Min(options.Candidates, costs.Columns);

        private long _queries;

        public Assignment Solve()
        {
            if (costs.Rows == 0) return new Assignment([], [], new AssignmentCertificate(0, 0, 0, 0), new AssignmentWork(0, 0, 0, 0));
            if (_checkpoint?.TryLoad(_state, _lists) != true) StartPrices();
            try
            {
                AskAll();
                for (var row = 0; row < costs.Rows; row++) Settle(row); // a stop may have come between asking a row and using the answer
                var (rounds, search) = Match();
                _checkpoint?.Delete();
                options.Progress?.Report(new FlowProgress("certificate", 1));
                return new Assignment(_state.ColumnOf[..costs.Rows], _state.Price, Certificate(), new AssignmentWork(_queries, rounds, search.Paths, search.Scanned));
            }
            catch (OperationCanceledException)
            {
                // between two steps the state is always one that can be gone on from
                _checkpoint?.Save(_state, _lists, always: true);
                throw;
            }
        }

        private void AskAll()
        {
            for (var start = 0; start < costs.Rows; start += PassBlock)
            {
                int[] rows = [.. Enumerable.Range(start, Math.Min(PassBlock, costs.Rows - start)).Where(i => _lists.Count(i) == 0)];
                if (rows.Length > 0) Renew(rows, Report("candidates", 0.05 + (0.5 * start / costs.Rows), 0.5 * rows.Length / costs.Rows));
            }
        }

        private (int Rounds, PathSearch Search) Match()
        {
            var search = new PathSearch(_state, _lists);
            if (_state.FreeRows().Count == costs.Columns) search.Bid([.. Enumerable.Range(0, costs.Rows)], cancel);
            var done = 0.55;
            for (var rounds = 0; ; rounds++)
            {
                foreach (var row in _state.FreeRows())
                {
                    cancel.ThrowIfCancellationRequested();
                    if (row >= costs.Rows && _state.ColumnOf[row] < 0) MatchIdle();
                    if (_state.ColumnOf[row] < 0) search.Match(row);
                }

                int[] unproven = [.. Enumerable.Range(0, costs.Rows).Where(i => _state.Value[i] > _lists.Line[i] || search.Stale.Contains(i))];
                search.Stale.Clear();
                var free = _state.FreeRows();
                options.Progress?.Report(new FlowProgress(FormattableString.Invariant($"paths, {free.Count} left"), done));
                if (unproven.Length == 0)
                {
                    if (free.Count > 0) throw FlowErrors.NoCosts(free[0]);
                    return (rounds, search);
                }

                Renew(unproven, Report("candidates again", done, (1 - done) / 3));
                done += (1 - done) / 3;
                foreach (var row in unproven) Settle(row);
            }
        }

        // under its new candidates a row is worth what its nearest column says, and leaves one that is farther
        private void Settle(int row)
        {
            var near = _lists.Nearest(row, _state.Price);
            var j = _state.ColumnOf[row];
            if (j >= 0)
            {
                if (_state.Value[row] - near <= Equal * (Math.Abs(near) + Math.Abs(_lists.Of(row)[0].Cost) + Math.Abs(_state.Price[j]))) return;
                _state.Part(row);
            }

            _state.Value[row] = near;
        }

        // idle rows take free columns of the highest price: nothing is nearer to them
        private void MatchIdle()
        {
            var highest = _state.Price.Max();
            var row = costs.Rows;
            for (var j = 0; j < costs.Columns; j++)
            {
                if (_state.RowOf[j] >= 0 || _state.Price[j] < highest) continue;
                while (row < costs.Columns && _state.ColumnOf[row] >= 0) row++;
                if (row == costs.Columns) return;
                _state.Value[row] = -highest;
                _state.Match(row, j);
            }
        }

        // with more columns than rows, prices must start at 0: a column that stays unmatched has price 0
        private void StartPrices()
        {
            if (costs.Rows == costs.Columns) StartingPrices.Estimate(costs, _state.Price, Report("prices", 0, 0.05), cancel);
        }

        private void Renew(int[] rows, IProgress<double>? progress)
        {
            _queries += rows.Length;
            _checkpoint?.Save(_state, _lists);
            _lists.Renew(costs, rows, _state.Price, _first, progress, cancel);
        }

        private AssignmentCertificate Certificate()
        {
            double primal = 0, dual = 0, size = 0;
            for (var i = 0; i < costs.Rows; i++)
            {
                var cost = costs.Cost(i, _state.ColumnOf[i]);
                primal += cost;
                var smallest = Math.Min(_lists.Nearest(i, _state.Price), _lists.Line[i]);
                dual += smallest;
                size += Math.Abs(smallest) + Math.Abs(cost);
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
