using System.Globalization;

namespace FeatureFlow.Models;

/// <summary>A site of one layer.</summary>
/// <param name="Layer">From 0.</param>
/// <param name="Site">Which point of it.</param>
public readonly record struct SiteAddress(int Layer, Site Site) : IComparable<SiteAddress>
{
    /// <summary>The name of its activations in files: <c>res.3</c>.</summary>
    public string TensorName => string.Create(CultureInfo.InvariantCulture, $"{Site.Name()}.{Layer}");

    /// <summary>By layer, then site.</summary>
    public int CompareTo(SiteAddress other) => (Layer, Site).CompareTo((other.Layer, other.Site));

    /// <summary><c>layer/site</c>, as in <c>3/res</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Layer}/{Site.Name()}");

#pragma warning disable CS1591 // the four comparisons mean what they say
    public static bool operator <(SiteAddress left, SiteAddress right) => left.CompareTo(right) < 0;

    public static bool operator <=(SiteAddress left, SiteAddress right) => left.CompareTo(right) <= 0;

    public static bool operator >(SiteAddress left, SiteAddress right) => left.CompareTo(right) > 0;

    public static bool operator >=(SiteAddress left, SiteAddress right) => left.CompareTo(right) >= 0;
#pragma warning restore CS1591
}
