namespace FeatureFlow.Models;

/// <summary>Messages about checkpoints and models (FF22xx) and generation (FF23xx).</summary>
internal static partial class ModelErrors
{
    public static Exception NotACheckpoint(string path, string what) =>
        Input("FF2201", $"This is no checkpoint of a language model: {what}", path);

    public static Exception UnknownArchitecture(string path, string type, IEnumerable<string> known) =>
        Input("FF2202", $"Models of type '{type}' are not supported; supported are {List(known)}.", path);

    public static Exception WeightMissing(string path, string name) =>
        Input("FF2203", $"The weight '{name}' is missing; is this a whole checkpoint of the model that config.json describes?", path);

    public static Exception WeightShape(string path, string name, IReadOnlyList<int> found, IReadOnlyList<int> expected) =>
        Input("FF2204", $"The weight '{name}' is [{string.Join(",", found)}] where config.json makes it [{string.Join(",", expected)}].", path);

    public static Exception WeightType(string path, string name, object type) =>
        Input("FF2205", $"The weight '{name}' is stored as {type}; weights must be F32, BF16 or F16.", path);

    public static Exception Unsupported(string path, string key, string value, string what) =>
        Input("FF2206", $"'{key}' is {value}, which is not supported: {what}", path);

    public static Exception ConfigValue(string path, string what) =>
        Input("FF2207", what, path);

    public static Exception ShardMissing(string path, string shard) =>
        Input("FF2208", $"The index names {shard}, which is not beside it; fetch the rest of the checkpoint.", path);

    public static Exception PickleWeights(string path, string file) =>
        Input("FF2209", $"Its weights are only in {file}, a pickle, which is never read, for loading one can run any program. Convert it once with transformers: "
            + "AutoModelForCausalLM.from_pretrained('FOLDER').save_pretrained('NEW', safe_serialization=True)", path);

    public static Exception TokenOutside(int id, int vocabulary) =>
        new FeatureFlowException(FailureKind.Usage, "FF2210", $"There is no token {id}: the model has {vocabulary}, from 0.");

    public static Exception TooLong(int positions, int context) =>
        new FeatureFlowException(FailureKind.Usage, "FF2211", $"{positions} positions do not fit the model, which knows {context}; cut the text.");

    public static Exception EmptyRow(int row) =>
        new FeatureFlowException(FailureKind.Usage, "FF2212", $"Row {row} holds no token; put the beginning-of-text token where a text is empty.");

    public static Exception NoSuchLayer(int layer, int layers) =>
        new FeatureFlowException(FailureKind.Usage, "FF2213", $"There is no layer {layer}: the model has {layers}, from 0.");

    public static Exception CacheMismatch(string what) =>
        new FeatureFlowException(FailureKind.Internal, "FF2214", $"The cache does not fit: {what}.");

    public static Exception ResidShape(string found, string expected) =>
        new FeatureFlowException(FailureKind.Internal, "FF2215", $"To start in the middle, the residual stream must be {expected}, not {found}.");

    public static Exception NoModel(string text, string cache) =>
        Input("FF2216", $"'{text}' is neither a folder nor a model of the local Hugging Face cache {cache}. Nothing is downloaded silently; get it with: hf download {text}", null);

    public static Exception RowsDiffer(bool none) =>
        new FeatureFlowException(FailureKind.Usage, "FF2220", none ? "There is no token to compute activations of." : "The rows of tokens are of several lengths, or empty; activations are written as [B,T,d], so cut them to one length.");

    public static Exception BadSampling(string what) =>
        new FeatureFlowException(FailureKind.Usage, "FF2301", what);

    public static Exception PromptTooLong(int tokens, int context) =>
        new FeatureFlowException(FailureKind.Usage, "FF2302", $"A prompt of {tokens} tokens leaves no room in a context of {context}; shorten it.");
}
