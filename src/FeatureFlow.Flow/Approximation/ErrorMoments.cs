namespace FeatureFlow.Flow;

/// <summary>Explained variance of approximations x̂ of states x: sums about the first token's values, in float64, so that coordinates with a large mean keep their digits.</summary>
internal sealed class ErrorMoments(int width)
{
    private readonly double[] _sum = new double[width], _squares = new double[width], _error = new double[width], _errorSquares = new double[width];
    private float[]? _origin;
    private long _tokens;

    public void Add(ReadOnlySpan<float> x, ReadOnlySpan<float> approximation)
    {
        if (x.Length == 0) return;
        _origin ??= x[..width].ToArray();
        for (var at = 0; at < x.Length; at += width)
        {
            for (var d = 0; d < width; d++)
            {
                var (v, e) = ((double)x[at + d] - _origin[d], (double)approximation[at + d] - x[at + d]);
                _sum[d] += v;
                _squares[d] += v * v;
                _error[d] += e;
                _errorSquares[d] += e * e;
            }

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
}
