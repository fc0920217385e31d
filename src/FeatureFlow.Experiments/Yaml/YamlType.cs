using System.Globalization;
using System.Text.Json.Nodes;

namespace FeatureFlow.Experiments;

/// <summary>
/// What a value may be. One description serves the reader, the JSON schema for editors and the reference in the docs, so the three cannot
/// disagree.
/// </summary>
internal abstract class YamlType
{
    public static YamlType Text { get; } = new TextType();

    /// <summary>A text of a form, named in words.</summary>
    public static YamlType Pattern(string name, string pattern) => new PatternType(name, pattern);

    public static YamlType Boolean { get; } = new BooleanType();

    /// <summary>How the docs and messages call it: «a text», «a whole number from 1 to 64».</summary>
    public abstract string Name { get; }

    public static YamlType Integer(long low, long high) => new IntegerType(low, high);

    public static YamlType Number(double low, double high) => new NumberType(low, high);

    public static YamlType Choice(params string[] values) => new ChoiceType(values);

    public static YamlType List(YamlType item) => new ListType(item, single: false);

    /// <summary>A list, or one item standing for a list of one.</summary>
    public static YamlType OneOrMany(YamlType item) => new ListType(item, single: true);

    /// <summary>A mapping from free keys of the form <paramref name="keyPattern"/>.</summary>
    public static YamlType Map(string keyName, string keyPattern, YamlType value) => new MapType(keyName, keyPattern, value);

    /// <summary>One of several shapes, tried in order by the kind of node.</summary>
    public static YamlType Either(params YamlType[] types) => new EitherType(types);

    /// <summary>Layers: <c>3</c>, <c>0-4</c>, <c>0-4,7</c> or a list of numbers.</summary>
    public static YamlType Layers { get; } = new LayersType();

    /// <summary>The value as string, bool, long, double, int[] (layers), List&lt;object?&gt; or <see cref="YamlValues"/>; null after an error, which is added to <paramref name="errors"/>.</summary>
    public abstract object? Read(YamlNode node, List<FeatureFlowException> errors);

    public abstract JsonObject Schema();

    /// <summary>True when this type is meant by such a node, right or wrong in detail.</summary>
    protected internal abstract bool Fits(YamlNode node);

    private protected object? Wrong(YamlNode node, List<FeatureFlowException> errors, string? hint = null)
    {
        var what = node switch
        {
            YamlScalar { IsNull: true } => "nothing",
            YamlScalar s => $"'{s.Text}'",
            YamlList => "a list",
            _ => "a mapping",
        };
        errors.Add(ExperimentErrors.YamlValue(node.Source, node.Line, node.Column, $"expected {Name}, found {what}{(hint is null ? "" : $" (did you mean '{hint}'?)")}."));
        return null;
    }

    private sealed class TextType : YamlType
    {
        public override string Name => "a text";

        public override object? Read(YamlNode node, List<FeatureFlowException> errors) => node is YamlScalar { IsNull: false } s ? s.Text : Wrong(node, errors);

        public override JsonObject Schema() => new() { ["type"] = "string" };

        protected internal override bool Fits(YamlNode node) => node is YamlScalar;
    }

    private sealed class PatternType(string name, string pattern) : YamlType
    {
        public override string Name => name;

        public override object? Read(YamlNode node, List<FeatureFlowException> errors) =>
            node is YamlScalar s && System.Text.RegularExpressions.Regex.IsMatch(s.Text, pattern) ? s.Text : Wrong(node, errors);

        public override JsonObject Schema() => new() { ["type"] = "string", ["pattern"] = pattern };

        protected internal override bool Fits(YamlNode node) => node is YamlScalar;
    }

    private sealed class BooleanType : YamlType
    {
        public override string Name => "true or false";

        public override object? Read(YamlNode node, List<FeatureFlowException> errors) =>
            node is YamlScalar { Quoted: false, Text: "true" or "false" } s ? s.Text == "true" : Wrong(node, errors);

        public override JsonObject Schema() => new() { ["type"] = "boolean" };

        protected internal override bool Fits(YamlNode node) => node is YamlScalar { Text: "true" or "false" };
    }

    private sealed class IntegerType(long low, long high) : YamlType
    {
        public override string Name => high == long.MaxValue ? $"a whole number of at least {low}" : $"a whole number from {low} to {high}";

        public override object? Read(YamlNode node, List<FeatureFlowException> errors) =>
            node is YamlScalar { Quoted: false } s && long.TryParse(s.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var v) && v >= low && v <= high
                ? v
                : Wrong(node, errors);

        public override JsonObject Schema()
        {
            var schema = new JsonObject { ["type"] = "integer", ["minimum"] = low };
            if (high != long.MaxValue) schema["maximum"] = high;
            return schema;
        }

        protected internal override bool Fits(YamlNode node) => node is YamlScalar { Quoted: false } s && long.TryParse(s.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _);
    }

    private sealed class NumberType(double low, double high) : YamlType
    {
        public override string Name => double.IsInfinity(high) ? "a number" : string.Create(CultureInfo.InvariantCulture, $"a number from {low} to {high}");

        public override object? Read(YamlNode node, List<FeatureFlowException> errors) =>
            node is YamlScalar { Quoted: false } s && double.TryParse(s.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var v) && double.IsFinite(v) && v >= low && v <= high
                ? v
                : Wrong(node, errors, node is YamlScalar t && t.Text.Contains(',', StringComparison.Ordinal) ? t.Text.Replace(',', '.') : null);

