using System.Diagnostics;

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
    /// <exception cref="FeatureFlowException">FF4041: the certificate does not prove the optimum (costs that are not finite).</exception>
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

        private readonly AssignmentState _state = new(costs.Rows, costs.Columns);
        private readonly CandidateLists _lists = new(costs.Rows);
        private long _queries;

        public Assignment Solve()
        {
            Debug.Assert(costs.Rows <= costs.Columns);
            if (costs.Rows == 0) return new Assignment([], new AssignmentCertificate(0, 0, 0, 0), new AssignmentWork(0, 0, 0, 0));
            var first = Math.Min(options.Candidates, costs.Columns);
            StartPrices();
            for (var start = 0; start < costs.Rows; start += PassBlock)
            {
                int[] rows = [.. Enumerable.Range(start, Math.Min(PassBlock, costs.Rows - start))];
                Renew(rows, first, Report("candidates", 0.05 + (0.4 * start / costs.Rows), 0.4 * rows.Length / costs.Rows));
            }

            var search = new PathSearch(_state, _lists);
            search.Bid(_state.FreeRows(), cancel);
            var rounds = 0;
            while (true)
            {
                foreach (var row in _state.FreeRows())
                {
                    cancel.ThrowIfCancellationRequested();
                    search.Match(row);
                }

                var free = _state.FreeRows().Count;
                options.Progress?.Report(new FlowProgress(FormattableString.Invariant($"paths, {free} left"), 0.45 + (0.2 * (costs.Rows - free) / costs.Rows)));
                if (free == 0) break;
                int[] stale = [.. search.Stale.Order()];
                search.Stale.Clear();
                Renew(stale, first, null);
                rounds++;
            }

            return new Assignment(_state.ColumnOf, Certify(), new AssignmentWork(_queries, rounds, search.Paths, search.Scanned));
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

        private void Renew(int[] rows, int first, IProgress<double>? progress)
        {
            _queries += rows.Length;
            _lists.Renew(costs, rows, _state.Price, first, progress, cancel);
        }

        // every row's smallest reduced cost over all columns, asked anew
        private AssignmentCertificate Certify()
        {
            double primal = 0, dual = 0, size = 0;
            var column = new int[PassBlock];
            var smallest = new double[PassBlock];
            for (var start = 0; start < costs.Rows; start += PassBlock)
            {
                var count = Math.Min(PassBlock, costs.Rows - start);
                costs.Nearest([.. Enumerable.Range(start, count)], _state.Price, 1, column, smallest, Report("certificate", 0.65 + (0.35 * start / costs.Rows), 0.35 * count / costs.Rows), cancel);
                for (var i = 0; i < count; i++)
                {
                    var cost = costs.Cost(start + i, _state.ColumnOf[start + i]);
                    primal += cost;
                    dual += smallest[i];
                    size += Math.Abs(smallest[i]) + Math.Abs(cost);
                }
            }

            foreach (var price in _state.Price)
            {
                dual += price;
                size += Math.Abs(price);
            }

            if (costs.Columns > costs.Rows) dual -= (costs.Columns - costs.Rows) * _state.Price.Max();
            return new AssignmentCertificate(primal, dual, 1e-11 * size, (long)costs.Rows * costs.Columns);
        }

        private Stage? Report(string stage, double from, double share) => options.Progress is null ? null : new Stage(options.Progress, stage, from, share);
    }

    private sealed class Stage(IProgress<FlowProgress> whole, string name, double from, double share) : IProgress<double>
    {
        public void Report(double value) => whole.Report(new FlowProgress(name, from + (share * value)));
    }
}
