using System.Runtime.InteropServices;
using System.Security.Cryptography;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;

namespace FeatureFlow.Experiments.Texts;

/// <summary>The data sets of an experiment: documents drawn from each, in tokens.</summary>
/// <param name="Names">Name of each, as results show it.</param>
/// <param name="Documents">Its documents.</param>
/// <param name="Hash">Identity of all tokens.</param>
internal sealed record DataSets(IReadOnlyList<string> Names, IReadOnlyList<IReadOnlyList<TokenDocument>> Documents, string Hash)
{
    /// <summary>Draws documents from each.</summary>
    /// <param name="folder">Folder of the experiment's file, that paths are relative to.</param>
    /// <param name="texts">Paths, patterns and names.</param>
    /// <param name="documents">Documents of each at most.</param>
    /// <param name="context">Longest document in tokens.</param>
    /// <param name="seed">Seed of the draw.</param>
    /// <param name="model">Whose tokens.</param>
    /// <param name="notes">Gets remarks.</param>
    public static DataSets Draw(string folder, IReadOnlyList<string> texts, int documents, int context, int seed, LanguageModel model, ICollection<string> notes) =>
        Of(NamesOf(texts), texts.Select(text => (IReadOnlyList<TokenDocument>)[.. How(context, model).Tokenize(Corpora.Find(Beside(folder, text)).Sample(documents, (ulong)seed, notes.Add), model.Tokenizer)]));

    /// <summary>Documents of some texts in their order, until there are so many tokens.</summary>
    /// <inheritdoc cref="Draw"/>
    public static DataSets First(string folder, IReadOnlyList<string> texts, long tokens, int context, LanguageModel model, ICollection<string> notes) =>
        Of(NamesOf(texts), texts.Select(text =>
        {
            var counted = 0L;
            return (IReadOnlyList<TokenDocument>)[.. How(context, model).Tokenize(Corpora.Find(Beside(folder, text)).Read(notes.Add), model.Tokenizer).TakeWhile(d => (counted += d.Positions) - d.Positions < tokens)];
        }));

    /// <summary>A path or pattern beside the experiment's file, or the name itself.</summary>
    public static string Beside(string folder, string named)
    {
        var beside = Path.GetFullPath(Path.Combine(folder, named));
        return Path.Exists(beside) || (TextFolder.IsMany(beside) && TextFolder.Files(beside).Count > 0) ? beside : named;
    }

    private static DataSets Of(IReadOnlyList<string> names, IEnumerable<IReadOnlyList<TokenDocument>> documents)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        IReadOnlyList<TokenDocument>[] all = [.. documents];
        foreach (var document in all.SelectMany(d => d)) hash.AppendData(MemoryMarshal.AsBytes<int>([.. document.Ids, -1]));
        return new DataSets(names, all, Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    private static TokenizeOptions How(int context, LanguageModel model) => new(MaxTokens: Math.Min(context, model.Config.Context));

    // file names where they tell the data sets apart
    private static string[] NamesOf(IReadOnlyList<string> texts)
    {
        string[] names = [.. texts.Select(t => Path.GetFileName(Path.TrimEndingDirectorySeparator(t)))];
        return names.Distinct().Count() == names.Length ? names : [.. texts];
    }
}
