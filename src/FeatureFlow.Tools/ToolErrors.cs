namespace FeatureFlow.Tools;

/// <summary>Every message of the tool itself (FF60xx).</summary>
internal static class ToolErrors
{
    public static FeatureFlowException Internal(Exception e) =>
        new(FailureKind.Internal, "FF6000", $"{e.GetType().Name}: {e.Message} This is a defect: please report it with the lines that FEATUREFLOW_TRACE=1 prints.", inner: e);

    public static FeatureFlowException Usage(string text, string command) =>
        new(FailureKind.Usage, "FF6001", $"{text} See '{command} --help'.");

    public static FeatureFlowException FileSystem(Exception e) =>
        new(FailureKind.Input, "FF6002", $"A file cannot be read or written: {e.Message}", inner: e);

    public static FeatureFlowException Memory(Exception e) =>
        new(FailureKind.Retry, "FF6003", "Not enough memory; close other programs or ask for less at a time.", inner: e);

    public static FeatureFlowException NoTensor(string path, string name, IEnumerable<string> have) =>
        new(FailureKind.Input, "FF6011", $"The file has no tensor '{name}'; it has {string.Join(", ", have.Take(16))}.", path);

    public static FeatureFlowException InputShape(string path, string name, string shape, int width) =>
        new(FailureKind.Input, "FF6012", $"'{name}' is {shape}; this SAE encodes rows of {width} numbers, [N,{width}] or [B,T,{width}] as F32, BF16 or F16.", path);

    public static FeatureFlowException SaeOfPack(string pack, IEnumerable<string> have) =>
        new(FailureKind.Usage, "FF6013", $"This is a pack of several SAEs; name one with --layer and --site ({string.Join(", ", have)}).", pack);

    public static FeatureFlowException ChecksFailed(int count) =>
        new(FailureKind.Check, "FF6014", $"{count} {(count == 1 ? "check" : "checks")} failed; the list above says what to do.");

    public static FeatureFlowException SaeProblems(string path, int count) =>
        new(FailureKind.Check, "FF6015", $"The self-check found {count} {(count == 1 ? "problem" : "problems")}; the list above names them.", path);

    public static FeatureFlowException TokenId(string word) =>
        new(FailureKind.Usage, "FF6017", $"'{word}' is not a token id; write whole numbers, as in --decode 12 7 99 or --decode 12,7,99.");

    public static FeatureFlowException IdsShape(string path, string name, string what) =>
        new(FailureKind.Input, "FF6018", $"'{name}' is {what}; token ids are int64 [N,T] or [T], each 0 or more.", path);

    public static FeatureFlowException DemoMissing(string folder) =>
        new(FailureKind.Input, "FF6016", "The pack that the demo traces is not here; reinstall the tool, or name a pack with --pack.", folder);

    public static FeatureFlowException ExperimentKind(string path, string kind, string wanted) =>
        new(FailureKind.Usage, "FF6025", $"This experiment is of kind {kind}, not {wanted}; run it with 'featureflow run'.", path);

    public static FeatureFlowException NoModel(string pack) =>
        new(FailureKind.Usage, "FF6026", "The pack names no model; name one with --model.", pack);

    public static FeatureFlowException NothingJudged(string path, int rows) =>
        new(FailureKind.Check, "FF6030", $"The judge had a usable answer for none of {rows} rows; the column 'problem' says why.", path);

    public static FeatureFlowException NoSaeAt(string pack, Models.SiteAddress place, IEnumerable<string> have) =>
        new(FailureKind.Usage, "FF6027", $"The pack has no SAE at {place}; it has {string.Join(", ", have.Take(60))}.", pack);
}
