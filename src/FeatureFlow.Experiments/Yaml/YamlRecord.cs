using System.Text.Json.Nodes;

namespace FeatureFlow.Experiments;

/// <summary>A key of a record.</summary>
/// <param name="Key">Its name in the file.</param>
/// <param name="Type">What it may hold.</param>
/// <param name="Description">One sentence for the docs and the editor.</param>
/// <param name="Required">Missing is an error.</param>
/// <param name="Default">What missing means, in words, for the docs.</param>
internal sealed record YamlField(string Key, YamlType Type, string Description, bool Required = false, string? Default = null);

/// <summary>A mapping with known keys: an unknown, duplicate, missing or ill-typed one is an error at its place.</summary>
internal sealed class YamlRecord(string name, string description, params YamlField[] fields) : YamlType
{
    public string Title => name;

    public string Description => description;

    public IReadOnlyList<YamlField> Fields => fields;

    public override string Name => $"a mapping ({name})";

    /// <summary>Reads a whole document; all errors of the file are found in one go.</summary>
    /// <exception cref="FeatureFlowException">FF5001 ... FF5004, the first error, carrying the others.</exception>
    public YamlValues ReadDocument(YamlNode root)
    {
        var errors = new List<FeatureFlowException>();
        var values = Read(root, errors) as YamlValues;
        if (errors.Count == 0) return values!;
        errors = [.. errors.OrderBy(e => e.Line).ThenBy(e => e.Column)];
        var first = errors[0];
        throw new FeatureFlowException(first.Kind, first.Code, first.Message, first.File, first.Line, first.Column) { Others = errors[1..] };
    }

    public override object? Read(YamlNode node, List<FeatureFlowException> errors)
    {
        if (node is not YamlMap map) return Wrong(node, errors);
        var values = new Dictionary<string, object?>();
        foreach (var (key, value) in map.Entries)
        {
            var field = Array.Find(fields, f => f.Key == key.Text);
            if (field is null)
            {
                var hint = Spelling.Nearest(key.Text, fields.Select(f => f.Key).Where(f => map[f] is null));
                var known = hint is null ? $"known keys: {string.Join(", ", fields.Select(f => f.Key))}" : $"did you mean '{hint}'?";
                errors.Add(ExperimentErrors.YamlKey(key.Source, key.Line, key.Column, $"unknown key '{key.Text}' ({known})."));
            }
            else if (value is YamlScalar { IsNull: true } && !field.Required)
            {
                // written but left empty: the same as not written
            }
            else
            {
                values[key.Text] = field.Type.Read(value, errors);
            }
        }

        foreach (var field in fields)
        {
            if (field.Required && map[field.Key] is null)
                errors.Add(ExperimentErrors.YamlMissing(map.Source, map.Line, map.Column, $"'{field.Key}' is missing: {field.Description}"));
        }

        return new YamlValues(map, values);
    }

    public override JsonObject Schema()
    {
        var properties = new JsonObject();
        foreach (var field in fields)
        {
            var schema = field.Type.Schema();
            schema["description"] = field.Description + (field.Default is null ? "" : $" Default: {field.Default}.");
            properties[field.Key] = schema;
        }

        var result = new JsonObject
        {
            ["type"] = "object",
            ["description"] = description,
            ["properties"] = properties,
            ["additionalProperties"] = false,
        };
        var required = fields.Where(f => f.Required).Select(f => (JsonNode)f.Key).ToArray();
        if (required.Length > 0) result["required"] = new JsonArray(required);
        return result;
    }

    protected internal override bool Fits(YamlNode node) => node is YamlMap;
}

/// <summary>The values of a record by key, of the .NET types that <see cref="YamlType.Read"/> gives; absent keys are absent.</summary>
internal sealed class YamlValues(YamlMap node, Dictionary<string, object?> values)
{
    public YamlMap Node => node;

    public bool Has(string key) => values.ContainsKey(key);

    public string? Text(string key) => values.GetValueOrDefault(key) as string;

    public string Required(string key) => (string)values[key]!;

    public long? Integer(string key) => values.GetValueOrDefault(key) as long?;

    public double? Number(string key) => values.GetValueOrDefault(key) as double?;

    public bool Flag(string key, bool otherwise = false) => values.GetValueOrDefault(key) as bool? ?? otherwise;

    public int[]? Layers(string key) => values.GetValueOrDefault(key) as int[];

    public object? Any(string key) => values.GetValueOrDefault(key);

    public IReadOnlyList<string> Texts(string key) => values.GetValueOrDefault(key) is List<object?> list ? [.. list.Cast<string>()] : [];

    public IReadOnlyList<YamlValues> Records(string key) => values.GetValueOrDefault(key) is List<object?> list ? [.. list.Cast<YamlValues>()] : [];

    /// <summary>The items of a list of several shapes.</summary>
    public IReadOnlyList<object?> Items(string key) => values.GetValueOrDefault(key) is List<object?> list ? list : [];

    public IReadOnlyList<double> Numbers(string key) => [.. Items(key).Cast<double>()];

    public YamlValues? Record(string key) => values.GetValueOrDefault(key) as YamlValues;

    public IReadOnlyDictionary<string, object?> Map(string key) => values.GetValueOrDefault(key) as Dictionary<string, object?> ?? [];

    /// <summary>Everything that is written here, as plain lists, mappings and scalars.</summary>
    public Dictionary<string, object?> Raw() => values.ToDictionary(v => v.Key, v => v.Value is YamlValues inner ? inner.Raw() : v.Value);

    /// <summary>Where a key's value stands, for errors found later.</summary>
    public YamlNode Place(string key) => node[key] ?? node;
}
