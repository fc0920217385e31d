using System.Text;
using System.Text.Json;

namespace FeatureFlow.Models.Tokenizers;

/// <summary>The steps around the model: normalizer, pre-tokenizer, template and decoder.</summary>
internal sealed partial class TokenizerFile
{
    private INormalizer Normalizer(JsonConfig at) => Type(at) switch
    {
        "NFC" => new UnicodeNormalizer(NormalizationForm.FormC),
        "NFD" => new UnicodeNormalizer(NormalizationForm.FormD),
        "NFKC" => new UnicodeNormalizer(NormalizationForm.FormKC),
        "NFKD" => new UnicodeNormalizer(NormalizationForm.FormKD),
        "Lowercase" => new LowercaseNormalizer(),
        "Strip" => new StripNormalizer(at.Flag("strip_left") ?? true, at.Flag("strip_right") ?? true),
        "Prepend" => new PrependNormalizer(at.Need(at.Text("prepend"), "prepend")),
        "Replace" => new ReplaceNormalizer(PlainPattern(at), at.Need(at.Text("content"), "content")),
        "Sequence" => new SequenceNormalizer([.. at.Objects("normalizers").Select(Normalizer)]),
        var other => throw Refuse(at, "type", $"'{other}'"),
    };

    /// <summary>The steps that cut text, first to last, and whether the model then works on bytes.</summary>
    private (IReadOnlyList<Func<PieceStep, PieceStep>> Steps, bool ByteLevel) PreTokenizer(JsonConfig? at)
    {
        var steps = new List<Func<PieceStep, PieceStep>>();
        var byteLevel = false;
        foreach (var part in Flat(at, "pretokenizers"))
        {
            if (byteLevel) throw Refuse(part, "type", $"'{Type(part)}' after ByteLevel");
            switch (Type(part))
            {
                case "ByteLevel":
                    byteLevel = true;
                    if (part.Flag("add_prefix_space") ?? true) steps.Add(next => new PrefixSpaceStep(next));
                    if (part.Flag("use_regex") ?? true) steps.Add(next => new PatternStep(PatternScanner.For(PatternScanner.Gpt2Pattern)!, next));
                    break;
                case "Metaspace":
                    var prepend = Prepend(part);
                    var (sign, split) = (Sign(part), part.Flag("split") ?? true);
                    steps.Add(next => new MetaspaceStep(sign, prepend, split, next));
                    break;
                case "Digits":
                    steps.Add(next => new SplitStep(new CharacterDelimiter(r => CharacterClasses.At(r.ToString(), 0, out _) == CharacterClass.Number), part.Flag("individual_digits") ?? false ? SplitBehavior.Isolated : SplitBehavior.Contiguous, invert: false, next));
                    break;
                case "Punctuation":
                    var behavior = Behavior(part, "Isolated");
                    steps.Add(next => new SplitStep(new CharacterDelimiter(IsPunctuation), behavior, invert: false, next));
                    break;
                case "WhitespaceSplit":
                    steps.Add(next => new SplitStep(new CharacterDelimiter(Rune.IsWhiteSpace), SplitBehavior.Removed, invert: false, next));
                    break;
                case "Split":
                    steps.Add(Split(part));
                    break;
                case var other:
                    throw Refuse(part, "type", $"'{other}'");
            }
        }

        return (steps, byteLevel);
    }

    // the known patterns cover every text, so that nothing is left to remove between their matches
    private Func<PieceStep, PieceStep> Split(JsonConfig at)
    {
        var behavior = Behavior(at, null);
        var invert = at.Flag("invert") ?? false;
        if (Pattern(at) is not { } regex)
        {
            var text = PlainPattern(at);
            if (text.Length == 0) throw Refuse(at, "pattern", "empty");
            return next => new SplitStep(new TextDelimiter(text), behavior, invert, next);
        }

        if (PatternScanner.For(regex) is not { } scanner) throw Refuse(at, "pattern", $"the regular expression {regex}");
        if (behavior != SplitBehavior.Isolated && !(behavior == SplitBehavior.Removed && invert)) throw Refuse(at, "behavior", $"{behavior} with a pattern of words");
        return next => new PatternStep(scanner, next);
    }

    private SplitBehavior Behavior(JsonConfig at, string? otherwise)
    {
        var name = at.Need(at.Text("behavior") ?? otherwise, "behavior");
        return Enum.TryParse<SplitBehavior>(name, ignoreCase: false, out var behavior) && behavior.ToString() == name ? behavior : throw Refuse(at, "behavior", $"'{name}'");
    }

    private PrependScheme Prepend(JsonConfig at) => at.Text("prepend_scheme") switch
    {
        null => at.Flag("add_prefix_space") ?? true ? PrependScheme.Always : PrependScheme.Never,
        "always" => PrependScheme.Always,
        "first" => PrependScheme.First,
        "never" => PrependScheme.Never,
        var other => throw Refuse(at, "prepend_scheme", $"'{other}'"),
    };

    private char Sign(JsonConfig at) => (at.Text("replacement") ?? "▁") is [var sign] ? sign : throw Refuse(at, "replacement", $"'{at.Text("replacement")}'");

