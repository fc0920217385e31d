using FeatureFlow.Models;

namespace FeatureFlow.Saes.Formats;

/// <summary>The factors √d/norm that inputs and outputs were scaled by in training (Llama Scope, Llamascopium); one where nothing was scaled.</summary>
internal readonly record struct DatasetNorm(double In, double Out)
{
    /// <summary>True when the configuration says that a dataset-wide norm was used.</summary>
    /// <exception cref="FeatureFlowException">FF3015: a norm of each token or batch.</exception>
    public static bool IsUsed(JsonConfig config) => (config.Text("norm_activation") ?? "none") switch
    {
        "dataset-wise" => true,
        "none" or "inference" => false,
        var other => throw SaeErrors.Unsupported(config.Path, "norm_activation", other, "dataset-wise, inference and none are known."),
    };

    /// <summary>From <c>dataset_average_activation_norm</c> {in, out} of a configuration.</summary>
    public static DatasetNorm Read(JsonConfig config, int d)
    {
        if (!IsUsed(config)) return new DatasetNorm(1, 1);
        const string Key = "dataset_average_activation_norm";
        var norms = config.Object(Key);
        if (norms is null) config.Need((string?)null, Key);
        var into = norms!.Need(norms.Number("in"), "in");
        return Of(config.Path, Key, into, norms.Number("out") ?? into, d);
    }

    /// <summary>From the two norms.</summary>
    public static DatasetNorm Of(string path, string key, double into, double outOf, int d)
    {
        if (!(into > 0)) throw SaeErrors.NotPositive(path, key, 0, into);
        if (!(outOf > 0)) throw SaeErrors.NotPositive(path, key, 1, outOf);
        return new DatasetNorm(Math.Sqrt(d) / into, Math.Sqrt(d) / outOf);
    }
}
