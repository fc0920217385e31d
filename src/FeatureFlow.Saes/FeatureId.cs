using System.Globalization;

namespace FeatureFlow.Saes;

/// <summary>One feature of one SAE of a pack, written <c>layer/site/index</c>, as in <c>24/res/14548</c>.</summary>
public readonly record struct FeatureId(int Layer, Site Site, int Index) : IComparable<FeatureId>
{
    /// <summary>Reads <c>24/res/14548</c>.</summary>
    /// <exception cref="FeatureFlowException">FF3002: not of that form.</exception>
    public static FeatureId Parse(string text)
    {
        var parts = text.Split('/');
        return parts.Length == 3
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var layer)
            && int.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            ? new FeatureId(layer, Sites.Parse(parts[1]), index)
            : throw SaeErrors.NotAFeature(text);
    }

    /// <summary>By layer, site, index.</summary>
    public int CompareTo(FeatureId other) => (Layer, Site, Index).CompareTo((other.Layer, other.Site, other.Index));

    /// <summary><c>layer/site/index</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Layer}/{Site.Name()}/{Index}");

#pragma warning disable CS1591 // the four comparisons mean what they say
    public static bool operator <(FeatureId left, FeatureId right) => left.CompareTo(right) < 0;

    public static bool operator <=(FeatureId left, FeatureId right) => left.CompareTo(right) <= 0;

    public static bool operator >(FeatureId left, FeatureId right) => left.CompareTo(right) > 0;

    public static bool operator >=(FeatureId left, FeatureId right) => left.CompareTo(right) >= 0;
#pragma warning restore CS1591
}
