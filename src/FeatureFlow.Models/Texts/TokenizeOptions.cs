using FeatureFlow.Models.Tokenizers;

namespace FeatureFlow.Models.Texts;

/// <summary>What stands at the start of every document.</summary>
public enum BosRule
{
    /// <summary>BOS wherever the tokenizer has such a token, also where its template adds none (GPT-2, Pythia): what work with SAEs does.</summary>
    Auto,

    /// <summary>What the tokenizer's template says.</summary>
    Model,

    /// <summary>No BOS; position 0 counts.</summary>
    Never,
}

/// <summary>What becomes of a document that is longer than the context.</summary>
public enum LongDocuments
{
    /// <summary>Its first tokens count, the rest is left out.</summary>
    Cut,

    /// <summary>It becomes several documents, each with its own BOS.</summary>
    Split,
}

/// <summary>How texts become token documents.</summary>
/// <param name="Bos">What stands at the start.</param>
/// <param name="MaxTokens">Longest document, BOS counted; 0 sets no limit.</param>
/// <param name="MinTokens">Documents with fewer counted positions are left out.</param>
/// <param name="Long">What becomes of longer documents.</param>
public sealed record TokenizeOptions(BosRule Bos = BosRule.Auto, int MaxTokens = 0, int MinTokens = 1, LongDocuments Long = LongDocuments.Cut)
{
    /// <summary>The documents of texts, one text at a time.</summary>
    public IEnumerable<TokenDocument> Tokenize(IEnumerable<TextDocument> texts, Tokenizer tokenizer) => texts.SelectMany(t => Tokenize(t, tokenizer));

    /// <summary>The documents of one text: one, none when it is too short, several when it is split.</summary>
    public IEnumerable<TokenDocument> Tokenize(TextDocument text, Tokenizer tokenizer)
    {
        var ids = tokenizer.Encode(text.Text, special: Bos == BosRule.Model);
        var begins = tokenizer.BosId is { } id && ids.Length > 0 && ids[0] == id && Bos != BosRule.Never;
        var bos = tokenizer.BosId is { } b && (Bos == BosRule.Auto || begins) ? b : (int?)null;
        var rest = begins ? ids.AsMemory(1) : ids;
        var room = MaxTokens <= 0 ? int.MaxValue : MaxTokens - (bos is null ? 0 : 1);
        for (var (at, part) = (0, 0); at < rest.Length && room > 0; at += room, part++)
        {
            var length = Math.Min(room, rest.Length - at);
            if (length < MinTokens) yield break;
            int[] document = [.. bos is { } first ? [first] : Array.Empty<int>(), .. rest.Slice(at, length).Span];
            yield return new TokenDocument(document, bos is not null, part == 0 ? text.Source : $"{text.Source}+{at}");
            if (Long == LongDocuments.Cut || length < room) yield break;
        }
    }
}