        public override JsonObject Schema()
        {
            var schema = new JsonObject { ["type"] = "number" };
            if (double.IsFinite(low)) schema["minimum"] = low;
            if (double.IsFinite(high)) schema["maximum"] = high;
            return schema;
        }

        protected internal override bool Fits(YamlNode node) => node is YamlScalar;
    }

    private sealed class ChoiceType(string[] values) : YamlType
    {
        public override string Name => values.Length == 1 ? $"'{values[0]}'" : "one of " + string.Join(", ", values);

        public override object? Read(YamlNode node, List<FeatureFlowException> errors) =>
            node is YamlScalar s && Array.IndexOf(values, s.Text) >= 0 ? s.Text : Wrong(node, errors, node is YamlScalar t ? Spelling.Nearest(t.Text, values) : null);

        public override JsonObject Schema() => new() { ["enum"] = new JsonArray([.. values.Select(v => JsonValue.Create(v))]) };

        protected internal override bool Fits(YamlNode node) => node is YamlScalar s && (Array.IndexOf(values, s.Text) >= 0 || Spelling.Nearest(s.Text, values) is not null);
    }

    private sealed class ListType(YamlType item, bool single) : YamlType
    {
        public override string Name => single ? $"{item.Name}, or a list of them" : $"a list, each {item.Name}";

        public override object? Read(YamlNode node, List<FeatureFlowException> errors) => node switch
        {
            YamlList list => list.Items.ConvertAll(i => item.Read(i, errors)),
            _ when single && node is not YamlScalar { IsNull: true } => new List<object?> { item.Read(node, errors) },
            _ => Wrong(node, errors),
        };

        public override JsonObject Schema()
        {
            var list = new JsonObject { ["type"] = "array", ["items"] = item.Schema() };
            return single ? new JsonObject { ["anyOf"] = new JsonArray(item.Schema(), list) } : list;
        }

        protected internal override bool Fits(YamlNode node) => node is YamlList || (single && item.Fits(node));
    }

    private sealed class MapType(string keyName, string keyPattern, YamlType value) : YamlType
    {
        public override string Name => $"a mapping from {keyName} to {value.Name}";

        public override object? Read(YamlNode node, List<FeatureFlowException> errors)
        {
            if (node is not YamlMap map) return Wrong(node, errors);
            var result = new Dictionary<string, object?>();
            foreach (var (key, child) in map.Entries)
            {
                if (System.Text.RegularExpressions.Regex.IsMatch(key.Text, keyPattern)) result[key.Text] = value.Read(child, errors);
                else errors.Add(ExperimentErrors.YamlValue(key.Source, key.Line, key.Column, $"'{key.Text}' is not {keyName}."));
            }

            return result;
        }

        public override JsonObject Schema() => new()
        {
            ["type"] = "object",
            ["patternProperties"] = new JsonObject { [keyPattern] = value.Schema() },
            ["additionalProperties"] = false,
        };

        protected internal override bool Fits(YamlNode node) => node is YamlMap;
    }

    private sealed class EitherType(YamlType[] types) : YamlType
    {
        public override string Name => string.Join(" or ", types.Select(t => t.Name));

        public override object? Read(YamlNode node, List<FeatureFlowException> errors)
        {
            foreach (var type in types)
            {
                if (type.Fits(node)) return type.Read(node, errors);
            }

            return Wrong(node, errors);
        }

        public override JsonObject Schema() => new() { ["anyOf"] = new JsonArray([.. types.Select(t => t.Schema())]) };

        protected internal override bool Fits(YamlNode node) => Array.Exists(types, t => t.Fits(node));
    }

    private sealed class LayersType : YamlType
    {
        private const int MaxLayers = 1000;

        public override string Name => "layers, such as 5, 0-4, '0-4,7' or a list of numbers";

        public override object? Read(YamlNode node, List<FeatureFlowException> errors)
        {
            var layers = new SortedSet<int>();
            IEnumerable<YamlNode> parts = node is YamlList list ? list.Items : [node];
            foreach (var part in parts)
            {
                if (part is not YamlScalar s || !Add(s.Text, layers)) return Wrong(part, errors);
            }

            return layers.ToArray();
        }

        public override JsonObject Schema() => new()
        {
            ["anyOf"] = new JsonArray(
                new JsonObject { ["type"] = "integer", ["minimum"] = 0 },
                new JsonObject { ["type"] = "string", ["pattern"] = "^\\d+(-\\d+)?(,\\s*\\d+(-\\d+)?)*$" },
                new JsonObject { ["type"] = "array", ["items"] = new JsonObject { ["type"] = "integer", ["minimum"] = 0 } }),
        };

        protected internal override bool Fits(YamlNode node) => node is YamlScalar or YamlList;

        private static bool Add(string text, SortedSet<int> layers)
        {
            foreach (var range in text.Split(','))
            {
                var ends = range.Split('-');
                if (ends.Length > 2 || !Parse(ends[0], out var low) || !Parse(ends[^1], out var high) || high < low || high >= MaxLayers) return false;
                for (var l = low; l <= high; l++) layers.Add(l);
            }

            return true;
        }

        private static bool Parse(string text, out int value) => int.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out value);
    }
}
