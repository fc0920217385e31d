using System.Management.Automation;

namespace FeatureFlow.PowerShell;

/// <summary>Every message of the module itself (FF70xx).</summary>
internal static class CmdletErrors
{
    public static Exception NotARange(string text) =>
        Usage("FF7001", $"'{text}' is no number, range or *; write 4, 0-4, or several with commas between them.");

    public static Exception LayerThreshold(object? key, string what) =>
        Usage("FF7002", $"-LayerThreshold {key}: {what}; write @{{ 12 = 0.6 }}, @{{ '0-3' = 0.6, 0.2, 0.1 }} (residual, MLP, attention) or @{{ 12 = @{{ Residual = 0.6; Module = 0.2 }} }}.");

    public static Exception Exists(string path) =>
        Usage("FF7003", "The file is there already; use -Force to replace it.", path);

    public static Exception NotAFile(string path, string why, Exception? inner = null) =>
        new FeatureFlowException(FailureKind.Usage, "FF7004", $"'{path}' is no place in the file system: {why}", inner: inner);

    public static Exception NoFile(string path) =>
        new FeatureFlowException(FailureKind.Input, "FF7005", $"Nothing matches '{path}'.");

    public static Exception NoTraining(string path, string kind) =>
        Usage("FF7007", $"This experiment is of kind {kind}; New-Sae runs those of kind sae-training.", path);

    public static Exception NoModel(string pack) =>
        Usage("FF7008", "The pack names no model; name one with -Model.", pack);

    public static Exception NoPack(string plan) =>
        Usage("FF7009", $"The steering plan '{plan}' does not say which pack its features are of; name it with -Pack.");

    public static Exception NoTexts(string by) =>
        Usage("FF7010", $"{by} reads texts; name them with -Corpus, or token ids with -IdsFile.");

    public static Exception NeedsVerify(string parameter) =>
        Usage("FF7011", $"{parameter} is for -Verify alone.");

    private static FeatureFlowException Usage(string code, string text, string? file = null) => new(FailureKind.Usage, code, text, file);
}
