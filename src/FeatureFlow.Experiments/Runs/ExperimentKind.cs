using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>A kind of experiment: what its YAML may say, and how it is prepared. One file under Kinds, one line in <see cref="ExperimentKinds"/>.</summary>
internal abstract class ExperimentKind
{
    /// <summary>What <c>kind:</c> says.</summary>
    public abstract string Name { get; }

    /// <summary>The whole document.</summary>
    public abstract YamlRecord Schema { get; }

    /// <summary>Records within the document, for the reference.</summary>
    public abstract IReadOnlyList<YamlRecord> Parts { get; }

    /// <summary>Opens what the file names and lists the units of work. Computes nothing.</summary>
    public abstract IExperiment Prepare(ExperimentFile file, CancellationToken cancel);

    /// <summary>The plan that a <c>resolved.yaml</c> says; needs no other file.</summary>
    public abstract IExperimentPlan Plan(ExperimentFile resolved);

    /// <summary>The keys that every kind has, before its own.</summary>
    protected static YamlField[] Common(string kind) =>
    [
        new("version", YamlType.Integer(1, 1), "Version of this form: 1.", Required: true),
        new("kind", YamlType.Choice(kind), $"What to do: {kind}.", Required: true),
        new("name", YamlType.Text, "Name shown in reports.", Default: "the file's name"),
        new("output", YamlType.Text, "Folder of the results, relative to this file.", Default: "<name>.out"),
    ];
}

/// <summary>
/// Settings with all defaults filled in, the units of work they mean, and how results are joined. Units are independent: any share of them can be
/// computed anywhere, in any order, with the same results.
/// </summary>
internal interface IExperimentPlan
{
    /// <summary>What decides the results but the files they come from: texts, numbers, lists and mappings, as the kind's YAML names them.</summary>
    IReadOnlyDictionary<string, object?> Settings { get; }

    /// <summary>Ids of the units, in the order of the results; each is a file name.</summary>
    IReadOnlyList<string> Units { get; }

    /// <summary>Joins the results of all units, in their order, to the files that users read.</summary>
    void Finish(string name, IReadOnlyList<string> results, RunOutputs outputs, CancellationToken cancel);
}

/// <summary>A plan with what it works on.</summary>
internal interface IExperiment
{
    /// <summary>The plan.</summary>
    IExperimentPlan Plan { get; }

    /// <summary>The pack: its file, folder or preset; null for an experiment without one.</summary>
    string? Pack { get; }

    /// <summary>Identity of the files that the results come from, by name.</summary>
    IReadOnlyDictionary<string, string> Inputs { get; }

    /// <summary>Remarks for the user.</summary>
    IReadOnlyList<string> Notes { get; }

    /// <summary>Told the folder of the results before anything is computed, for files of its own beside the units; with force, what an earlier run left of them goes.</summary>
    void Begin(string folder, bool force)
    {
    }

    /// <summary>Computes units, given by position, and hands over each one's JSON as soon as it is known.</summary>
    IEnumerable<(int Unit, string Json)> Compute(IReadOnlyList<int> units, IProgress<FlowProgress>? progress, CancellationToken cancel);
}

/// <summary>Every kind.</summary>
internal static class ExperimentKinds
{
    public static IReadOnlyList<ExperimentKind> All { get; } = [new FlowGraphKind(), new SaeTrainingExperimentKind(), new SteeringKind(), new MatchKind(), new ApproximationKind(), new GroupsKind(), new DeactivationKind()];

    public static ExperimentKind Of(YamlNode root, string source)
    {
        var names = All.Select(k => k.Name).ToArray();
        if (root is not YamlMap map) throw ExperimentErrors.YamlValue(source, root.Line, root.Column, "an experiment is a mapping with 'version', 'kind' and more.");
        if (map["kind"] is not { } kind) throw ExperimentErrors.YamlMissing(source, map.Line, map.Column, $"'kind' is missing: one of {string.Join(", ", names)}.");
        if (kind is YamlScalar { IsNull: false } scalar && All.FirstOrDefault(k => k.Name == scalar.Text) is { } found) return found;
        var text = (kind as YamlScalar)?.Text ?? "";
        var hint = Spelling.Nearest(text, names);
        throw ExperimentErrors.YamlValue(kind.Source, kind.Line, kind.Column, $"there is no kind '{text}'; {(hint is null ? $"kinds are {string.Join(", ", names)}" : $"did you mean '{hint}'?")}");
    }
}
