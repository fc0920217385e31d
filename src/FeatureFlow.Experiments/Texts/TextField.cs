using System.Text.Json;

namespace FeatureFlow.Experiments.Texts;

/// <summary>
/// Which fields of a row are its text: a name, a way into objects (<c>meta.title</c>), several directly after each other (<c>prompt+canonical_solution</c>) or
/// on lines of their own (<c>question,answer</c>). Unless one is named, the first row decides by the usual names.
/// </summary>
internal sealed class TextField(string path, string? named)
{
    private static readonly string[] Usual = ["text", "content", "code", "prompt+canonical_solution", "story", "question", "document", "sentence", "prompt", "body"];

    private string? _chosen = named;

    /// <summary>The text of a row; empty when its fields are.</summary>
    /// <param name="value">A field of the row: null when it is not there.</param>
    /// <param name="names">All fields, for messages.</param>
    /// <exception cref="FeatureFlowException">FF5104: no such field.</exception>
    public string Of(Func<string, string?> value, Func<IEnumerable<string>> names, int line)
    {
        _chosen ??= Array.Find(Usual, u => u.Split('+').All(f => value(f) is not null)) ?? throw ExperimentErrors.NoTextField(path, line, null, names());
        return string.Join('\n', _chosen.Split(',').Select(l => string.Concat(l.Split('+').Select(Field)))).TrimEnd('\n');

        string Field(string name) => value(name.Trim()) ?? throw ExperimentErrors.NoTextField(path, line, name.Trim(), names());
    }

    /// <summary>The text of a JSON row: a text itself, or an object with fields.</summary>
    public string Of(JsonElement row, int line) => row.ValueKind switch
    {
        JsonValueKind.String => row.GetString()!,
        JsonValueKind.Object => Of(name => At(row, name), () => row.EnumerateObject().Select(p => p.Name), line),
        _ => throw ExperimentErrors.TextJson(path, line, $"expected an object or a text, found {row.ValueKind}."),
    };

    // null counts as an empty text: the field is there
    private static string? At(JsonElement row, string name)
    {
        if (!row.TryGetProperty(name, out var value))
        {
            value = row;
            foreach (var part in name.Split('.'))
            {
                if (value.ValueKind != JsonValueKind.Object || !value.TryGetProperty(part, out value)) return null;
            }
        }

        return value.ValueKind switch
        {
            JsonValueKind.String => value.GetString(),
            JsonValueKind.Null => "",
            JsonValueKind.Number => value.GetRawText(),
            _ => null,
        };
    }
}
