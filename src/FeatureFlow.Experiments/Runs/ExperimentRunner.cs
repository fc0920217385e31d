using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>How an experiment is run.</summary>
public sealed record RunOptions
{
    /// <summary>Folder of the results; null for the one that the file names.</summary>
    public string? Output { get; init; }

    /// <summary>The share to compute; anything but the whole leaves joining to <see cref="ExperimentRunner.Merge"/>.</summary>
    public Shard Shard { get; init; } = Shard.Whole;

    /// <summary>Throw away what the folder holds of other settings, and compute everything anew.</summary>
    public bool Force { get; init; }

    /// <summary>The command, for the manifest.</summary>
    public IReadOnlyList<string> CommandLine { get; init; } = [];
}

/// <summary>What a run did.</summary>
/// <param name="Folder">Folder of the results.</param>
/// <param name="Shard">Share computed.</param>
/// <param name="Units">Units of the share.</param>
/// <param name="Computed">Units computed now; the others were there already.</param>
/// <param name="Files">Result files, relative to the folder; none for a share of a run.</param>
/// <param name="Notes">Remarks.</param>
public sealed record RunReport(string Folder, string Shard, int Units, int Computed, IReadOnlyList<string> Files, IReadOnlyList<string> Notes);

/// <summary>Runs experiments: resumable unit by unit, in shares if asked, with the same results however it was cut up or interrupted.</summary>
public static class ExperimentRunner
{
    private const string BuildInput = "featureflow"; // results of two builds are not mixed

    /// <summary>Computes what is missing, then writes the results.</summary>
    /// <exception cref="FeatureFlowException">FF5030: the folder belongs to something else; and what the experiment's inputs may throw.</exception>
    public static RunReport Run(ExperimentFile file, RunOptions options, IProgress<FlowProgress>? progress = null, CancellationToken cancel = default)
    {
        var started = DateTime.UtcNow;
        var experiment = file.Kind.Prepare(file, cancel);
        var plan = experiment.Plan;
        var folder = new RunFolder(options.Output ?? file.DefaultOutput);
        var from = new Dictionary<string, string>(experiment.Inputs) { [BuildInput] = RunManifest.Version };
        IReadOnlyList<string> notes = folder.TryInputs() is { } before && before.GetValueOrDefault(BuildInput) is var build && build != RunManifest.Version && folder.HasUnits
            ? [.. experiment.Notes, $"The folder holds units of another build of FeatureFlow ({build ?? "an older one"}; this is {RunManifest.Version}): they are computed anew, so that all are of one."]
            : experiment.Notes;
        folder.Claim(ResolvedYaml.Write(file.KindName, file.Name, experiment.Pack is { } pack ? PackFrom(folder, pack) : null, plan.Settings), from, options.Force);

        var inputs = RunFolder.Hash(ResolvedYaml.Write(plan.Settings), from);
        var mine = Enumerable.Range(0, plan.Units.Count).Where(i => i % options.Shard.Count == options.Shard.Index).ToArray();
        var missing = mine.Where(i => options.Force || folder.TryUnit(plan.Units[i], inputs) is null).ToArray();
        if (missing.Length > 0) File.Delete(folder.Manifest); // it would speak of results that are about to change
        experiment.Begin(folder.Path, options.Force);
        foreach (var (unit, json) in experiment.Compute(missing, progress, cancel)) folder.WriteUnit(plan.Units[unit], inputs, json);

        var run = new RunRecord(file.Name, plan, from, notes, started, options.CommandLine);
        return new RunReport(folder.Path, options.Shard.ToString(), mine.Length, missing.Length, options.Shard == Shard.Whole ? Finish(run, inputs, [folder], folder, cancel) : [], notes);
    }

    /// <summary>
    /// Joins the shares of a run, which may lie in one folder or in several, to the results that an undivided run gives. Needs nothing but
    /// the folders.
    /// </summary>
    /// <param name="folders">Folders of shares.</param>
    /// <param name="output">Where to; the first folder when null.</param>
    /// <param name="commandLine">The command, for the manifest.</param>
    /// <param name="cancel">Honoured between units.</param>
    /// <exception cref="FeatureFlowException">FF5032: a unit is missing; FF5033: a folder holds no share, or one of another run.</exception>
    public static RunReport Merge(IReadOnlyList<string> folders, string? output, IReadOnlyList<string> commandLine, CancellationToken cancel = default)
    {
        var started = DateTime.UtcNow;
        var shares = folders.Select(f => new RunFolder(f)).ToArray();
        var first = Open(shares[0]);
        foreach (var share in shares[1..])
        {
            if (Open(share).Hash != first.Hash) throw ExperimentErrors.NotAShare(share.Path, $"it is of another run than {shares[0].Path}: settings, files or the build of FeatureFlow differ");
        }

        var target = output is null ? shares[0] : new RunFolder(output);
        var pack = first.File.Values.Text("pack") is { } p && !PackFile.Presets.Contains(p) ? Path.GetFullPath(Path.Combine(first.File.Folder, p)) : first.File.Values.Text("pack");
        if (target.Path != shares[0].Path) target.Claim(ResolvedYaml.Write(first.File.KindName, first.File.Name, pack is null ? null : PackFrom(target, pack), first.Plan.Settings), first.Inputs, force: false);
        var files = Finish(new RunRecord(first.File.Name, first.Plan, first.Inputs, [], started, commandLine), first.Hash, shares, target, cancel);
        return new RunReport(target.Path, Shard.Whole.ToString(), first.Plan.Units.Count, 0, files, []);
    }

    private static (ExperimentFile File, IExperimentPlan Plan, IReadOnlyDictionary<string, string> Inputs, string Hash) Open(RunFolder share)
    {
        if (!File.Exists(share.Resolved) || share.TryInputs() is not { } inputs) throw ExperimentErrors.NotAShare(share.Path, $"it has no {RunFolder.ResolvedName}, so no run was begun in it");
        var file = ExperimentFile.Load(share.Resolved);
        var plan = file.Kind.Plan(file);
        return (file, plan, inputs, RunFolder.Hash(ResolvedYaml.Write(plan.Settings), inputs));
    }

    private static IReadOnlyList<string> Finish(RunRecord run, string inputs, RunFolder[] shares, RunFolder target, CancellationToken cancel)
    {
        var results = new List<string>(run.Plan.Units.Count);
        var missing = new List<string>();
        foreach (var unit in run.Plan.Units)
        {
            cancel.ThrowIfCancellationRequested();
            var json = shares.Select(s => s.TryUnit(unit, inputs)).FirstOrDefault(j => j is not null);
            if (json is null) missing.Add(unit);
            else results.Add(json);
        }

        if (missing.Count > 0) throw ExperimentErrors.UnitsMissing(shares[0].Path, missing, run.Plan.Units.Count);
        var outputs = new RunOutputs(target.Path);
        run.Plan.Finish(run.Name, results, outputs, cancel);
        RunManifest.Write(target, run, inputs, outputs.Files);
        return outputs.Files;
    }

    // as resolved.yaml names it: relative, so that folders can be moved together
    private static string PackFrom(RunFolder folder, string pack) =>
        Path.IsPathFullyQualified(pack) ? Path.GetRelativePath(folder.Path, pack).Replace('\\', '/') : pack;
}

/// <summary>What a manifest tells.</summary>
internal sealed record RunRecord(
    string Name, IExperimentPlan Plan, IReadOnlyDictionary<string, string> Inputs, IReadOnlyList<string> Notes, DateTime Started, IReadOnlyList<string> Command);
