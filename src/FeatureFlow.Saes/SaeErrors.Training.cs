using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes;

/// <summary>Training and evaluation (FF31xx).</summary>
internal static partial class SaeErrors
{
    public static Exception Recipe(SiteAddress address, string name, object value, string rule) =>
        new FeatureFlowException(FailureKind.Usage, "FF3101", $"The SAE at {address}: {name} is {value}; it {rule}.");

    public static Exception Option(string name, long value) =>
        new FeatureFlowException(FailureKind.Usage, "FF3102", $"'{name}' of the training is {value}; it must be at least 1, and the buffer no smaller than a batch.");

    public static Exception NoSuchSite(SiteAddress address, IEnumerable<string> have) =>
        new FeatureFlowException(FailureKind.Usage, "FF3103", $"There are no activations of {address}; there are {Names(have)}.");

    public static Exception TooFewTokens(long tokens, int batch) =>
        new FeatureFlowException(FailureKind.Usage, "FF3104", $"The text has {tokens} tokens, less than one batch of {batch}; give more text or a smaller batch.");

    public static Exception NoSites(string path) =>
        Input("FF3105", "No activations are in it: tensors are named site.layer, as in res.3.", path);

    public static Exception Activations(string path, string name, Tensor got, int rows) =>
        Input("FF3106", $"'{name}' is {got}; activations are [N,d] of F32, BF16 or F16, with one N for all sites ({rows}).", path);

    public static Exception OtherRun(string path, string what) =>
        new FeatureFlowException(FailureKind.Usage, "FF3107", $"This checkpoint belongs to another run: {what} differs. Delete it to start anew, or go back to the options of that run.", path);

    public static Exception Diverged(SiteAddress address, long step) =>
        new FeatureFlowException(FailureKind.Check, "FF3108", $"The SAE at {address} has diverged at step {step}: its error is not finite. Use a smaller rate.");

    public static Exception ConstantActivations(SiteAddress address) =>
        new FeatureFlowException(FailureKind.Input, "FF3109", $"The activations of {address} are all zero or not finite; nothing can be learned from them.");

    public static Exception NoThreshold(string path, SaeArchitecture architecture) =>
        new FeatureFlowException(FailureKind.Usage, "FF3110", $"Gemma Scope's format holds thresholds; a {architecture} SAE has none. Write it as SAELens.", path);

    public static Exception NoPlace(string path) =>
        new FeatureFlowException(FailureKind.Usage, "FF3111", "Neither the files nor their path say which site and layer it reads; name them.", path);

    public static Exception Transcoder(SiteAddress address) =>
        new FeatureFlowException(FailureKind.Usage, "FF3112", $"{address}: transcoders are read and measured, not trained; train an SAE at res, mlp, att, att_z or res_pre.");

    public static Exception OtherModel(string path, SiteAddress address, int width, int actual) =>
        new FeatureFlowException(FailureKind.Usage, "FF3113", $"It has width {width} at {address}, where the model has {actual}: an SAE of another model.", path);

    public static Exception NoFeature(string path, int index, int count) =>
        new FeatureFlowException(FailureKind.Usage, "FF3114", $"There is no feature {index}; it has {count}, from 0.", path);
}
