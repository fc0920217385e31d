namespace FeatureFlow.Experiments;

/// <summary>Messages of judges (FF53xx). None ever holds a key.</summary>
internal static partial class ExperimentErrors
{
    public static FeatureFlowException NoJudgeModel(string variable) =>
        new(FailureKind.Usage, "FF5301", $"The judge's endpoint needs the name of a model; give --judge-model or set {variable}.");

    public static FeatureFlowException JudgeUrl(string url) =>
        new(FailureKind.Usage, "FF5302", $"'{url}' is no address of a judge; give http(s)://host/v1, without name or password in it.");

    public static FeatureFlowException JudgeKeyDamaged(string from) =>
        new(FailureKind.Usage, "FF5303", $"The key in {from} has characters that no key has; put the key there and nothing else.");

    public static FeatureFlowException NoJudgeKey(string why) =>
        new(FailureKind.Usage, "FF5304", $"There is no key for the judge: {why}.");

    public static FeatureFlowException AnswersLocked(string path, Exception e) =>
        new(FailureKind.Retry, "FF5305", "The file of answers cannot be opened for writing; is another run using this folder?", path, inner: e);

    public static FeatureFlowException JudgeKeyRefused(string url, int status, string what, string body) =>
        new(FailureKind.Usage, "FF5306", $"The judge at {url} refuses {what} ({status}: {body}); set FEATUREFLOW_JUDGE_KEY, or OPENAI_API_KEY for OpenAI's own.");

    public static FeatureFlowException JudgeRefused(string url, int status, string body) =>
        new(FailureKind.Usage, "FF5307", $"The judge at {url} refuses the question ({status}: {body}); check its address and model.");

    public static FeatureFlowException JudgeOutOfReach(string url, string why) =>
        new(FailureKind.Retry, "FF5308", $"The judge at {url} is out of reach: {why}. What it answered is kept; run again later.");

    public static FeatureFlowException ComparesNothing(string judge) =>
        new(FailureKind.Usage, "FF5310", $"The judge '{judge}' does not compare descriptions; name an endpoint with --judge openai.");

    public static FeatureFlowException ScoresNothing(string judge) =>
        new(FailureKind.Usage, "FF5312", $"The judge '{judge}' compares descriptions and scores no texts; choose openai, storyworld or lexicon.");

    public static FeatureFlowException NoJudge(IEnumerable<string> subjects) =>
        new(FailureKind.Usage, "FF5311", $"There is no judge for {string.Join(", ", subjects.Take(8))}: set FEATUREFLOW_JUDGE_URL to an OpenAI-compatible address, or list words of the subjects.");

    public static FeatureFlowException NoWords(string subject) =>
        new(FailureKind.Usage, "FF5320", $"The lexicon has no word of '{subject}'; list some.");

    public static FeatureFlowException NoSamples(string path) =>
        new(FailureKind.Input, "FF5330", "There are no samples here; name a CSV file with a column 'text', or a folder with samples.csv.", path);

    public static FeatureFlowException NoSampleColumn(string? path, string name, IEnumerable<string> have) =>
        new(FailureKind.Input, "FF5331", $"The samples have no column '{name}'; they have {string.Join(", ", have.Take(40))}.", path);

    public static FeatureFlowException NoSubject(string path, int row) =>
        new(FailureKind.Input, "FF5332", $"Sample {row} names no subject; fill the column, or give --subject.", path);

    public static FeatureFlowException NoAim(string path, int row, string aim) =>
        new(FailureKind.Input, "FF5333", $"Sample {row} has the aim '{aim}'; it is activate or deactivate.", path);

    public static FeatureFlowException NoSampleRows(string path) =>
        new(FailureKind.Input, "FF5334", "The table of samples has no row.", path);

    public static FeatureFlowException NoLexicon(string subject, IEnumerable<string> known) =>
        new(FailureKind.Usage, "FF5321", $"The lexicon has no subject '{subject}'; it has {string.Join(", ", known.Take(24))}.");
}
