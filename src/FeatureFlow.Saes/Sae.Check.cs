using System.Globalization;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes;

/// <summary>The self-check.</summary>
public sealed partial class Sae
{
    // what no training leaves behind: more is a sign of a wrong factor or a wrong file
    private const double NormRange = 1e3;
    private const double NeverFires = -8;

    /// <summary>
    /// Looks at every number once: non-finite weights, thresholds that are not positive, the range of decoder norms. Reports what is wrong instead
    /// of throwing it, so that a damaged SAE can be looked at.
    /// </summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="cancel">Honoured between arrays.</param>
    public SaeReport Check(ITensorEngine engine, CancellationToken cancel = default)
    {
        var problems = new List<string>();
        var arrays = new List<SaeArray>();
        foreach (var (file, name) in _files.Arrays.DistinctBy(a => (a.File, a.Name)))
        {
            cancel.ThrowIfCancellationRequested();
            var entry = file.Entry(name);
            long nonFinite = -1;
            Try(problems, () => nonFinite = file.Scan(name).NonFinite);
            if (nonFinite > 0) problems.Add($"'{name}' {entry} holds {nonFinite} {(nonFinite == 1 ? "number that is" : "numbers that are")} NaN or infinite, the first at element {file.Scan(name).FirstNonFinite}.");
            arrays.Add(new SaeArray(file.Path, name, entry.DType, entry.Shape, Math.Max(0, nonFinite)));
        }

        if (problems.Count > 0) return new SaeReport(Info, arrays, null, 0, null, 0, null, problems);

        double[] thresholds = [], norms = [];
        double? dead = null;
        Try(problems, () => thresholds = Threshold_F is { } t ? HostValues.ToDoubles(t) : []);
        Try(problems, () => norms = DecoderNorms(engine));
        Try(problems, () => dead = _parts.LogSparsity is { } rates ? rates() is var r ? r.Count(v => v < NeverFires) / (double)r.Length : null : null);
        var zero = norms.Count(n => n == 0);
        if (zero == norms.Length && zero > 0) problems.Add("every decoder row is zero.");
        var spread = Spread.Of([.. norms.Where(n => n > 0)]);
        if (spread is { } s && s.Max > NormRange * s.Min)
            problems.Add(string.Create(CultureInfo.InvariantCulture, $"decoder norms range from {s.Min:G3} to {s.Max:G3}: more than a factor of {NormRange:0}."));
        return new SaeReport(Info, arrays, Spread.Of(thresholds), thresholds.Count(t => t <= 0), Spread.Of(norms), zero, dead, problems);
    }

    private static void Try(List<string> problems, Action look)
    {
        try
        {
            look();
        }
        catch (FeatureFlowException e)
        {
            problems.Add(e.Message);
        }
    }
}
