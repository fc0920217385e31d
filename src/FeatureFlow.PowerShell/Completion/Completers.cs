using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Language;
using FeatureFlow.Experiments;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>Completes packs: presets, then files and folders that may be one.</summary>
public sealed class PackCompleter : IArgumentCompleter
{
    private static readonly string[] s_endings = [".yaml", ".yml"];

    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        foreach (var preset in Completion.Matching(PackFile.Presets, wordToComplete))
        {
            yield return Completion.Value(preset, $"Preset {preset}: a published pack, looked up in the local Hugging Face cache");
        }

        foreach (var file in CompletionCompleters.CompleteFilename(wordToComplete))
        {
            if (file.ResultType == CompletionResultType.ProviderContainer || s_endings.Any(e => file.ListItemText.EndsWith(e, StringComparison.OrdinalIgnoreCase))) yield return file;
        }
    }
}

/// <summary>Completes sites: those of the pack when it is known, else all.</summary>
public sealed class SiteCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        var pack = Completion.BoundPack(fakeBoundParameters);
        var sites = pack?.SitesPresent.Select(s => s.Name()) ?? Sites.Names;
        foreach (var site in Completion.Matching(sites, wordToComplete))
        {
            yield return Completion.Value(site, pack is null ? site : $"{site}: {pack.Saes.Count(s => s.Site.Name() == site)} SAEs");
        }
    }
}

/// <summary>Completes layers: those of the pack that is named beside.</summary>
public sealed class LayerCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        if (Completion.BoundPack(fakeBoundParameters) is not { } pack) yield break;
        foreach (var layer in Completion.Matching(pack.Layers.Select(l => l.ToString(CultureInfo.InvariantCulture)), wordToComplete))
        {
            var sites = pack.Saes.Where(s => s.Layer.ToString(CultureInfo.InvariantCulture) == layer).Select(s => s.Site.Name());
            yield return Completion.Value(layer, $"Layer {layer}: {string.Join(", ", sites)}");
        }
    }
}

/// <summary>What the completers share.</summary>
internal static class Completion
{
    public static IEnumerable<string> Matching(IEnumerable<string> values, string? word)
    {
        var pattern = WildcardPattern.Get((word ?? "").Trim('\'', '"') + "*", WildcardOptions.IgnoreCase);
        return values.Where(pattern.IsMatch);
    }

    public static CompletionResult Value(string value, string toolTip) => new(value, value, CompletionResultType.ParameterValue, toolTip);

    /// <summary>The pack of <c>-Pack</c> on the same line, as far as it is known without waiting.</summary>
    public static Pack? BoundPack(IDictionary bound)
    {
        var name = bound[nameof(FeatureCmdlet.Pack)] switch
        {
            PSObject { BaseObject: string wrapped } => wrapped,
            string plain => plain,
            _ => null,
        };
        if (string.IsNullOrEmpty(name)) return null;
        return PackMemory.Recall(CurrentFolder.Resolve(name) is { } path && Path.Exists(path) ? path : name);
    }
}
