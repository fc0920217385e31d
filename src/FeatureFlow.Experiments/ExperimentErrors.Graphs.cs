namespace FeatureFlow.Experiments;

/// <summary>Messages of graph files (FF507x).</summary>
internal static partial class ExperimentErrors
{
    public static Exception GraphFormatUnknown(string path) =>
        new FeatureFlowException(FailureKind.Usage, "FF5070", $"The ending of '{path}' names no graph format; use one of {string.Join(", ", GraphFormats.Extensions)}.");

    public static Exception OneGraphOnly(GraphFormat format, int count) =>
        new FeatureFlowException(FailureKind.Usage, "FF5071", $"{count} graphs do not fit in one {format} file; write one file each, or all of them as json, csv or html.");

    public static Exception GraphUnreadable(string path, string reason, Exception inner) =>
        new FeatureFlowException(FailureKind.Input, "FF5072", $"The graph cannot be read: {reason}; check that the file exists and may be read.", path, inner: inner);

    public static Exception GraphNotJson(string path, string reason, int line, int column, Exception inner) =>
        new FeatureFlowException(FailureKind.Input, "FF5073", $"Not a flow graph in JSON: {reason}; write it again with 'featureflow graph --out x.json'.", path, line, column, inner);

    public static Exception GraphInconsistent(string path, string what) =>
        new FeatureFlowException(FailureKind.Input, "FF5074", $"The graph does not hold together: {what}; write it again with 'featureflow graph --out x.json'.", path);

    public static Exception GraphTooNew(string path, string schema, string known) =>
        new FeatureFlowException(FailureKind.Input, "FF5075", $"The graph has schema '{schema}', this version reads '{known}'; update FeatureFlow or write the graph again.", path);
}
