namespace FeatureFlow.Experiments;

/// <summary>Messages about texts and corpora (FF51xx).</summary>
internal static partial class ExperimentErrors
{
    public static FeatureFlowException NoTexts(string path) =>
        new(FailureKind.Input, "FF5101", "There is no such file, folder or pattern of texts; check the path.", path);

    public static FeatureFlowException NotUtf8(string path) =>
        new(FailureKind.Input, "FF5102", "This is not UTF-8 text; save it as UTF-8, or name a narrower pattern.", path);

    public static FeatureFlowException TextJson(string path, int line, string what) =>
        new(FailureKind.Input, "FF5103", Sentence(what), path, line, line > 0 ? 1 : 0);

    public static FeatureFlowException NoTextField(string path, int line, string? wanted, IEnumerable<string> have) =>
        new(FailureKind.Input, "FF5104", $"{(wanted is null ? "None of the usual fields of text" : $"No text field '{wanted}'")}; there are {string.Join(", ", have.Take(24))}. Name one with --field or 'field'.", path, line, 1);

    public static FeatureFlowException EmptyCorpus(string path) =>
        new(FailureKind.Input, "FF5105", "There is no document in it that is long enough.", path);

    public static FeatureFlowException TextFormat(string path, string remedy) =>
        new(FailureKind.Input, "FF5106", $"This kind of file is not read; {remedy}", path);

    public static FeatureFlowException NoCorpus(string name, string? file, string? near, IEnumerable<string> known) =>
        new(FailureKind.Usage, "FF5107", $"There is no corpus '{name}': neither a path nor a name in {file ?? Texts.Corpora.FileName}{(known.Any() ? $" ({string.Join(", ", known)})" : "")}.{(near is null ? "" : $" Did you mean '{near}'?")}");
}
