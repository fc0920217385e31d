using YamlDotNet.Serialization;

namespace FeatureFlow.Experiments;

/// <summary>The settings of a run with all defaults filled in, as YAML that <see cref="ExperimentFile"/> reads.</summary>
internal static class ResolvedYaml
{
    public static string Write(string kind, string name, string? pack, IReadOnlyDictionary<string, object?> settings)
    {
        var all = new Dictionary<string, object?> { ["version"] = 1, ["kind"] = kind, ["name"] = name };
        if (pack is not null) all["pack"] = pack;
        foreach (var (key, value) in settings) all[key] = value;
        return Write(all);
    }

    public static string Write(IReadOnlyDictionary<string, object?> settings) =>
        new SerializerBuilder().WithNewLine("\n").WithQuotingNecessaryStrings().DisableAliases().Build().Serialize(settings);

    /// <summary>One text as a YAML scalar, quoted where needed.</summary>
    public static string Scalar(string text) => new SerializerBuilder().WithNewLine("\n").WithQuotingNecessaryStrings().Build().Serialize(text).TrimEnd('\n');
}
