using System.Globalization;
using System.Text.RegularExpressions;
using FeatureFlow.Models;

namespace FeatureFlow.Saes;

/// <summary>What site and layer a hook name means, in the naming of TransformerLens (<c>blocks.5.hook_mlp_out</c>) and of Hugging Face modules (<c>layers.5.mlp</c>).</summary>
internal static partial class HookNames
{
    public static (Site? Site, int? Layer) Parse(string? hook, bool transcoder = false)
    {
        if (hook is null) return (null, null);
        if (hook == "hook_embed") return (Site.ResPre, 0);
        var match = Layer().Match(hook);
        int? layer = match.Success && int.TryParse(match.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : null;
        if (transcoder) return (Site.Tc, layer);
        var rest = match.Success ? hook[(match.Index + match.Length)..].Trim('.') : hook;
        Site? site = rest switch
        {
            "hook_resid_post" or "" or "output" or "resid_post" => Site.Res,
            "hook_resid_pre" or "input" or "resid_pre" => Site.ResPre,
            "hook_mlp_out" or "mlp" or "mlp.output" or "post_feedforward_layernorm" or "post_feedforward_layernorm.output" => Site.Mlp,
            "hook_attn_out" or "attn" or "self_attn" or "attention" or "attn.output" or "self_attn.output"
                or "post_attention_layernorm.output" or "attn.hook_attn_out" or "self_attn.o_proj.output" => Site.Att,
            "attn.hook_z" or "self_attn.o_proj.input" or "attn.hook_result_pre" => Site.AttZ,
            _ => null,
        };
        return (site, layer);
    }

    /// <summary>TransformerLens' name of a site.</summary>
    public static string Of(SiteAddress address)
    {
        var block = string.Create(CultureInfo.InvariantCulture, $"blocks.{address.Layer}.");
        return block + address.Site switch
        {
            Site.Res => "hook_resid_post",
            Site.ResPre => "hook_resid_pre",
            Site.Mlp => "hook_mlp_out",
            Site.Att => "hook_attn_out",
            Site.AttZ => "attn.hook_z",
            _ => "hook_mlp_in",
        };
    }

    [GeneratedRegex(@"(?:^|[._/-])(?:blocks|layers|layer|h|block)[._-]?(\d{1,4})(?=$|[._/-])")]
    private static partial Regex Layer();
}
