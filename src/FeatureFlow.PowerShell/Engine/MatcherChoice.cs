using FeatureFlow.Flow;
using FeatureFlow.Models;

namespace FeatureFlow.PowerShell;

/// <summary>Who names matches.</summary>
public enum MatchMethod
{
    /// <summary>The nearest by cosine of decoder rows.</summary>
    Cosine,

    /// <summary>The partner in the exact assignment.</summary>
    Assignment,

    /// <summary>The best correlated over texts.</summary>
    Pearson,
}

/// <summary>A matcher as a cmdlet was told it; opened when the pack is known, and kept for the whole call.</summary>
internal sealed class MatcherChoice(MatchMethod method, TextChoice? texts, string? model, int top) : IDisposable
{
    private readonly Dictionary<OpenedPack, OpenedPack> _packs = [];
    private readonly List<PearsonMatcher> _opened = [];
    private readonly Lock _lock = new();

    /// <summary>The pack, matched that way; for cosine the pack itself.</summary>
    public OpenedPack For(OpenedPack pack, CancellationToken cancel)
    {
        if (method == MatchMethod.Cosine) return pack;
        lock (_lock)
        {
            if (!_packs.TryGetValue(pack, out var matched)) _packs[pack] = matched = pack.With(Matcher(pack, cancel));
            return matched;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _opened.ForEach(p => p.Dispose());

    private IFeatureMatcher Matcher(OpenedPack pack, CancellationToken cancel)
    {
        if (method == MatchMethod.Assignment) return new AssignmentMatcher(pack);
        using var lease = FlowEngine.Shared.Model(model ?? pack.Pack.Model ?? throw CmdletErrors.NoModel(pack.Pack.Source));
        var pearson = new PearsonMatcher(
            pack, lease.Model, texts!.Read(lease.Model).Select(d => d.Document), PearsonMatcher.PlacesOf(pack, pack.Pack.Saes.Where(s => s.Site == Site.Res).Select(s => s.Layer)), top, null, cancel);
        _opened.Add(pearson);
        return pearson;
    }
}
