using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>The way into a pack for commands and cmdlets: file or preset, descriptions, and the one shared engine.</summary>
public static class Session
{
    /// <summary>Opens a pack by any name a user has for it; the second time it is there already, unless its files changed.</summary>
    /// <exception cref="FeatureFlowException">See <see cref="PackFile.Load"/> and <see cref="DescriptionFiles.Load(Saes.Pack)"/>.</exception>
    public static OpenedPack Open(string pack)
    {
        var loaded = PackFile.Load(pack);
        return FlowEngine.Shared.Open(loaded, () => DescriptionFiles.Load(loaded));
    }
}
