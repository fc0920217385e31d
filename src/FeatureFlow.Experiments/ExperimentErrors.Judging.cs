namespace FeatureFlow.Experiments;

/// <summary>Messages of judges (FF53xx).</summary>
internal static partial class ExperimentErrors
{
    public static FeatureFlowException ComparesNothing(string judge) =>
        new(FailureKind.Usage, "FF5310", $"The judge '{judge}' does not compare descriptions; name an endpoint with --judge openai.");

    public static FeatureFlowException NoWords(string subject) =>
        new(FailureKind.Usage, "FF5320", $"The lexicon has no word of '{subject}'; list some.");

    public static FeatureFlowException NoLexicon(string subject, IEnumerable<string> known) =>
        new(FailureKind.Usage, "FF5321", $"The lexicon has no subject '{subject}'; it has {string.Join(", ", known.Take(24))}.");
}
