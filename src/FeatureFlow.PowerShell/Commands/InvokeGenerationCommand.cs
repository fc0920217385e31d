using System.Management.Automation;
using FeatureFlow.Flow;
using FeatureFlow.Models.Generation;

namespace FeatureFlow.PowerShell;

/// <summary>Invoke-Generation: text from a model, one object a sample, as soon as it is finished.</summary>
[Cmdlet(VerbsLifecycle.Invoke, "Generation", DefaultParameterSetName = ByText)]
[OutputType(typeof(GenerationSample))]
public sealed class InvokeGenerationCommand : ModelCmdlet
{
    private const string ByText = "Prompt";
    private const string ByIds = "PromptIds";

    /// <summary>How the texts begin.</summary>
    [Parameter(ParameterSetName = ByText, Mandatory = true, Position = 1, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, HelpMessage = "How the text begins")]
    [AllowEmptyString]
    public string[] Prompt { get; set; } = [];

    /// <summary>The same as token ids.</summary>
    [Parameter(ParameterSetName = ByIds, Mandatory = true, ValueFromPipelineByPropertyName = true, HelpMessage = "Token ids, taken as they are")]
    public int[] PromptIds { get; set; } = [];

    /// <summary>New tokens at most.</summary>
    [Parameter(HelpMessage = "New tokens at most")]
    [ValidateRange(1, int.MaxValue)]
    public int MaxTokens { get; set; } = 128;

    /// <summary>0 for the likeliest token every time.</summary>
    [Parameter(HelpMessage = "0 takes the likeliest token every time")]
    public float Temperature { get; set; } = 1;

    /// <summary>Probability that stays.</summary>
    [Parameter(HelpMessage = "Draw from the likeliest tokens of this probability together")]
    public float TopP { get; set; } = 1;

    /// <summary>Tokens that stay.</summary>
    [Parameter(HelpMessage = "Draw from so many of the likeliest tokens; 0 for all")]
    public int TopK { get; set; }

    /// <summary>Seed of the draws.</summary>
    [Parameter(HelpMessage = "Seed of the draws")]
    public ulong Seed { get; set; }

    /// <summary>Samples of every prompt.</summary>
    [Parameter(HelpMessage = "Samples of every prompt")]
    [ValidateRange(1, int.MaxValue)]
    public int Samples { get; set; } = 1;

    /// <summary>Texts that end a sample.</summary>
    [Parameter(HelpMessage = "Texts that end a sample")]
    public string[] Stop { get; set; } = [];

    /// <summary>Goes on after the end-of-text token.</summary>
    [Parameter(HelpMessage = "Go on after the model's end-of-text token")]
    public SwitchParameter IgnoreEos { get; set; }

    private protected override (int Id, string Text) Activity => (7006, "Generating");

    private protected override void Process()
    {
        var folder = ModelPath;
        var options = new GenerationOptions { MaxTokens = MaxTokens, Temperature = Temperature, TopP = TopP, TopK = TopK, Seed = Seed, Stop = Stop, StopAtEos = !IgnoreEos };
        var (texts, ids) = (ParameterSetName == ByText ? Prompt : null, PromptIds);
        foreach (var sample in Stream(cancel => Draw(folder, texts, ids, options, cancel))) WriteObject(sample);
    }

    private IEnumerable<GenerationSample> Draw(string folder, string[]? texts, int[] ids, GenerationOptions options, CancellationToken cancel)
    {
        using var lease = FlowEngine.Shared.Model(folder);
        var model = lease.Model;
        var decode = texts is not null || File.Exists(Path.Combine(model.Folder, "tokenizer.json"));
        var prompts = new List<(string Text, GenerationPrompt Prompt)>();
        foreach (var text in texts ?? [decode ? model.Tokenizer.Decode(ids, skipSpecial: true) : ""])
        {
            var tokens = texts is null ? ids : model.Tokenizer.Encode(text);
            for (var s = 0; s < Samples; s++) prompts.Add((text, new GenerationPrompt(tokens, s)));
        }

        foreach (var (done, sample) in new Generator(model, decode).Run([.. prompts.Select(p => p.Prompt)], options, null, cancel).Index())
        {
            Progress.Report(new FlowProgress($"sample {done + 1} of {prompts.Count}", (done + 1.0) / prompts.Count));
            yield return new GenerationSample(folder, prompts[sample.Prompt].Text, sample.Sample, options.Seed, sample.Text, sample.Ids, sample.End);
        }
    }
}

/// <summary>One text of a model.</summary>
/// <param name="Model">Its folder.</param>
/// <param name="Prompt">How it begins.</param>
/// <param name="Sample">Its number.</param>
/// <param name="Seed">Seed of the draws.</param>
/// <param name="Text">What the model wrote after the prompt.</param>
/// <param name="Ids">Its tokens.</param>
/// <param name="End">Why it ended.</param>
public sealed record GenerationSample(string Model, string Prompt, int Sample, ulong Seed, string Text, int[] Ids, GenerationEnd End);
