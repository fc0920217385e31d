using FeatureFlow.Experiments.Texts;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;

namespace FeatureFlow.PowerShell;

/// <summary>The texts that a cmdlet was told: corpora, or a file of token ids.</summary>
internal sealed record TextChoice(IReadOnlyList<string> Corpora, int DocumentCount, string? IdsFile, string Tensor)
{
    /// <summary>Longest document, in tokens.</summary>
    private const int Context = 512;

    /// <summary>With paths as PowerShell sees them; names of corpora stay names.</summary>
    public static TextChoice Of(EngineCmdlet cmdlet, string[] corpora, int documentCount, string idsFile, string tensor) => new(
        cmdlet.CorporaAt(corpora),
        documentCount,
        idsFile.Length > 0 ? cmdlet.FilePath(idsFile) : null,
        tensor);

    /// <summary>The documents, each with the name of its corpus.</summary>
    public IReadOnlyList<(string Corpus, TokenDocument Document)> Read(LanguageModel model)
    {
        if (IdsFile is not null) return [.. TokenIdsFile.Read(IdsFile, Tensor).Select(d => ("ids", d))];
        var how = new TokenizeOptions(MaxTokens: Math.Min(Context, model.Config.Context));
        var documents = new List<(string, TokenDocument)>();
        foreach (var name in Corpora)
        {
            var corpus = Experiments.Texts.Corpora.Find(name);
            var label = corpus.Name; // a lambda must not hold what lies in the private context
            documents.AddRange(how.Tokenize(DocumentCount > 0 ? corpus.Sample(DocumentCount, seed: 1) : corpus.Read(), model.Tokenizer).Select(d => (label, d)));
        }

        return documents;
    }
}
