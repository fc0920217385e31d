using FeatureFlow.Models.Checkpoints;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Transformers.Architectures;

/// <summary>config.json with the library's defaults for what a file leaves out.</summary>
internal sealed class ConfigReader(Checkpoint checkpoint)
{
    private readonly JsonConfig _config = checkpoint.Config;

    public int Need(string key) => Positive(key, _config.Need(_config.Int(key), key));

    public int Int(string key, int otherwise) => Positive(key, _config.Int(key) ?? otherwise);

    public float Number(string key, double otherwise) => (float)(_config.Number(key) ?? otherwise);

    public bool Flag(string key, bool otherwise) => _config.Flag(key) ?? otherwise;

    /// <summary>A number whose absence means the default but whose null means none, which is 0 here.</summary>
    public float NumberOrNone(string key, double otherwise) => _config.IsNull(key) ? 0 : (float)(_config.Number(key) ?? otherwise);

    /// <summary>A width shared out among heads.</summary>
    public int Share(string key, int width, int heads) =>
        width % heads == 0 ? width / heads : throw ModelErrors.ConfigValue(_config.Path, $"{key} {width} cannot be shared among {heads} heads.");

    public Activation Activation(string key, string otherwise) => (_config.Text(key) ?? otherwise) switch
    {
        "gelu" => Tensors.Activation.Gelu,
        "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" => Tensors.Activation.GeluTanh,
        "silu" or "swish" => Tensors.Activation.Silu,
        "relu" => Tensors.Activation.Relu,
        var other => throw ModelErrors.Unsupported(_config.Path, key, $"'{other}'", "activations are gelu, gelu_new, gelu_pytorch_tanh, silu and relu."),
    };

    public ModelConfig Config(int layers, int width, int vocabulary, int context, int heads, int keyValueHeads, int headWidth, int mlpWidth)
    {
        if (heads % keyValueHeads != 0) throw ModelErrors.ConfigValue(_config.Path, $"{heads} attention heads cannot be shared among {keyValueHeads} key-value heads.");
        return new ModelConfig(_config.Text("model_type")!, layers, width, vocabulary, context, heads, keyValueHeads, headWidth, mlpWidth, First(_config.Ints("bos_token_id")), _config.Ints("eos_token_id"));

        static int? First(IReadOnlyList<int> ids) => ids.Count > 0 ? ids[0] : null;
    }

    private int Positive(string key, int value) => value > 0 ? value : throw ModelErrors.ConfigValue(_config.Path, $"{key} must be positive, not {value}.");
}

/// <summary>Weights under a common beginning of their names.</summary>
internal sealed class WeightReader(Checkpoint checkpoint, string prefix, string at = "")
{
    public WeightReader At(string part) => new(checkpoint, prefix, at + part);

    public Tensor Get(string name, params ReadOnlySpan<int> shape) => checkpoint.Weight(prefix, at + name, shape);

    /// <summary>weight [out,in] and, where there is one, bias [out].</summary>
    public Linear Linear(string name, int inputs, int outputs) =>
        new(Get(name + ".weight", outputs, inputs).Transpose(), checkpoint.OptionalWeight(prefix, at + name + ".bias", outputs));

    /// <summary>weight [in,out] and bias [out].</summary>
    public Linear Conv1D(string name, int inputs, int outputs) => new(Get(name + ".weight", inputs, outputs), Get(name + ".bias", outputs));

    public LayerNorm LayerNorm(string name, int width, float epsilon) => new(Get(name + ".weight", width), Get(name + ".bias", width), epsilon);

    /// <summary>The output matrix [V,D]: its own, or the embedding where they are tied.</summary>
    public Linear Unembedding(string name, Tensor embedding_VD, bool tied)
    {
        if (tied) return new Linear(embedding_VD.Transpose());
        return new Linear(checkpoint.Weight("", name, embedding_VD.Shape[0], embedding_VD.Shape[1]).Transpose());
    }
}
