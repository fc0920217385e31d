using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using FeatureFlow.Flow;
using FeatureFlow.Models.Generation;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow generate</c>: text from a model.</summary>
internal sealed class GenerateCommand : ToolCommand
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Option<string> _model = TokenOptions.Model();
    private readonly Option<string?> _prompt = new("--prompt") { Description = "How the text begins.", HelpName = "TEXT" };
    private readonly Option<string[]> _ids = new("--prompt-ids") { Description = "The same as token ids, taken as they are; for models without tokenizer too.", HelpName = "N,N,...", AllowMultipleArgumentsPerToken = true };
    private readonly Option<int> _max = new("--max-tokens") { Description = "New tokens at most.", HelpName = "N", DefaultValueFactory = _ => 128 };
    private readonly Option<float> _temperature = new("--temperature") { Description = "0 takes the likeliest token every time.", HelpName = "T", DefaultValueFactory = _ => 1 };
    private readonly Option<float> _topP = new("--top-p") { Description = "Draw from the likeliest tokens of this probability together.", HelpName = "P", DefaultValueFactory = _ => 1 };
    private readonly Option<int> _topK = new("--top-k") { Description = "Draw from so many of the likeliest tokens; 0 for all.", HelpName = "K", DefaultValueFactory = _ => 0 };
    private readonly Option<bool> _greedy = new("--greedy") { Description = "The same as --temperature 0." };
    private readonly Option<ulong> _seed = new("--seed") { Description = "Seed of the draws.", HelpName = "S", DefaultValueFactory = _ => 0 };
    private readonly Option<int> _samples = new("--samples", "-n") { Description = "Texts to draw, each by its number and the seed.", HelpName = "N", DefaultValueFactory = _ => 1 };
    private readonly Option<string[]> _stop = new("--stop") { Description = "A text that ends the sample; may be given several times. \\n stands for a line end.", HelpName = "TEXT" };
    private readonly Option<bool> _ignoreEos = new("--ignore-eos") { Description = "Go on after the model's end-of-text token." };

    public GenerateCommand()
        : base(
            "generate",
            "Let a model write.",
            ("generate --model examples/storyworld/model --prompt 'Once there was' --max-tokens 60 --seed 7", "One text, shown as it is written."),
            ("generate --model examples/storyworld/model --prompt 'At the wedding,' --samples 20 --max-tokens 24 --temperature 1.27 --top-p 0.7 --json", "Twenty samples side by side, one JSON object a line."),
            ("generate --model tests/fixtures/models/gpt2 --prompt-ids 5,6,7 --greedy --max-tokens 8 --json", "Token ids only: no tokenizer is needed."))
    {
        foreach (var option in new Option[] { _model, _prompt, _ids, _max, _temperature, _topP, _topK, _greedy, _seed, _samples, _stop, _ignoreEos }) Options.Add(option);
        Validators.Add(result =>
        {
            if (new Option[] { _prompt, _ids }.Count(o => result.GetResult(o) is { Implicit: false }) != 1) result.AddError("Give one of --prompt and --prompt-ids.");
            if (result.GetResult(_samples) is { Implicit: false } samples && samples.GetValueOrDefault<int>() < 1) result.AddError("--samples must be at least 1.");
        });
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        using var lease = FlowEngine.Shared.Model(options.GetValue(_model)!);
        var model = lease.Model;
        var text = options.GetValue(_prompt);
        var ids = text is null ? TokenOptions.Ids(options.GetValue(_ids)!) : model.Tokenizer.Encode(text);
        var decode = text is not null || File.Exists(Path.Combine(model.Folder, "tokenizer.json"));
        var how = new GenerationOptions
        {
            MaxTokens = options.GetValue(_max),
            Temperature = options.GetValue(_greedy) ? 0 : options.GetValue(_temperature),
            TopP = options.GetValue(_topP),
            TopK = options.GetValue(_topK),
            Seed = options.GetValue(_seed),
            Stop = [.. (options.GetValue(_stop) ?? []).Select(s => s.Replace("\\n", "\n", StringComparison.Ordinal))],
            StopAtEos = !options.GetValue(_ignoreEos),
        };
        var samples = options.GetValue(_samples);
        var prompts = Enumerable.Range(0, samples).Select(s => new GenerationPrompt(ids, s)).ToList();
        text ??= decode ? model.Tokenizer.Decode(ids, skipSpecial: true) : "";

        // one text is shown as it grows; several come in their order, each when it is whole
        var grows = samples == 1 && !context.Json && decode;
        if (grows) context.Out.Write(text);
        var finished = new SortedDictionary<int, GeneratedText>();
        var next = 0;
        foreach (var sample in new Generator(model, decode).Run(prompts, how, grows ? (_, t) => Show(context, t) : null, context.Cancel))
        {
            finished.Add(sample.Prompt, sample);
            while (finished.Remove(next, out var ready))
            {
                next++;
                if (grows) context.Out.WriteLine();
                else if (context.Json) context.Out.WriteLine(Json(ready, text).ToJsonString(Readable));
                else context.Out.WriteLine(decode ? (samples > 1 ? $"[{ready.Sample}] " : "") + text + ready.Text : string.Join(' ', ready.Ids));
            }
        }

        return 0;
    }

    private static void Show(ToolContext context, string text)
    {
        context.Out.Write(text);
        context.Out.Flush();
    }

    private static JsonObject Json(GeneratedText sample, string prompt) => new()
    {
        ["sample"] = sample.Sample,
        ["prompt"] = prompt,
        ["text"] = sample.Text,
        ["ids"] = new JsonArray([.. sample.Ids.Select(i => (JsonNode)i)]),
        ["end"] = sample.End.ToString().ToLowerInvariant(),
    };
}
