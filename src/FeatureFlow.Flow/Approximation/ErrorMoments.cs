namespace FeatureFlow.Flow;

/// <summary>
/// Explained variance of approximations x̂ of states x: sums about the first token's values, in float64, so that coordinates with a large mean keep their digits. Sums are kept for blocks of
/// documents, so that intervals can be drawn.
/// </summary>
internal sealed class ErrorMoments(int width, int blocks)
{
    private readonly double[] _sum = new double[width], _squares = new double[width], _error = new double[width], _errorSquares = new double[width];
    private readonly double[][] _blockSum = new double[blocks][], _blockError = new double[blocks][];
    private readonly double[] _blockSquares = new double[blocks], _blockErrorSquares = new double[blocks];
    private readonly long[] _blockTokens = new long[blocks];
    private float[]? _origin;
    private long _tokens;

    /// <summary>Adds rows, each with the block that it belongs to.</summary>
    public void Add(ReadOnlySpan<float> x, ReadOnlySpan<float> approximation, ReadOnlySpan<int> block)
    {
        if (x.Length == 0) return;
        _origin ??= x[..width].ToArray();
        for (var at = 0; at < x.Length; at += width)
        {
            var b = block[at / width];
            var (sum, error) = (_blockSum[b] ??= new double[width], _blockError[b] ??= new double[width]);
            double squares = 0, errorSquares = 0;
            for (var d = 0; d < width; d++)
            {
                var (v, e) = ((double)x[at + d] - _origin[d], (double)approximation[at + d] - x[at + d]);
                _sum[d] += v;
                _squares[d] += v * v;
                _error[d] += e;
                _errorSquares[d] += e * e;
                sum[d] += v;
                error[d] += e;
                squares += v * v;
                errorSquares += e * e;
            }

            _blockSquares[b] += squares;
            _blockErrorSquares[b] += errorSquares;
            _blockTokens[b]++;
            _tokens++;
        }
    }

    /// <summary>Variances summed over coordinates; the error centred, and not.</summary>
    public (double Centred, double Uncentred) Explained()
    {
        double n = Math.Max(1, _tokens), variance = 0, centred = 0, uncentred = 0;
        for (var d = 0; d < width; d++)
        {
            variance += _squares[d] - (_sum[d] * _sum[d] / n);
            centred += _errorSquares[d] - (_error[d] * _error[d] / n);
            uncentred += _errorSquares[d];
        }

        return (1 - (centred / variance), 1 - (uncentred / variance));
    }

    /// <summary>The centred one with an interval over blocks of documents, the means being held fixed; null where there are too few.</summary>
    public Interval? Interval(Bootstrap bootstrap)
    {
        int[] used = [.. Enumerable.Range(0, blocks).Where(b => _blockTokens[b] > 0)];
        if (used.Length < 2) return null;
        double n = _tokens;
        var (variance, error) = (new double[used.Length], new double[used.Length]);
        for (var i = 0; i < used.Length; i++)
        {
            var b = used[i];
            variance[i] = Centred(_blockSquares[b], _blockSum[b], _sum, _blockTokens[b]);
            error[i] = Centred(_blockErrorSquares[b], _blockError[b], _error, _blockTokens[b]);
        }

        return bootstrap.Ratio(error, variance) is { Known: true } ratio ? new Interval(1 - ratio.Value, 1 - ratio.High, 1 - ratio.Low, ratio.Count) : null;

        // Σ|v − v̄|² of a block, v̄ being the mean of all tokens
        double Centred(double squares, double[] sum, double[] all, long tokens)
        {
            double cross = 0, mean = 0;
            for (var d = 0; d < width; d++)
            {
                var m = all[d] / n;
                cross += sum[d] * m;
                mean += m * m;
            }

            return squares - (2 * cross) + (tokens * mean);
        }
    }
}
