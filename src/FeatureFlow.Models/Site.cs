namespace FeatureFlow;

/// <summary>A point of the transformer that can be read and written, and that an SAE reads (docs/concepts.md).</summary>
public enum Site
{
    /// <summary>The layer's output, resid_post.</summary>
    Res,

    /// <summary>What the MLP block adds to the residual stream.</summary>
    Mlp,

    /// <summary>What the attention block adds to the residual stream.</summary>
    Att,

    /// <summary>The heads' outputs concatenated, before the output projection (hook_z).</summary>
    AttZ,

    /// <summary>The layer's input, resid_pre.</summary>
    ResPre,

    /// <summary>A transcoder: reads the MLP's input, writes the MLP's output.</summary>
    Tc,
}

/// <summary>The names of sites on command lines, in files and in objects: res, mlp, att, att_z, res_pre, tc.</summary>
public static class Sites
{
    /// <summary>Every name, in the order of <see cref="Site"/>.</summary>
    public static IReadOnlyList<string> Names { get; } = ["res", "mlp", "att", "att_z", "res_pre", "tc"];

    /// <summary>The name of a site.</summary>
    public static string Name(this Site site) => Names[(int)site];

    /// <summary>The site of a name.</summary>
    /// <exception cref="FeatureFlowException">FF2070: no such site.</exception>
    public static Site Parse(string name) => TryParse(name, out var site) ? site : throw Models.ModelErrors.UnknownSite(name);

    /// <summary>The site of a name, if there is one (any case).</summary>
    public static bool TryParse(string? name, out Site site)
    {
        for (var i = 0; i < Names.Count; i++)
        {
            if (string.Equals(Names[i], name, StringComparison.OrdinalIgnoreCase))
            {
                site = (Site)i;
                return true;
            }
        }

        site = default;
        return false;
    }
}
