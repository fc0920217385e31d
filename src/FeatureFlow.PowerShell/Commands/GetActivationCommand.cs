using System.Management.Automation;
using FeatureFlow.Flow;
using FeatureFlow.Models;

namespace FeatureFlow.PowerShell;

/// <summary>Get-Activation: what a model computes at its sites, one object a token and site.</summary>
[Cmdlet(VerbsCommon.Get, "Activation", DefaultParameterSetName = ByText)]
[OutputType(typeof(SiteActivation))]
public sealed class GetActivationCommand : ModelCmdlet
{
    private const string ByText = "Text";
    private const string ByIds = "Ids";

    /// <summary>Texts.</summary>
    [Parameter(ParameterSetName = ByText, Mandatory = true, Position = 1, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, HelpMessage = "Texts, each a row of its own")]
    public string[] Text { get; set; } = [];

    /// <summary>Token ids.</summary>
    [Parameter(ParameterSetName = ByIds, Mandatory = true, ValueFromPipelineByPropertyName = true, HelpMessage = "Token ids, taken as they are")]
    public int[] Ids { get; set; } = [];

    /// <summary>Layers; all by default.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Layers: 4, 0-4, several with commas, or * for all")]
    [ArgumentCompleter(typeof(LayerCompleter))]
    [SupportsWildcards]
    public NumberRange[]? Layer { get; set; }

    /// <summary>Sites.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, HelpMessage = "Sites: res, mlp, att, att_z, res_pre, tc; wildcards allowed")]
    [ArgumentCompleter(typeof(SiteCompleter))]
    [SupportsWildcards]
    public string[] Site { get; set; } = ["res"];

    private protected override (int Id, string Text) Activity => (7007, "Computing activations");

    private protected override void Process()
    {
        var folder = ModelPath;
        var texts = ParameterSetName == ByText ? Text : null;
        foreach (var activation in Stream(cancel => Activations(folder, texts, cancel))) WriteObject(activation);
    }

    private IEnumerable<SiteActivation> Activations(string folder, string[]? texts, CancellationToken cancel)
    {
        using var lease = FlowEngine.Shared.Model(folder);
        var model = lease.Model;
        var places = SitePlaces.Of(model.Config, Layer, Site).ToList();
        if (places.Count == 0) yield break;
        var named = texts is not null || File.Exists(Path.Combine(model.Folder, "tokenizer.json"));
        foreach (var ids in texts is null ? [Ids] : texts.Select(t => model.Tokenizer.Encode(t)))
        {
            var batch = new TokenBatch([ids]);
            var capture = new SiteCapture(model.Engine, places);
            model.Forward(batch, new ForwardOptions { Hook = capture, LastLayer = places.Max(p => p.Layer), Logits = LogitsWanted.None }, cancel).Dispose();
            for (var t = 0; t < ids.Length; t++)
            {
                var token = named ? model.Tokenizer.Piece(ids[t]) : "";
                foreach (var (at, x_TD) in capture.Captured.OrderBy(c => c.Key)) yield return new SiteActivation(folder, t, ids[t], token, at.Layer, at.Site.Name(), x_TD.Rows(t, 1).AsSpan<float>().ToArray());
            }
        }
    }
}

/// <summary>The activation at one site for one token.</summary>
/// <param name="Model">Folder of the model.</param>
/// <param name="Position">Position of the token, from 0.</param>
/// <param name="Id">The token.</param>
/// <param name="Token">Its text; empty for a model without tokenizer.</param>
/// <param name="Layer">Layer, from 0.</param>
/// <param name="Site">Its name.</param>
/// <param name="Values">[d] float32.</param>
public sealed record SiteActivation(string Model, int Position, int Id, string Token, int Layer, string Site, float[] Values)
{
    /// <summary>L2 norm.</summary>
    public double Norm => Math.Sqrt(Values.Sum(v => (double)v * v));
}
