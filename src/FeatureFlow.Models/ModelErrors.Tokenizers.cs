using FeatureFlow.Tensors;

namespace FeatureFlow.Models;

/// <summary>Messages about tokenizers (FF21xx).</summary>
internal static partial class ModelErrors
{
    public static Exception NoTokenizer(string path, string remedy) =>
        Input("FF2101", $"There is no tokenizer.json here; {remedy}", path);

    public static Exception TokenizerPart(string path, string place, string what) =>
        Input("FF2102", $"{place} is {what}, which is not supported and never approximated; docs/tokenizers.md lists what is read.", path);

    public static Exception TokenizerContent(string path, string what) =>
        Input("FF2103", $"Not a valid tokenizer: {what}", path);

    public static Exception TokenizerSpecial(string path, string key, string token) =>
        Input("FF2104", $"{key} is '{token}', which the tokenizer does not have.", path);

    public static Exception NoNormalization(string form) =>
        new FeatureFlowException(FailureKind.Usage, "FF2105", $"This tokenizer brings text that is not ASCII into Unicode's {form}, and .NET runs without Unicode data here: install libicu and unset DOTNET_SYSTEM_GLOBALIZATION_INVARIANT.");

    public static Exception NoSuchToken(int id, int size) =>
        new FeatureFlowException(FailureKind.Usage, "FF2106", $"There is no token {id}; this tokenizer has 0 to {size - 1}.");
}
