using FeatureFlow.Models;
using FeatureFlow.Saes.Training;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes.Tests.Training;

/// <summary>Activations that are sparse sums of known directions, two of whose sites share what is active: an SAE that learns finds the directions.</summary>
internal static class MadeUpActivations
{
    public const int Width = 24, Directions = 40, Tokens = 6000;

    public static readonly SiteAddress First = new(0, Site.Res), Second = new(1, Site.Mlp);

    /// <summary>[Directions, Width], unit rows.</summary>
    public static float[][] DirectionsOf(SiteAddress address) => Rows(new Prng(5, (ulong)address.Layer));

    public static ArrayActivationSource Source(int tokens = Tokens, ulong text = 1, int threads = 1) =>
        new(threads == 1 ? CpuEngine.Shared : new CpuEngine(threads), [(First, Activations(First, tokens, text)), (Second, Activations(Second, tokens, text))], seed: 3, "made up");

    private static Tensor Activations(SiteAddress address, int tokens, ulong text)
    {
        var directions = DirectionsOf(address);
        var x = Tensor.Allocate(DType.F32, tokens, Width);
        for (var t = 0; t < tokens; t++)
        {
            var prng = new Prng(7, text, (ulong)t);
            var row = x.AsSpan<float>().Slice(t * Width, Width);
            for (var i = 0; i < Width; i++) row[i] = 0.6f + (i * 0.02f); // a mean that is not 0
            for (var active = 0; active < 3; active++)
            {
                var direction = directions[prng.Next(Directions)];
                var size = (float)(1 + prng.NextDouble());
                for (var i = 0; i < Width; i++) row[i] += size * direction[i];
            }

            for (var i = 0; i < Width; i++) row[i] = 3 * (row[i] + (float)(0.02 * prng.NextGaussian()));
        }

        return x;
    }

    private static float[][] Rows(Prng prng)
    {
        var rows = new float[Directions][];
        foreach (ref var row in rows.AsSpan())
        {
            row = [.. Enumerable.Range(0, Width).Select(_ => (float)prng.NextGaussian())];
            var norm = Math.Sqrt(row.Sum(v => (double)v * v));
            for (var i = 0; i < Width; i++) row[i] = (float)(row[i] / norm);
        }

        return rows;
    }
}
