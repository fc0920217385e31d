using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Models.Generation;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow steer</c>: text from a model whose features are steered.</summary>
internal sealed class SteerCommand : ToolCommand
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Option<string> _pack = PackOptions.Pack();
    private readonly Option<string[]> _plans = new("--plan") { Description = "A steering plan (.yaml), or several (.csv); may be given several times (docs/steering.md).", HelpName = "FILE" };
    private readonly Option<string?> _settings = new("--settings") { Description = "Settings as a steer.json lists them, each with its prompt, written greedily; results that the file holds are compared with.", HelpName = "FILE" };
    private readonly Option<string[]> _prompts = new("--prompt") { Description = "How the text begins; may be given several times.", HelpName = "TEXT" };
    private readonly Option<string[]> _ids = new("--prompt-ids") { Description = "The same as token ids, taken as they are; for models without tokenizer too.", HelpName = "N,N,...", AllowMultipleArgumentsPerToken = true };
    private readonly Option<string?> _model = new("--model", "-m") { Description = "Model: the folder of a checkpoint, or a hub id that the local cache has; the pack's unless given.", HelpName = "DIR" };
    private readonly Option<int?> _max = new("--max-tokens") { Description = "New tokens at most; 36 unless given, with --settings what the file says.", HelpName = "N" };
    private readonly Option<int> _samples = new("--samples", "-n") { Description = "Texts of each plan and prompt, by number and seed; equal numbers draw alike under every plan.", HelpName = "N", DefaultValueFactory = _ => 1 };
    private readonly Option<float> _temperature = new("--temperature") { Description = "0 takes the likeliest token every time.", HelpName = "T", DefaultValueFactory = _ => SteeringOptions.PaperGeneration.Temperature };
    private readonly Option<float> _topP = new("--top-p") { Description = "Draw from the likeliest tokens of this probability together.", HelpName = "P", DefaultValueFactory = _ => SteeringOptions.PaperGeneration.TopP };
    private readonly Option<bool> _greedy = new("--greedy") { Description = "The same as --temperature 0." };
    private readonly Option<ulong> _seed = new("--seed") { Description = "Seed of the draws.", HelpName = "S", DefaultValueFactory = _ => 0 };
    private readonly Option<string> _tokens = PackOptions.Choice("--tokens", [], "Tokens that are steered.", SteeredTokens.All);
    private readonly Option<string[]> _stop = new("--stop") { Description = "A text that ends the sample; may be given several times. \\n stands for a line end.", HelpName = "TEXT" };
    private readonly Option<bool> _ignoreEos = new("--ignore-eos") { Description = "Go on after the model's end-of-text token." };
    private readonly Option<bool> _noBaseline = new("--no-baseline") { Description = "Leave out the unsteered texts that are written beside." };
    private readonly Option<bool> _noMeasures = new("--no-measures") { Description = "Measure nothing: no perturbation, divergence, perplexity, activation." };
    private readonly Option<int> _rows = new("--rows") { Description = "Texts written side by side.", HelpName = "N", DefaultValueFactory = _ => 64 };
    private readonly Option<string?> _out = new("--out", "-o") { Description = "Folder for the results: samples.csv and plans.csv, or steer.json with --settings.", HelpName = "DIR" };
    private readonly Option<bool> _excel = PackOptions.Excel();

    public SteerCommand()
        : base(
            "steer",
            "Let a model write while features are brought in or removed; every text beside the unsteered one, with what steering did to it.",
            ("steer --pack examples/storyworld --plan examples/steering/sea-in.yaml --prompt 'At the wedding,' --samples 3 --out steered", "Three texts with and without; samples.csv says what steering did."),
            ("steer --pack examples/storyworld --plan examples/steering/sea-out.yaml --prompt 'The ship sailed to the island.' --samples 5 --json", "Without what stands for the sea, one JSON object a line."))
    {
        foreach (var option in new Option[] { _pack, _plans, _settings, _prompts, _ids, _model, _max, _samples, _temperature, _topP, _greedy, _seed, _tokens, _stop, _ignoreEos, _noBaseline, _noMeasures, _rows, _out, _excel }) Options.Add(option);
        Validators.Add(result =>
        {
            bool Given(Option o) => result.GetResult(o) is { Implicit: false };
            if (Given(_plans) == Given(_settings)) result.AddError("Give one of --plan and --settings.");
            if (Given(_prompts) && Given(_ids) || Given(_plans) && !Given(_prompts) && !Given(_ids)) result.AddError("Give one of --prompt and --prompt-ids.");
            if (result.GetResult(_samples) is { Implicit: false } samples && samples.GetValueOrDefault<int>() < 1) result.AddError("--samples must be at least 1.");
        });
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var pack = context.Open(options.GetValue(_pack)!);
        using var lease = FlowEngine.Shared.Model(options.GetValue(_model) ?? pack.Pack.Model ?? throw ToolErrors.NoModel(pack.Pack.Source));
        var model = lease.Model;
        var prompts = Prompts(options, model);
        if (options.GetValue(_settings) is { } settings) return RunSettings(settings, options, context, pack, model, prompts);

        var plans = options.GetValue(_plans)!.SelectMany(SteeringPlanFile.Read).ToList();
        if (!options.GetValue(_noBaseline)) plans.Insert(0, SteeringPlan.Unsteered);
        var tasks = (from prompt in prompts from plan in plans from sample in Enumerable.Range(0, options.GetValue(_samples)) select new SteeringTask(plan, prompt.Ids, prompt.Text, sample)).ToList();
        var how = new SteeringOptions
        {
            Tokens = Enum.Parse<SteeredTokens>(options.GetValue(_tokens)!, ignoreCase: true),
            Measure = !options.GetValue(_noMeasures),
            Generation = new GenerationOptions
            {
                MaxTokens = options.GetValue(_max) ?? SteeringOptions.PaperGeneration.MaxTokens,
                Temperature = options.GetValue(_greedy) ? 0 : options.GetValue(_temperature),
                TopP = options.GetValue(_topP),
                Seed = options.GetValue(_seed),
                Stop = [.. (options.GetValue(_stop) ?? []).Select(s => s.Replace("\\n", "\n", StringComparison.Ordinal))],
                StopAtEos = !options.GetValue(_ignoreEos),
                RowsTogether = options.GetValue(_rows),
            },
        };

        var results = new List<SteeringResult>();
        foreach (var result in Steerer.Run(pack, model, tasks, how, context.Cancel))
        {
            results.Add(result);
            Show(result, context);
        }

        if (options.GetValue(_out) is { } folder)
        {
            Tables.Steering.Write(Path.Combine(folder, "samples.csv"), results, options.GetValue(_excel));
            SteeringPlanFile.Columns.Write(Path.Combine(folder, "plans.csv"), SteeringPlanFile.RowsOf(plans));
            context.Note($"{results.Count} texts in {Path.Combine(folder, "samples.csv")}");
        }

        return 0;
    }

    private int RunSettings(string file, ParseResult options, ToolContext context, OpenedPack pack, LanguageModel model, List<(int[] Ids, string Text)> prompts)
    {
        var settings = SteeringSettings.Load(file);
        var report = settings.Run(pack, model, prompts.Count > 0 ? prompts[0].Ids : null, options.GetValue(_max), context.Cancel);
        if (options.GetValue(_out) is { } folder)
        {
            AtomicFile.WriteText(Path.Combine(folder, "steer.json"), report.Json);
            context.Note($"{report.Rows.Count} settings in {Path.Combine(folder, "steer.json")}");
        }

        context.Show(Tables.SteeringSettings, report.Rows);
        var compared = report.Rows.Where(r => r.TokensAgree is not null).ToList();
        if (compared.Count > 0) context.Note(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{compared.Count(r => r.TokensAgree == true)} of {compared.Count} settings write the tokens of {Path.GetFileName(file)}; first logits within {compared.Max(r => r.LogitDifference):G2}"));
        return 0;
    }

    private List<(int[] Ids, string Text)> Prompts(ParseResult options, LanguageModel model)
    {
        if (options.GetValue(_ids) is { Length: > 0 } words)
        {
            var ids = TokenOptions.Ids(words);
            return [(ids, File.Exists(Path.Combine(model.Folder, "tokenizer.json")) ? model.Tokenizer.Decode(ids, skipSpecial: true) : "")];
        }

        return [.. (options.GetValue(_prompts) ?? []).Select(p => (model.Tokenizer.Encode(p), p))];
    }

    private static void Show(SteeringResult result, ToolContext context)
    {
        if (context.Json)
        {
            context.Out.WriteLine(Tables.Steering.Object(result).ToJsonString(Readable));
            return;
        }

        context.Out.WriteLine($"[{result.Plan}] {result.Prompt}{result.Text.ReplaceLineEndings(" ")}");
    }
}
