using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace FeatureFlow.Experiments;

/// <summary>A node of a YAML document with the place it was written at; the source of an override is its option instead of the file.</summary>
internal abstract record YamlNode(string Source, int Line, int Column);

/// <summary>A scalar; <paramref name="Quoted"/> text is never taken for a number, a truth value or nothing.</summary>
internal sealed record YamlScalar(string Text, bool Quoted, string Source, int Line, int Column) : YamlNode(Source, Line, Column)
{
    public bool IsNull => !Quoted && Text is "" or "~" or "null" or "Null" or "NULL";
}

/// <summary>A sequence.</summary>
internal sealed record YamlList(List<YamlNode> Items, string Source, int Line, int Column) : YamlNode(Source, Line, Column);

/// <summary>A mapping, in the order written; keys are text and unique.</summary>
internal sealed record YamlMap(List<KeyValuePair<YamlScalar, YamlNode>> Entries, string Source, int Line, int Column) : YamlNode(Source, Line, Column)
{
    public YamlNode? this[string key] => Entries.Find(e => e.Key.Text == key).Value;
}

/// <summary>
/// Reads YAML into a tree over YamlDotNet's parser. No tags, no anchors, no second document: nothing that a configuration needs and a
/// hostile file could use. Depth and size are bounded.
/// </summary>
internal static class YamlTree
{
    private const int MaxDepth = 32;
    private const int MaxCharacters = 4 << 20;

    public static YamlNode Read(string text, string source)
    {
        if (text.Length > MaxCharacters) throw ExperimentErrors.Yaml(source, 1, 1, $"the file has {text.Length} characters, more than {MaxCharacters}.");
        try
        {
            var parser = new Parser(new StringReader(text));
            parser.Consume<StreamStart>();
            if (parser.Accept<StreamEnd>(out _)) throw ExperimentErrors.Yaml(source, 1, 1, "the file is empty.");
            parser.Consume<DocumentStart>();
            var root = Node(parser, source, 0);
            parser.Consume<DocumentEnd>();
            if (!parser.TryConsume<StreamEnd>(out _))
                throw ExperimentErrors.Yaml(source, (int)parser.Current!.Start.Line, (int)parser.Current.Start.Column, "a second document ('---') is not read; use one file each.");
            return root;
        }
        catch (YamlException e)
        {
            throw ExperimentErrors.Yaml(source, (int)e.Start.Line, (int)e.Start.Column, $"not YAML: {Clean(e)}");
        }
    }

    private static YamlNode Node(IParser parser, string source, int depth)
    {
        var next = parser.Current ?? throw ExperimentErrors.Yaml(source, 1, 1, "the file ends too early.");
        int line = (int)next.Start.Line, column = (int)next.Start.Column;
        if (depth > MaxDepth) throw ExperimentErrors.Yaml(source, line, column, $"nested more than {MaxDepth} deep.");
        if (next is AnchorAlias || next is NodeEvent { Anchor.IsEmpty: false }) throw ExperimentErrors.Yaml(source, line, column, "anchors and aliases ('&', '*') are not read; write the value out, or quote a text that starts with one.");
        if (next is NodeEvent { Tag.IsEmpty: false } tagged && tagged.Tag.IsLocal) throw ExperimentErrors.Yaml(source, line, column, $"tags ('{tagged.Tag}') are not read; quote a text that starts with '!'.");
        if (parser.TryConsume<Scalar>(out var scalar)) return new YamlScalar(scalar.Value, scalar.Style is not ScalarStyle.Plain, source, line, column);
        if (parser.TryConsume<SequenceStart>(out _))
        {
            var items = new List<YamlNode>();
            while (!parser.TryConsume<SequenceEnd>(out _)) items.Add(Node(parser, source, depth + 1));
            return new YamlList(items, source, line, column);
        }

        parser.Consume<MappingStart>();
        var entries = new List<KeyValuePair<YamlScalar, YamlNode>>();
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            if (Node(parser, source, depth + 1) is not YamlScalar key) throw ExperimentErrors.Yaml(source, line, column, "a key must be a plain text.");
            var first = entries.Find(e => e.Key.Text == key.Text).Key;
            if (first is not null) throw ExperimentErrors.Yaml(source, key.Line, key.Column, $"'{key.Text}' is given twice; it was given on line {first.Line} already.");
            entries.Add(new(key, Node(parser, source, depth + 1)));
        }

        return new YamlMap(entries, source, line, column);
    }

    private static string Clean(YamlException e)
    {
        var text = (e.InnerException?.Message ?? e.Message).ReplaceLineEndings(" ");
        return text.EndsWith('.') ? text : text + ".";
    }
}
