using System.Globalization;

namespace FeatureFlow.Experiments.Figures;

/// <summary>From values of an axis to pixels, and where its ticks are.</summary>
internal abstract class Scale
{
    /// <summary>Ticks and how they are written.</summary>
    public abstract IReadOnlyList<(double Value, string Text)> Ticks { get; }

    /// <summary>The pixel of a value.</summary>
    public abstract double At(double value);

    /// <summary>Whether a value has a pixel.</summary>
    public abstract bool Has(double value);

    /// <summary>The scale of numbers.</summary>
    /// <param name="axis">Its settings.</param>
    /// <param name="values">What is drawn along it.</param>
    /// <param name="from">Pixel of the lower end.</param>
    /// <param name="to">Pixel of the upper end.</param>
    /// <param name="zero">Bars stand on zero.</param>
    /// <param name="apart">Pixels between ticks, about.</param>
    /// <param name="tight">No room beyond the outer values.</param>
    public static Scale Numbers(Axis axis, IEnumerable<double> values, double from, double to, bool zero, double apart, bool tight)
    {
        var finite = values.Where(v => double.IsFinite(v) && (!axis.Log || v > 0)).ToList();
        double low = axis.Min ?? (finite.Count > 0 ? finite.Min() : axis.Log ? 1 : 0), high = axis.Max ?? (finite.Count > 0 ? finite.Max() : axis.Log ? 10 : 1);
        if (zero && !axis.Log) (low, high) = (axis.Min ?? Math.Min(low, 0), axis.Max ?? Math.Max(high, 0));
        if (low > high) (low, high) = (high, low);
        if (axis.Log) return new Logarithmic(Math.Max(low, double.Epsilon), high > low ? high : low * 10, from, to);
        if (low == high) (low, high) = (low - (axis.Min is null ? 0.5 : 0), high + (axis.Max is null || axis.Min is not null ? 0.5 : 0));
        var room = tight ? 0 : 0.04 * (high - low);
        if (axis.Min is null && !(zero && low == 0)) low -= room;
        if (axis.Max is null && !(zero && high == 0)) high += room;
        return new Linear(low, high, from, to, axis.Whole, Math.Max(2, (int)(Math.Abs(to - from) / apart)));
    }

    private sealed class Linear : Scale
    {
        private readonly double _low, _high, _from, _to;

        public Linear(double low, double high, double from, double to, bool whole, int most)
        {
            (_low, _high, _from, _to) = (low, high, from, to);
            var step = Step((high - low) / most);
            if (whole) step = Math.Max(1, Math.Ceiling(step));
            var digits = Math.Clamp((int)Math.Ceiling(-Math.Log10(step) - 1e-9) + (step is > 0.2 and < 0.3 or > 0.02 and < 0.03 ? 1 : 0), 0, 15);
            var form = Math.Max(Math.Abs(low), Math.Abs(high)) is >= 1e6 or (> 0 and < 1e-4) ? "0.###e0" : digits == 0 ? "0" : "0." + new string('0', digits);
            var ticks = new List<(double, string)>();
            for (var k = Math.Ceiling((low / step) - 1e-9); k * step <= high + (1e-9 * step); k++) ticks.Add((k * step, Text(k == 0 ? 0 : k * step, form)));
            Ticks = ticks;
        }

        public override IReadOnlyList<(double Value, string Text)> Ticks { get; }

        public override double At(double value) => _from + ((Math.Clamp(value, _low, _high) - _low) / (_high - _low) * (_to - _from));

        public override bool Has(double value) => double.IsFinite(value);

        // 1, 2, 2.5 or 5 times a power of ten
        private static double Step(double least)
        {
            var power = Math.Pow(10, Math.Floor(Math.Log10(least)));
            foreach (var step in (double[])[1, 2, 2.5, 5, 10])
            {
                if (step * power >= least * (1 - 1e-9)) return step * power;
            }

            return 10 * power;
        }
    }

    private sealed class Logarithmic(double low, double high, double from, double to) : Scale
    {
        private readonly double _low = Math.Log10(low), _high = Math.Log10(high);

        public override IReadOnlyList<(double Value, string Text)> Ticks { get; } = [.. Choose(low, high)];

        public override double At(double value) => from + ((Math.Clamp(Math.Log10(value), _low, _high) - _low) / (_high - _low) * (to - from));

        public override bool Has(double value) => double.IsFinite(value) && value > 0;

        // powers of ten; between them 2 and 5 where there are few
        private static IEnumerable<(double, string)> Choose(double low, double high)
        {
            int first = (int)Math.Floor(Math.Log10(low)), last = (int)Math.Ceiling(Math.Log10(high));
            var every = Math.Max(1, (last - first + 6) / 7);
            for (var power = first; power <= last; power++)
            {
                foreach (var m in last - first <= 2 ? (int[])[1, 2, 5] : [1])
                {
                    var value = m * Math.Pow(10, power);
                    if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9) && (m > 1 || (power - first) % every == 0)) yield return (value, Text(value, value is >= 1e-3 and < 1e5 ? "0.###" : "0e0"));
                }
            }
        }
    }

    private static string Text(double value, string form) => value.ToString(form, CultureInfo.InvariantCulture).Replace('-', '−');
}

/// <summary>Categories side by side, each with its band.</summary>
internal sealed class CategoryScale(IReadOnlyList<string> names, double from, double to)
{
    private readonly Dictionary<string, int> _places = names.Select((n, i) => (n, i)).DistinctBy(p => p.n).ToDictionary(p => p.n, p => p.i, StringComparer.Ordinal);

    public IReadOnlyList<string> Names => names;

    /// <summary>Width of a band.</summary>
    public double Band => (to - from) / Math.Max(1, names.Count);

    /// <summary>Where the band of a category begins.</summary>
    public double At(string name) => from + (_places[name] * Band);
}
