using System.CommandLine;
using System.CommandLine.Parsing;
using FeatureFlow.Experiments.Texts;
using FeatureFlow.Models;
using FeatureFlow.Models.Texts;
using FeatureFlow.Models.Tokenizers;
using FeatureFlow.Tensors;

namespace FeatureFlow.Tools;

/// <summary>
/// The options TOKENS of the commands that read tokens: one of <c>--ids-file --tensor</c>, <c>--text</c>, <c>--file</c> and <c>--corpus</c>, and how texts become
/// documents.
/// </summary>
internal sealed class TokenSource
{
    private readonly Option<string?> _ids = new("--ids-file") { Description = "A .safetensors file of token ids, BOS first.", HelpName = "FILE" };
    private readonly Option<string?> _tensor = new("--tensor") { Description = "Its tensor: int64 [N,T] or [T].", HelpName = "NAME" };
    private readonly Option<string?> _text = TokenOptions.Text();
    private readonly Option<string?> _file = TokenOptions.File();
    private readonly Option<string[]> _corpora = new("--corpus") { Description = "Texts: a file (.txt, .jsonl, .csv, each also .gz), a folder or a pattern, or a name from corpora.yaml; may be given several times (docs/texts.md).", HelpName = "NAME" };
    private readonly Option<string?> _field = new("--field") { Description = "Fields of JSON and CSV rows that are the text, as in 'prompt+canonical_solution'; found by the usual names unless given.", HelpName = "FIELD" };
    private readonly Option<string?> _separator = new("--separator") { Description = "What divides the documents of a text file, as in '<|endoftext|>'; \\n stands for a line end.", HelpName = "TEXT" };
    private readonly Option<int> _documents = new("--documents") { Description = "Documents drawn from each corpus, by the seed; 0 takes all.", HelpName = "N", DefaultValueFactory = _ => 0 };
    private readonly Option<int> _context = new("--context") { Description = "Longest document in tokens, BOS counted; the rest is cut off. 0 sets no limit.", HelpName = "N" };
    private readonly Option<string> _bos = PackOptions.Choice("--bos", [], "BOS before every text: auto where the tokenizer has one, model as its template says, never.", BosRule.Auto);

    /// <summary>Makes the options.</summary>
    /// <param name="context">Longest document unless the user says.</param>
    public TokenSource(int context = 0) => _context.DefaultValueFactory = _ => context;

    /// <summary>Seed of everything drawn by chance.</summary>
    public Option<ulong> Seed { get; } = new("--seed") { Description = "Seed of everything drawn by chance.", HelpName = "S", DefaultValueFactory = _ => 0 };

    /// <summary>Adds them to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="needed">Whether tokens are needed, where that depends; those that are not are refused.</param>
    /// <param name="by">What needs them.</param>
    public void AddTo(Command command, Func<CommandResult, bool>? needed = null, string by = "")
    {
        foreach (var option in new Option[] { _ids, _tensor, _text, _file, _corpora, _field, _separator, _documents, _context, _bos, Seed }) command.Options.Add(option);
        command.Validators.Add(result =>
        {
            var given = new Option[] { _ids, _text, _file, _corpora }.Count(o => result.GetResult(o) is { Implicit: false });
            if (needed?.Invoke(result) == false)
            {
                if (given > 0) result.AddError($"Tokens are read by {by} alone.");
                return;
            }

            if (given != 1) result.AddError("Give one of --ids-file, --text, --file and --corpus.");
            if (result.GetResult(_ids) is null != result.GetResult(_tensor) is null) result.AddError("--ids-file and --tensor go together.");
        });
    }

    /// <summary>The documents, one corpus after the other, each with the name of its corpus (<c>ids</c>, <c>text</c>, or the file's).</summary>
    /// <param name="tokenizer">Asked for only when there are texts: a model whose tokens are given needs none.</param>
    /// <exception cref="FeatureFlowException">FF6011, FF6018: no such ids; FF51xx: no such texts.</exception>
    public IEnumerable<(string Corpus, TokenDocument Document)> Read(ParseResult options, Func<Tokenizer> tokenizer, ToolContext context)
    {
        var bos = Enum.Parse<BosRule>(options.GetValue(_bos)!, ignoreCase: true);
        if (options.GetValue(_ids) is { } ids) return Ids(ids, options.GetValue(_tensor)!, bos != BosRule.Never).Select(d => ("ids", d));
        var how = new TokenizeOptions(bos, options.GetValue(_context));
        if (options.GetValue(_text) is { } text) return how.Tokenize(new TextDocument(text, "text"), tokenizer()).Select(d => ("text", d));
        if (options.GetValue(_file) is { } file) return how.Tokenize(new TextDocument(TokenOptions.Read(file), Path.GetFileName(file)), tokenizer()).Select(d => (Path.GetFileName(file), d));
        var (count, seed) = (options.GetValue(_documents), options.GetValue(Seed));
        return options.GetValue(_corpora)!.Select(n => With(Corpora.Find(n), options)).ToList().SelectMany(corpus =>
        {
            var texts = count > 0 ? corpus.Sample(count, seed, context.Note) : corpus.Read(context.Note);
            return how.Tokenize(texts, tokenizer()).Select(d => (corpus.Name, d));
        });
    }

    private TextCorpus With(TextCorpus corpus, ParseResult options) => corpus with
    {
        Field = options.GetValue(_field) ?? corpus.Field,
        Separator = options.GetValue(_separator)?.Replace("\\n", "\n", StringComparison.Ordinal) ?? corpus.Separator,
    };

    private static IEnumerable<TokenDocument> Ids(string path, string name, bool startsWithBos)
    {
        using var file = SafetensorsFile.Open(path);
        if (!file.Contains(name)) throw ToolErrors.NoTensor(file.Path, name, file.Entries.Select(e => e.Name));
        var entry = file.Entry(name);
        if (entry.Shape is not ([> 0] or [_, > 0]) || entry.DType is not (DType.I64 or DType.I32)) throw ToolErrors.IdsShape(file.Path, name, entry.ToString());
        var tensor = file.Get(name);
        var length = entry.Shape[^1];
        for (var row = 0; row < (entry.Shape.Length == 1 ? 1 : entry.Shape[0]); row++)
        {
            int[] ids = entry.DType == DType.I64
                ? [.. tensor.AsSpan<long>().Slice(row * length, length).ToArray().Select(id => id is >= 0 and < int.MaxValue ? (int)id : throw ToolErrors.IdsShape(file.Path, name, $"{id} in row {row}"))]
                : tensor.AsSpan<int>().Slice(row * length, length).ToArray();
            yield return new TokenDocument(ids, startsWithBos, $"{name}[{row}]");
        }
    }
}
