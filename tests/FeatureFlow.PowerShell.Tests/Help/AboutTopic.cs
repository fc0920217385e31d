using System.Text;

namespace FeatureFlow.PowerShell.Tests.Help;

/// <summary>Writes an about page as the text that Get-Help shows.</summary>
internal static class AboutTopic
{
    private const int Width = 80;

    public static string Render(HelpSection page)
    {
        var text = new StringBuilder();
        text.Append("TOPIC\n    ").Append(page.Title).Append("\n\nSHORT DESCRIPTION\n");
        Wrapped(text, page.Text, 4);
        text.Append("LONG DESCRIPTION\n\n");
        foreach (var part in page.Parts)
        {
            text.Append("  ").Append(part.Title.ToUpperInvariant()).Append('\n');
            foreach (var block in part.Text.Split("\n\n")) Block(text, block);
        }

        return text.ToString().TrimEnd() + "\n";
    }

    private static void Block(StringBuilder text, string block)
    {
        if (block.StartsWith("```", StringComparison.Ordinal))
        {
            foreach (var line in HelpPage.Code(block)!.Split('\n')) text.Append("        ").Append(line).Append('\n');
            text.Append('\n');
        }
        else if (block.StartsWith('|'))
        {
            var rows = block.Split('\n').Where(r => !r.Contains("---", StringComparison.Ordinal)).Skip(1).Select(r => r.Trim('|').Split('|').Select(c => HelpPage.Plain(c.Trim())).ToArray()).ToList();
            var first = rows.Max(r => r[0].Length) + 2;
            foreach (var row in rows) Wrapped(text, row[1], 4 + first, row[0].PadRight(first));
            text.Append('\n');
        }
        else if (block.StartsWith("- ", StringComparison.Ordinal))
        {
            foreach (var item in block.Split('\n')) text.Append("    ").Append(HelpPage.Plain(item[2..])).Append('\n');
            text.Append('\n');
        }
        else
        {
            Wrapped(text, HelpPage.Plain(block), 4);
        }
    }

    private static void Wrapped(StringBuilder text, string paragraph, int indent, string? lead = null)
    {
        var line = lead is null ? new string(' ', indent) : "    " + lead;
        var empty = true;
        foreach (var word in paragraph.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!empty && line.Length + 1 + word.Length > Width)
            {
                text.Append(line).Append('\n');
                (line, empty) = (new string(' ', indent), true);
            }

            line += empty ? word : " " + word;
            empty = false;
        }

        text.Append(line).Append('\n');
        if (lead is null) text.Append('\n');
    }
}
