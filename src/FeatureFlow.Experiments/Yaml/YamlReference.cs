using System.Text;

namespace FeatureFlow.Experiments;

/// <summary>The reference of a YAML form as Markdown tables, made from the same description as the reader (docs/packs.md, docs/yaml.md).</summary>
internal static class YamlReference
{
    public static string Markdown(params YamlRecord[] records)
    {
        var text = new StringBuilder();
        foreach (var record in records)
        {
            text.Append(text.Length > 0 ? "\n" : "").Put($"**{record.Title}**: {record.Description}\n\n| key | value | meaning | default |\n| --- | --- | --- | --- |\n");
            foreach (var field in record.Fields)
                text.Put($"| `{field.Key}` | {Cell(field.Type.Name)} | {Cell(field.Description)} | {(field.Required ? "required" : Cell(field.Default ?? "none"))} |\n");
        }

        return text.ToString();
    }

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal);
}