    private (IReadOnlyList<int> Before, IReadOnlyList<int> After) Template(JsonConfig? at)
    {
        var (before, after) = (new List<int>(), new List<int>());
        foreach (var part in Flat(at, "processors"))
        {
            switch (Type(part))
            {
                case "ByteLevel": // offsets only
                    break;
                case "TemplateProcessing":
                    var ids = Specials(part);
                    var seen = false;
                    foreach (var item in part.Objects("single"))
                    {
                        if (item.Object("Sequence") is { } sequence)
                        {
                            if (seen || sequence.Text("id") is not (null or "A")) throw Refuse(part, "single", "a template that is not of one text");
                            seen = true;
                        }
                        else
                        {
                            var token = item.Object("SpecialToken") ?? throw Refuse(part, "single", "of an unknown form");
                            var name = token.Need(token.Text("id"), "id");
                            (seen ? after : before).AddRange(ids.TryGetValue(name, out var found) ? found : throw Bad($"the template names '{name}', which its special_tokens do not have."));
                        }
                    }

                    if (!seen) throw Refuse(part, "single", "a template without the text");
                    break;
                case var other:
                    throw Refuse(part, "type", $"'{other}'");
            }
        }

        return (before, after);
    }

    private Dictionary<string, int[]> Specials(JsonConfig template)
    {
        var specials = new Dictionary<string, int[]>(StringComparer.Ordinal);
        if (template.Object("special_tokens") is not { } tokens) return specials;
        foreach (var name in tokens.Keys)
        {
            var ids = tokens.Object(name)!.Value("ids");
            if (ids.ValueKind != JsonValueKind.Array || ids.EnumerateArray().Any(i => i.ValueKind != JsonValueKind.Number || !i.TryGetInt32(out _))) throw Bad($"the template's token '{name}' has no list of ids.");
            specials[name] = [.. ids.EnumerateArray().Select(i => i.GetInt32())];
        }

        return specials;
    }

    /// <summary>Makes the chain from tokens to text; without a decoder, tokens stand with spaces between.</summary>
    private Func<DecodeMode, (DecodeStep, TextSink)> Decoder(JsonConfig? at)
    {
        var makers = new List<Func<DecodeStep, DecodeMode, DecodeStep>>();
        var fused = false;
        foreach (var part in Flat(at, "decoders"))
        {
            switch (Type(part))
            {
                case "ByteLevel":
                    fused = true;
                    makers.Add((next, _) => new ByteLevelDecode(next));
                    break;
                case "ByteFallback":
                    makers.Add((next, mode) => new ByteFallbackDecode(mode.Streaming, next));
                    break;
                case "Fuse":
                    fused = true;
                    break;
                case "Replace":
                    if (fused) throw Refuse(part, "type", "'Replace' after the tokens are joined");
                    var (what, with) = (PlainPattern(part), part.Need(part.Text("content"), "content"));
                    makers.Add((next, _) => new ReplaceDecode(what, with, next));
                    break;
                case "Strip":
                    var (content, start, stop, whole) = (part.Need(part.Text("content"), "content"), part.Int("start") ?? 0, part.Int("stop") ?? 0, fused);
                    if (content.Length != 1) throw Refuse(part, "content", $"'{content}'");
                    if (whole && stop > 0) throw Refuse(part, "stop", $"{stop}: the end of a text is known only when it ends");
                    makers.Add((next, mode) => whole && mode.Continues ? next : new StripDecode(content[0], start, stop, whole, next));
                    break;
                case "Metaspace":
                    var (sign, prepended) = (Sign(part), Prepend(part) != PrependScheme.Never);
                    makers.Add((next, mode) => new MetaspaceDecode(sign, prepended, mode.Continues, next));
                    break;
                case var other:
                    throw Refuse(part, "type", $"'{other}'");
            }
        }

        makers.Reverse();
        var between = at is null ? " " : "";
        return mode =>
        {
            var sink = new TextSink(between);
            return (makers.Aggregate((DecodeStep)sink, (next, make) => make(next, mode)), sink);
        };
    }

    private static string Type(JsonConfig at) => at.Need(at.Text("type"), "type");

    // a sequence as the list of its parts, in sequences too
    private static IEnumerable<JsonConfig> Flat(JsonConfig? at, string parts) => at switch
    {
        null => [],
        _ when Type(at) == "Sequence" => at.Objects(parts).SelectMany(p => Flat(p, parts)),
        _ => [at],
    };

    private static string? Pattern(JsonConfig at) => at.Object("pattern")?.Text("Regex");

    private string PlainPattern(JsonConfig at)
    {
        if (Pattern(at) is { } regex) throw Refuse(at, "pattern", $"the regular expression {regex}");
        return at.Object("pattern")?.Text("String") ?? throw Bad($"{at.NameOf("pattern")} names no String.");
    }

    private static bool IsPunctuation(Rune rune) => rune.IsAscii ? char.IsAsciiLetterOrDigit((char)rune.Value) is false && rune.Value is > 0x20 and < 0x7F : Rune.IsPunctuation(rune);
}
