using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>An SAE as <c>Get-Sae</c> lists it: its place in the pack and what its files say. Flat, so that it can be exported.</summary>
public sealed record SaeSummary
{
    internal SaeSummary(string? pack, SaeInfo info, SaeReport? report)
    {
        Pack = pack;
        Layer = info.Layer;
        Site = info.Site?.Name();
        FeatureCount = info.FeatureCount;
        InputWidth = info.InputWidth;
        OutputWidth = info.OutputWidth;
        Architecture = info.Architecture;
        K = info.K;
        Format = info.Format;
        WeightType = info.WeightType.ToString();
        DeclaredL0 = info.DeclaredL0;
        InputTransform = info.InputTransform;
        ApplyBDecToInput = info.ApplyBDecToInput;
        IsTranscoder = info.IsTranscoder;
        ModelName = info.ModelName;
        HookName = info.HookName;
        NeuronpediaId = info.NeuronpediaId;
        Path = info.Path;
        Notes = info.Notes;
        Report = report;
    }

    /// <summary>The pack it was listed from, or null.</summary>
    public string? Pack { get; }

    /// <summary>Layer, when known.</summary>
    public int? Layer { get; }

    /// <summary>Site name, when known.</summary>
    public string? Site { get; }

    /// <summary>Number of features, F.</summary>
    public int FeatureCount { get; }

    /// <summary>Width of what it reads, d.</summary>
    public int InputWidth { get; }

    /// <summary>Width of what it writes.</summary>
    public int OutputWidth { get; }

    /// <summary>How activations are made.</summary>
    public SaeArchitecture Architecture { get; }

    /// <summary>k of TopK, number of groups of GroupMax.</summary>
    public int? K { get; }

    /// <summary>Layout on disk (docs/formats.md).</summary>
    public string Format { get; }

    /// <summary>Stored type of the weights.</summary>
    public string WeightType { get; }

    /// <summary>Mean number of active features that the release declares.</summary>
    public double? DeclaredL0 { get; }

    /// <summary>Input normalisation.</summary>
    public InputTransform InputTransform { get; }

    /// <summary>Whether b_dec is subtracted from the input.</summary>
    public bool ApplyBDecToInput { get; }

    /// <summary>Whether it reads one site and writes another.</summary>
    public bool IsTranscoder { get; }

    /// <summary>The model it was trained on.</summary>
    public string? ModelName { get; }

    /// <summary>The hook it was trained at.</summary>
    public string? HookName { get; }

    /// <summary><c>model/source</c> at Neuronpedia.</summary>
    public string? NeuronpediaId { get; }

    /// <summary>File or folder.</summary>
    public string Path { get; }

    /// <summary>Remarks.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>Whether the self-check found nothing wrong; null when it was not asked for.</summary>
    public bool? IsSound => Report?.IsSound;

    /// <summary>What the self-check found wrong.</summary>
    public IReadOnlyList<string> Problems => Report?.Problems ?? [];

    /// <summary>The self-check: arrays, thresholds, decoder norms; null when it was not asked for.</summary>
    public SaeReport? Report { get; }
}
