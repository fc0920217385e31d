using System.Globalization;
using FeatureFlow.Experiments.Storyworld;
using FeatureFlow.Models.Texts;

namespace FeatureFlow.Experiments.Texts;

/// <summary>A corpus: where texts are and how they are read. Documents are streamed; no more than one file of plain text is in memory.</summary>
/// <param name="Name">Name shown in results: the dataset.</param>
/// <param name="Path">File (.txt, .jsonl, .json, .csv, .tsv, each also .gz; any other as one text), folder, pattern with <c>*</c>, <c>?</c>, <c>**</c>, or <c>storyworld:SEED</c>, the stories of a seed.</param>
/// <param name="Field">Fields of JSON and CSV rows (docs/texts.md); the usual names unless given.</param>
/// <param name="Separator">What divides the documents of a text file; the file is one document unless given.</param>
/// <param name="MinCharacters">Shorter documents are left out.</param>
public sealed record TextCorpus(string Name, string Path, string? Field = null, string? Separator = null, int MinCharacters = 1)
{
    /// <summary>Stories in the corpus <c>storyworld:SEED</c>.</summary>
    public const int StoriesTold = 2000;

    private const string Storyworld = "storyworld:";

    /// <summary>The seed of <c>storyworld:SEED</c>, or null for other paths.</summary>
    internal ulong? Told => IsTold(Path) ? ulong.Parse(Path.AsSpan(Storyworld.Length), NumberStyles.None, CultureInfo.InvariantCulture) : null;

    internal static bool IsTold(string path) => path.StartsWith(Storyworld, StringComparison.Ordinal) && ulong.TryParse(path.AsSpan(Storyworld.Length), NumberStyles.None, CultureInfo.InvariantCulture, out _);

    /// <summary>The documents in order. In a folder or pattern, files that are no text are left out, with a note.</summary>
    /// <exception cref="FeatureFlowException">FF5101-FF5106: nothing there, or not readable as its kind.</exception>
    public IEnumerable<TextDocument> Read(Action<string>? note = null)
    {
        var any = false;
        foreach (var document in All(note))
        {
            if (document.Text.Length < MinCharacters) continue;
            any = true;
            yield return document;
        }

        if (!any) throw ExperimentErrors.EmptyCorpus(Path);
    }

    /// <summary>A seeded uniform sample of the documents, in their order.</summary>
    public IReadOnlyList<TextDocument> Sample(int count, ulong seed, Action<string>? note = null) => Sampling.Choose(Read(note), count, seed);

    private IEnumerable<TextDocument> All(Action<string>? note)
    {
        if (Told is { } seed)
        {
            var teller = new StoryTeller(seed);
            return Enumerable.Range(0, StoriesTold).Select(i => new TextDocument(teller.Text(i), string.Create(CultureInfo.InvariantCulture, $"{Name}:{i}")));
        }

        if (!TextFolder.IsMany(Path)) return TextReaders.Read(Path, System.IO.Path.GetFileName(Path), Field, Separator);
        var files = TextFolder.Files(Path);
        if (files.Count == 0) throw ExperimentErrors.NoTexts(Path);
        return files.SelectMany(f => Texts(f.Path, f.Name, note));
    }

    private IEnumerable<TextDocument> Texts(string path, string name, Action<string>? note)
    {
        using var documents = TextReaders.Read(path, name, Field, Separator).GetEnumerator();
        while (true)
        {
            try
            {
                if (!documents.MoveNext()) yield break;
            }
            catch (FeatureFlowException e) when (e.Code == "FF5102")
            {
                note?.Invoke($"{name} is not UTF-8 text and is left out.");
                yield break;
            }

            yield return documents.Current;
        }
    }
}
