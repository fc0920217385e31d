namespace FeatureFlow.Saes;

/// <summary>Every message of the SAE floor (FF30xx).</summary>
internal static class SaeErrors
{
    public static Exception UnknownSite(string name) =>
        new FeatureFlowException(FailureKind.Usage, "FF3001", $"There is no site '{name}'; sites are {string.Join(", ", Sites.Names)}.");

    public static Exception NotAFeature(string text) =>
        new FeatureFlowException(FailureKind.Usage, "FF3002", $"'{text}' is not a feature; write layer/site/index, as in 24/res/14548.");

    public static Exception TwoSaes(string pack, int layer, Site site, string first, string second) =>
        new FeatureFlowException(FailureKind.Usage, "FF3003", $"Two SAEs at {layer}/{site.Name()}: {first} and {second}; name one (l0: picks among several).", pack);
}
