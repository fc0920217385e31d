using System.Globalization;
using System.Text;

namespace FeatureFlow.Experiments;

/// <summary>Text as graph files need it: on one line, cut to a width, escaped. Descriptions come from models and hold anything.</summary>
internal static class GraphText
{
    private const double Ellipsis = 1.0; // its Width

    /// <summary>A number as files carry it: invariant, the shortest that reads back the same.</summary>
    public static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    /// <summary>A cosine as people read it: two digits, no needless zero before the point of a label.</summary>
    public static string Cosine(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);

    /// <summary>On one line: runs of white space and control characters become one blank, lone surrogates U+FFFD.</summary>
    public static string OneLine(string text)
    {
        var line = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes()) // replaces lone surrogates
        {
            if (!Rune.IsWhiteSpace(rune) && !Rune.IsControl(rune) && rune.Value is not (0xFFFE or 0xFFFF)) line.Append(rune.ToString());
            else if (line.Length > 0 && line[^1] != ' ') line.Append(' ');
        }

        return line.ToString().TrimEnd();
    }

    /// <summary>Escaped for XML text and for attributes in double quotes, in a form that holds for HTML too.</summary>
    public static string Xml(string text)
    {
        var safe = new StringBuilder(text.Length + 16);
        foreach (var rune in text.EnumerateRunes())
        {
            _ = rune.Value switch
            {
                '&' => safe.Append("&amp;"),
                '<' => safe.Append("&lt;"),
                '>' => safe.Append("&gt;"),
                '"' => safe.Append("&quot;"),
                '\'' => safe.Append("&#39;"),
                '\t' or '\n' => safe.Append(rune.ToString()),
                '\r' => safe.Append("&#13;"),
                < 0x20 or 0x7F or 0xFFFE or 0xFFFF => safe.Append('\uFFFD'), // no XML document may hold these
                _ => safe.Append(rune.ToString()),
            };
        }

        return safe.ToString();
    }

    /// <summary>
    /// <paramref name="text"/> on one line, cut with an ellipsis so that it is at most <paramref name="width"/> wide at font size 1.
    /// Cut between what readers see as characters, never inside one.
    /// </summary>
    public static string Fit(string text, double width)
    {
        var line = OneLine(text);
        if (Width(line) <= width) return line;
        var room = width - Ellipsis;
        var cut = 0;
        var elements = StringInfo.GetTextElementEnumerator(line);
        while (elements.MoveNext())
        {
            room -= Width(elements.GetTextElement());
            if (room < 0) break;
            cut = elements.ElementIndex + elements.GetTextElement().Length;
        }

        return line[..cut].TrimEnd() + "…";
    }

    /// <summary>
    /// <paramref name="text"/> in at most <paramref name="lines"/> lines of that width, broken between words where there are any, the last
    /// one cut as <see cref="Fit"/> does.
    /// </summary>
    public static IReadOnlyList<string> Wrap(string text, double width, int lines)
    {
        var rest = OneLine(text);
        var wrapped = new List<string>();
        while (rest.Length > 0 && wrapped.Count < lines)
        {
            if (wrapped.Count == lines - 1 || Width(rest) <= width)
            {
                wrapped.Add(Fit(rest, width));
                break;
            }

            var line = Fit(rest, width + Ellipsis)[..^1]; // what fits, without the ellipsis
            var blank = line.LastIndexOf(' ');
            if (blank > 0 && rest[line.Length] != ' ') line = line[..blank];
            if (line.Length == 0) break; // a single character wider than the box
            wrapped.Add(line);
            rest = rest[line.Length..].TrimStart();
        }

        return wrapped;
    }

    /// <summary>An upper estimate of a line's width at font size 1, in any common sans-serif: text must stay inside its box everywhere.</summary>
    public static double Width(string line)
    {
        var width = 0.0;
        foreach (var rune in line.EnumerateRunes())
        {
            width += rune.Value switch
            {
                'i' or 'j' or 'l' or 'I' or '\'' or '|' or '.' or ',' or ':' or ';' or '!' => 0.34,
                ' ' or 'f' or 'r' or 't' or '(' or ')' or '[' or ']' or '/' or '-' => 0.40,
                'm' or 'w' or 'M' or 'W' or '@' or '%' or '—' or '…' => 1.0,
                >= 'A' and <= 'Z' => 0.75,
                < 0x250 => 0.64,
                < 0x1100 => Zero(rune) ? 0 : 0.75, // Greek, Cyrillic, Hebrew, Arabic, Indic
                _ => Zero(rune) ? 0 : rune.Value > 0xFFFF ? 1.4 : 1.05, // East Asian, emoji
            };
        }

        return width;

        static bool Zero(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format;
    }
}
