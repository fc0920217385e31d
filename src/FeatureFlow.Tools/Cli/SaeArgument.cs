using System.CommandLine;
using FeatureFlow.Experiments;
using FeatureFlow.Saes;

namespace FeatureFlow.Tools;

/// <summary>An SAE named on a command line: its own file or folder, or a pack with layer and site.</summary>
internal sealed class SaeArgument
{
    private readonly Argument<string> _path = new("PATH") { Description = "File or folder of an SAE, or a pack." };
    private readonly Option<int?> _layer = new("--layer", "-l") { Description = "Layer, for a pack.", HelpName = "L" };
    private readonly Option<Site?> _site = new("--site")
    {
        Description = "Site, for a pack.",
        HelpName = "SITE",
        CustomParser = r =>
        {
            if (Sites.TryParse(r.Tokens[0].Value, out var site)) return site;
            r.AddError($"There is no site '{r.Tokens[0].Value}'; sites are {string.Join(", ", Sites.Names)}.");
            return null;
        },
    };

    public void AddTo(Command command)
    {
        command.Arguments.Add(_path);
        command.Options.Add(_layer);
        command.Options.Add(_site);
    }

    public string Path(ParseResult options) => options.GetValue(_path)!;

    /// <summary>The pack that the argument names, narrowed by layer and site, or null when it names one SAE.</summary>
    public Pack? TryPack(ParseResult options)
    {
        var path = Path(options);
        var isPack = PackFile.IsPack(path);
        if (!isPack) return null;
        var pack = PackFile.Load(path);
        var (layer, site) = (options.GetValue(_layer), options.GetValue(_site));
        return new Pack(pack.Name, pack.Source, pack.Model, pack.Saes.Where(s => (layer is null || s.Layer == layer) && (site is null || s.Site == site)), []);
    }

    /// <summary>The one SAE that is named.</summary>
    /// <exception cref="FeatureFlowException">FF6013: a pack, and more than one SAE of it.</exception>
    public OpenSae Open(ParseResult options)
    {
        if (TryPack(options) is not { } pack) return new OpenSae(Sae.Open(Path(options), options.GetValue(_site), options.GetValue(_layer)));
        if (pack.Saes.Count != 1) throw ToolErrors.SaeOfPack(pack.Source, (pack.Saes.Count > 0 ? pack : PackFile.Load(Path(options))).Saes.Select(s => $"{s.Layer}/{s.Site.Name()}"));
        var only = pack.Saes.First();
        return new OpenSae(Sae.Open(only.Path, only.Site, only.Layer));
    }
}

/// <summary>An SAE of this command alone.</summary>
internal sealed record OpenSae(Sae Value) : IDisposable
{
    public void Dispose() => Value.Dispose();
}
