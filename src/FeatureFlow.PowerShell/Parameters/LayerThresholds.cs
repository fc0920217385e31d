using System.Collections;
using System.Globalization;
using System.Management.Automation;
using FeatureFlow.Flow;

namespace FeatureFlow.PowerShell;

/// <summary>Reads the table of <c>-LayerThreshold</c>.</summary>
internal static class LayerThresholds
{
    /// <summary>Thresholds by layer; what an entry does not say is as for all layers.</summary>
    /// <exception cref="FeatureFlowException">FF7002: an entry that means nothing.</exception>
    public static IReadOnlyDictionary<int, Thresholds> Read(Hashtable? table, Thresholds others)
    {
        var read = new SortedDictionary<int, Thresholds>();
        foreach (DictionaryEntry entry in table ?? [])
        {
            var thresholds = Entry(entry.Key, Plain(entry.Value), others);
            foreach (var layer in Layers(entry.Key)) read[layer] = thresholds;
        }

        return read;
    }

    private static IEnumerable<int> Layers(object key)
    {
        const int MostLayers = 4096; // of any model; bounds what '0-999999999' can do
        var range = NumberRange.Parse(Convert.ToString(key, CultureInfo.InvariantCulture) ?? "");
        if (range.Last >= MostLayers) throw CmdletErrors.LayerThreshold(key, "no layers");
        return range.Below(MostLayers);
    }

    private static Thresholds Entry(object key, object? value, Thresholds others) => value switch
    {
        IDictionary named => Named(key, named, others),
        IList { Count: 3 } three => new Thresholds(Number(key, three[0]), Number(key, three[1]), Number(key, three[2])),
        IList => throw CmdletErrors.LayerThreshold(key, "a list has three numbers"),
        _ => others with { Res = Number(key, value) },
    };

    private static Thresholds Named(object key, IDictionary named, Thresholds others)
    {
        // the threshold of both modules first, so that one of them can be named beside it
        foreach (DictionaryEntry entry in named.Cast<DictionaryEntry>().OrderByDescending(e => Is(e.Key, "Module")))
        {
            var value = Number(key, entry.Value);
            others = entry.Key switch
            {
                _ when Is(entry.Key, "Module") => others with { Mlp = value, Att = value },
                _ when Is(entry.Key, "Residual") => others with { Res = value },
                _ when Is(entry.Key, "Mlp") => others with { Mlp = value },
                _ when Is(entry.Key, "Attention") => others with { Att = value },
                _ => throw CmdletErrors.LayerThreshold(key, $"there is no threshold '{entry.Key}'"),
            };
        }

        return others;
    }

    private static bool Is(object key, string name) => string.Equals(Plain(key) as string, name, StringComparison.OrdinalIgnoreCase);

    private static double Number(object key, object? value)
    {
        try
        {
            var number = Convert.ToDouble(Plain(value), CultureInfo.InvariantCulture);
            return Math.Abs(number) <= 1 ? number : throw CmdletErrors.LayerThreshold(key, $"{value} is no cosine");
        }
        catch (Exception e) when (e is FormatException or InvalidCastException or OverflowException)
        {
            throw CmdletErrors.LayerThreshold(key, $"'{value}' is no number");
        }
    }

    private static object? Plain(object? value) => value is PSObject wrapped ? wrapped.BaseObject : value;
}
