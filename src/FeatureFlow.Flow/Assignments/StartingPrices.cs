namespace FeatureFlow.Flow;

/// <summary>
/// Where the prices of a square problem begin. Optimal values u and prices v are such that every row is about as near to its columns, cost − price, as every other, and every column to
/// its rows, cost − value. On a sample of both, one is made from the other in turn: the mean over the few nearest, which is what the minimum would be were there more of them to
/// choose from (the minimum itself stands still after one turn). The last turn is that of all columns.
/// </summary>
internal static class StartingPrices
{
    private const int SampledShare = 8;
    private const int FewestSampled = 256;
    private const int Turns = 4;

    // of a sample, the share that is near, and the most of it
    private const int NearShare = 32;
    private const int MostNear = 32;

    /// <summary>Estimates prices, [Columns].</summary>
    public static void Estimate(ICostSource costs, double[] prices, IProgress<double>? progress, CancellationToken cancel)
    {
        var count = Math.Min(costs.Rows, Math.Max(FewestSampled, costs.Rows / SampledShare));
        int[] sample = [.. Enumerable.Range(0, count).Select(i => (int)((long)i * costs.Rows / count))];
        var columns = costs.Part(sample).Transpose();
        var sampledColumns = columns.Part(sample);
        var sampledRows = sampledColumns.Transpose();
        var (value, price) = (new double[count], new double[count]);
        for (var turn = 0; turn < Turns; turn++)
        {
            if (turn > 0) Near(sampledColumns, value, price, null, cancel);
            Near(sampledRows, price, value, null, cancel);
        }

        Near(columns, value, prices, progress, cancel);
    }

    // mean over the nearest columns of cost − price
    private static void Near(ICostSource costs, double[] prices, double[] near, IProgress<double>? progress, CancellationToken cancel)
    {
        var k = Math.Clamp(costs.Columns / NearShare, 1, MostNear);
        int[] rows = [.. Enumerable.Range(0, costs.Rows)];
        var ceiling = new double[rows.Length];
        Array.Fill(ceiling, double.PositiveInfinity);
        var columns = new int[rows.Length * k];
        var reduced = new double[rows.Length * k];
        costs.Nearest(rows, prices, k, ceiling, columns, reduced, progress, cancel);
        for (var i = 0; i < near.Length; i++)
        {
            var found = reduced.AsSpan(i * k, k);
            while (found.Length > 0 && double.IsPositiveInfinity(found[^1])) found = found[..^1];
            double sum = 0;
            foreach (var r in found) sum += r;
            near[i] = found.Length > 0 ? sum / found.Length : 0; // no finite cost: whoever asks for candidates says so
        }
    }
}
