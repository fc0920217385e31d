using System.Text.Json;

namespace FeatureFlow.Experiments.Tests.Graphs;

/// <summary>The part of JSON Schema that our own schemas use: enough to find out that a document does not follow one.</summary>
internal static class JsonShape
{
    public static IEnumerable<string> Problems(JsonElement schema, JsonElement value) => Problems(schema, schema, value, "$");

    private static IEnumerable<string> Problems(JsonElement root, JsonElement schema, JsonElement value, string at)
    {
        if (schema.TryGetProperty("$ref", out var reference))
        {
            foreach (var part in reference.GetString()!.TrimStart('#', '/').Split('/').Where(p => p.Length > 0).Aggregate((JsonElement?)root, (s, p) => s!.Value.GetProperty(p)) is { } at2 ? Problems(root, at2, value, at) : []) yield return part;
            yield break;
        }

        if (schema.TryGetProperty("oneOf", out var choices))
        {
            var found = choices.EnumerateArray().Select(c => Problems(root, c, value, at).ToList()).ToList();
            if (found.Count(f => f.Count == 0) != 1) yield return $"{at}: fits {found.Count(f => f.Count == 0)} of {found.Count} forms; {string.Join("; ", found.SelectMany(f => f).Take(3))}";
        }

        if (schema.TryGetProperty("anyOf", out var any) && any.EnumerateArray().Select(c => Problems(root, c, value, at).ToList()).ToList() is var tries && tries.TrueForAll(t => t.Count > 0))
            yield return $"{at}: fits none of the forms; {string.Join("; ", tries.SelectMany(f => f).Take(3))}";

        if (schema.TryGetProperty("minimum", out var low) && value.ValueKind == JsonValueKind.Number && value.GetDouble() < low.GetDouble()) yield return $"{at}: {value} is less than {low}";
        if (schema.TryGetProperty("maximum", out var high) && value.ValueKind == JsonValueKind.Number && value.GetDouble() > high.GetDouble()) yield return $"{at}: {value} is more than {high}";
        if (schema.TryGetProperty("type", out var type) && !(type.ValueKind == JsonValueKind.Array ? type.EnumerateArray() : Enumerable.Repeat(type, 1)).Any(t => Is(t.GetString()!, value)))
        {
            yield return $"{at}: is {value.ValueKind}, not {type}";
            yield break;
        }

        if (schema.TryGetProperty("enum", out var values) && !values.EnumerateArray().Any(v => JsonElement.DeepEquals(v, value))) yield return $"{at}: {value} is none of {values}";
        if (schema.TryGetProperty("const", out var constant) && !JsonElement.DeepEquals(constant, value)) yield return $"{at}: {value} is not {constant}";
        if (schema.TryGetProperty("pattern", out var pattern) && value.ValueKind == JsonValueKind.String && !System.Text.RegularExpressions.Regex.IsMatch(value.GetString()!, pattern.GetString()!)) yield return $"{at}: {value} is not like {pattern}";
        if (value.ValueKind == JsonValueKind.Array && schema.TryGetProperty("items", out var items))
        {
            var i = 0;
            foreach (var item in value.EnumerateArray())
            {
                foreach (var problem in Problems(root, items, item, $"{at}[{i}]")) yield return problem;
                i++;
            }
        }

        if (value.ValueKind != JsonValueKind.Object) yield break;
        if (schema.TryGetProperty("required", out var required))
        {
            foreach (var name in required.EnumerateArray().Where(r => !value.TryGetProperty(r.GetString()!, out _))) yield return $"{at}: lacks {name}";
        }

        var known = schema.TryGetProperty("properties", out var properties) ? properties : default;
        foreach (var member in value.EnumerateObject())
        {
            if (known.ValueKind == JsonValueKind.Object && known.TryGetProperty(member.Name, out var child))
            {
                foreach (var problem in Problems(root, child, member.Value, $"{at}.{member.Name}")) yield return problem;
            }
            else if (schema.TryGetProperty("patternProperties", out var patterns) && patterns.EnumerateObject().FirstOrDefault(p => System.Text.RegularExpressions.Regex.IsMatch(member.Name, p.Name)) is { Value.ValueKind: JsonValueKind.Object } matching)
            {
                foreach (var problem in Problems(root, matching.Value, member.Value, $"{at}.{member.Name}")) yield return problem;
            }
            else if (schema.TryGetProperty("additionalProperties", out var others))
            {
                if (others.ValueKind == JsonValueKind.False) yield return $"{at}: has {member.Name}, which is not in the schema";
                else foreach (var problem in Problems(root, others, member.Value, $"{at}.{member.Name}")) yield return problem;
            }
        }
    }

    private static bool Is(string type, JsonElement value) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "number" => value.ValueKind == JsonValueKind.Number,
        "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _),
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "null" => value.ValueKind == JsonValueKind.Null,
        _ => throw new ArgumentException(type),
    };
}
