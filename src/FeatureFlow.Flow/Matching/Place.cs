using System.Globalization;
using FeatureFlow.Models;
using FeatureFlow.Saes;

namespace FeatureFlow.Flow;

/// <summary>Where an SAE of a pack sits: a layer and a site.</summary>
internal readonly record struct Place(int Layer, Site Site) : IComparable<Place>
{
    /// <summary>True for points of the residual stream itself, false for what a module adds to it.</summary>
    public bool IsResidual => Site is Site.Res or Site.ResPre;

    /// <summary>
    /// How far down the stream a residual place is, or what a module's output becomes part of: the output of layer L and the input
    /// of layer L+1 are one point.
    /// </summary>
    public int Position => Site == Site.ResPre ? Layer : Layer + 1;

    /// <summary>The same for what is public.</summary>
    public SiteAddress Address => new(Layer, Site);

    public static Place Of(FeatureId feature) => new(feature.Layer, feature.Site);

    /// <summary>What <see cref="ToString"/> wrote.</summary>
    public static Place Parse(string text) => Of(FeatureId.Parse(text + "/0"));

    public FeatureId Feature(int index) => new(Layer, Site, index);

    public int CompareTo(Place other) => (Layer, Site).CompareTo((other.Layer, other.Site));

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Layer}/{Site.Name()}");
}
