using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using FeatureFlow.Experiments;
using FeatureFlow.Models.Tokenizers;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow tokens</c>: text to token ids, and back.</summary>
internal sealed class TokensCommand : ToolCommand
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly TableColumns<(int Position, int Id, string Piece)> Columns = new(("position", r => r.Position), ("id", r => r.Id), ("piece", r => JsonSerializer.Serialize(r.Piece, Readable)));

    private readonly Option<string> _model = TokenOptions.Model();
    private readonly Option<string?> _text = TokenOptions.Text();
    private readonly Option<string?> _file = TokenOptions.File();
    private readonly Option<string[]> _decode = new("--decode") { Description = "Token ids to turn back into the text that they were made of: a BOS before it is left out.", HelpName = "ID", AllowMultipleArgumentsPerToken = true };
    private readonly Option<bool> _noSpecial = new("--no-special") { Description = "No BOS or other token that the model's template adds; with --decode, no special token at all in the text." };

    public TokensCommand()
        : base(
            "tokens",
            "Show how a model's tokenizer cuts a text, or turn token ids back into text.",
            ("tokens --model examples/storyworld/model --text 'once upon a time'", "Ids and pieces, BOS first where the model has it so."),
            ("tokens --model examples/storyworld/model --file docs/concepts.md --no-special --json", "A file, as {\"ids\": [...], \"pieces\": [...]}."),
            ("tokens --model examples/storyworld/model --decode 0 283 331 422 114 283 261 2085", "Back to text."))
    {
        foreach (var option in new Option[] { _model, _text, _file, _decode, _noSpecial }) Options.Add(option);
        Validators.Add(result =>
        {
            if (new Option[] { _text, _file, _decode }.Count(o => result.GetResult(o) is { Implicit: false }) != 1) result.AddError("Give one of --text, --file and --decode.");
        });
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var tokenizer = Tokenizer.Load(options.GetValue(_model)!);
        var special = !options.GetValue(_noSpecial);
        if (options.GetValue(_decode) is { Length: > 0 } words) return Decode(tokenizer, TokenOptions.Ids(words), special, context);
        var text = options.GetValue(_text) ?? TokenOptions.Read(options.GetValue(_file)!);
        var ids = tokenizer.Encode(text, special);
        if (context.Json) context.Out.WriteLine(Json(tokenizer, ids).ToJsonString(Readable));
        else context.Show(Columns, ids.Select((id, i) => (i, id, tokenizer.Piece(id))));
        return 0;
    }

    private static int Decode(Tokenizer tokenizer, int[] ids, bool special, ToolContext context)
    {
        var json = Json(tokenizer, ids); // refuses ids that do not exist
        json["text"] = special ? tokenizer.Decode(tokenizer.WithoutTemplate(ids)) : tokenizer.Decode(ids, skipSpecial: true);
        context.Out.WriteLine(context.Json ? json.ToJsonString(Readable) : (string)json["text"]!);
        return 0;
    }

    private static JsonObject Json(Tokenizer tokenizer, int[] ids) => new()
    {
        ["ids"] = new JsonArray([.. ids.Select(i => (JsonNode)i)]),
        ["pieces"] = new JsonArray([.. ids.Select(i => (JsonNode)tokenizer.Piece(i))]),
    };
}
