using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Transformers;

/// <summary>
/// Cosines and sines of rotary positions (Su et al. 2021), as far as they are needed. Frequencies are recomputed from the configuration, never read from a
/// file; angles are float32 products, as the reference computes them.
/// </summary>
internal sealed class RotaryTable(ITensorEngine engine, float[] frequencies) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<Tensor> _retired = [];
    private (Tensor Cosine, Tensor Sine)? _tables;

    /// <summary>Tables [P, R] with at least so many positions.</summary>
    public (Tensor Cosine_PR, Tensor Sine_PR) UpTo(int positions)
    {
        lock (_gate)
        {
            if (_tables is { } have && have.Cosine.Shape[0] >= positions) return have;
            var rows = 256;
            while (rows < positions) rows *= 2;
            var half = frequencies.Length;
            using Tensor cosine = Tensor.Allocate(DType.F32, rows, half), sine = Tensor.Allocate(DType.F32, rows, half);
            Span<float> c = cosine.AsSpan<float>(), s = sine.AsSpan<float>();
            for (var p = 0; p < rows; p++)
            {
                for (var i = 0; i < half; i++)
                {
                    var (sin, cos) = Math.SinCos(p * frequencies[i]);
                    (c[p * half + i], s[p * half + i]) = ((float)cos, (float)sin);
                }
            }

            // another pass may still be reading the old ones
            if (_tables is { } old) _retired.AddRange([old.Cosine, old.Sine]);
            var made = (engine.Allocate(DType.F32, rows, half), engine.Allocate(DType.F32, rows, half));
            engine.Copy(cosine, made.Item1);
            engine.Copy(sine, made.Item2);
            _tables = made;
            return made;
        }
    }

    /// <summary>
    /// Reads rope_theta and rope_scaling (or rope_parameters, where newer files keep both): none, linear, or llama3, whose low frequencies are divided by the
    /// factor and whose middle ones are interpolated.
    /// </summary>
    /// <param name="engine">Where the tables live.</param>
    /// <param name="config">config.json.</param>
    /// <param name="dimensions">How many dimensions of a head turn.</param>
    /// <param name="thetaKeys">Names of the base, in the order of preference.</param>
    /// <exception cref="FeatureFlowException">FF2206: another kind of scaling.</exception>
    public static RotaryTable Read(ITensorEngine engine, JsonConfig config, int dimensions, params ReadOnlySpan<string> thetaKeys)
    {
        var parameters = config.Object("rope_parameters");
        double? theta = parameters?.Number("rope_theta");
        foreach (var key in thetaKeys) theta ??= config.Number(key);
        var b = theta ?? 10_000;
        var frequencies = new double[dimensions / 2];
        for (var i = 0; i < frequencies.Length; i++) frequencies[i] = 1 / Math.Pow(b, 2.0 * i / dimensions);

        var scaling = config.Object("rope_scaling") ?? parameters;
        var kind = scaling?.Text("rope_type") ?? scaling?.Text("type") ?? "default";
        switch (kind)
        {
            case "default":
                break;
            case "linear":
                var divisor = scaling!.Need(scaling.Number("factor"), "factor");
                for (var i = 0; i < frequencies.Length; i++) frequencies[i] /= divisor;
                break;
            case "llama3":
                double factor = scaling!.Need(scaling.Number("factor"), "factor"), low = scaling.Need(scaling.Number("low_freq_factor"), "low_freq_factor");
                double high = scaling.Need(scaling.Number("high_freq_factor"), "high_freq_factor"), trained = scaling.Need(scaling.Number("original_max_position_embeddings"), "original_max_position_embeddings");
                for (var i = 0; i < frequencies.Length; i++)
                {
                    // how often the dimension turns within the context it was trained on
                    var turns = trained * frequencies[i] / (2 * Math.PI);
                    var share = turns < low ? 0 : turns > high ? 1 : (turns - low) / (high - low);
                    frequencies[i] = (1 - share) * frequencies[i] / factor + share * frequencies[i];
                }

                break;
            default:
                throw ModelErrors.Unsupported(config.Path, "rope_type", kind, "rotary positions may be unscaled, linear or llama3.");
        }

        return new RotaryTable(engine, [.. frequencies.Select(f => (float)f)]);
    }

    public void Dispose()
    {
        foreach (var tensor in _retired) tensor.Dispose();
        if (_tables is not { } tables) return;
        tables.Cosine.Dispose();
        tables.Sine.Dispose();
    }
}
