using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>The tables of causal tests (docs/groups.md).</summary>
public static class CausalTables
{
    /// <summary><c>causal.csv</c>.</summary>
    public static TableColumns<CausalRow> Rows { get; } = new(
        ("seq", r => r.Target.Sequence),
        ("pos", r => r.Target.Position),
        ("layer", r => r.Target.Layer),
        ("feature", r => r.Target.Feature),
        ("strategy", r => r.Strategy),
        ("group", r => r.Group.Name()),
        ("removed", r => string.Join(' ', r.Removed)),
        ("z_old", r => r.ZOld),
        ("z_new", r => r.ZNew),
        ("pre_new", r => r.PreNew),
        ("theta", r => r.Threshold),
        ("activation_change", r => r.ActivationChange),
        ("deactivated", r => r.Deactivated ? 1 : 0),
        ("group_after", r => r.GroupAfterName),
        ("z_new_recorded", r => r.ZNewRecorded));

    /// <summary><c>one_at_a_time.csv</c>.</summary>
    public static TableColumns<OneSiteRow> OneSite { get; } = new(
        ("seq", r => r.Row.Target.Sequence),
        ("pos", r => r.Row.Target.Position),
        ("layer", r => r.Row.Target.Layer),
        ("feature", r => r.Row.Target.Feature),
        ("group", r => r.Row.Group.Name()),
        ("removed_site", r => r.Site.SiteName()),
        ("z_new", r => r.Row.ZNew),
        ("pre_new", r => r.Row.PreNew),
        ("activation_change", r => r.Row.ActivationChange),
        ("deactivated", r => r.Row.Deactivated ? 1 : 0),
        ("group_after", r => r.Row.GroupAfterName));

    /// <summary><c>rsweep.csv</c>.</summary>
    public static TableColumns<RescaleRow> Sweep { get; } = new(
        ("seq", r => r.Row.Target.Sequence),
        ("pos", r => r.Row.Target.Position),
        ("layer", r => r.Row.Target.Layer),
        ("feature", r => r.Row.Target.Feature),
        ("group", r => r.Row.Group.Name()),
        ("r", r => r.R),
        ("z_old", r => r.Row.ZOld),
        ("z_new", r => r.Row.ZNew),
        ("pre_new", r => r.Row.PreNew),
        ("theta", r => r.Row.Threshold),
        ("activation_change", r => r.Row.ActivationChange));

    /// <summary><c>loss.csv</c>.</summary>
    public static TableColumns<CutLossRow> Losses { get; } = new(
        ("seq", r => r.Target.Sequence),
        ("pos", r => r.Target.Position),
        ("layer", r => r.Target.Layer),
        ("feature", r => r.Target.Feature),
        ("removed", r => string.Join(' ', r.Removed)),
        ("r", r => r.R),
        ("loss_old", r => r.LossOld),
        ("loss_new", r => r.LossNew),
        ("relative_loss_change", r => r.RelativeChange));

    /// <summary><c>summary.csv</c>.</summary>
    public static TableColumns<CausalSummary> Summary { get; } = new(
        ("strategy", s => s.Strategy),
        ("layer", s => s.Layer is { } layer ? layer : "all"),
        ("group", s => s.Group?.Name() ?? "all"),
        ("targets", s => s.Targets),
        ("with_active_predecessor", s => s.WithPredecessor),
        ("deactivated", s => s.Deactivated),
        ("success_rate", s => s.Success?.Value),
        ("mean_activation_change", s => s.Change?.Value),
        ("success_low", s => Known(s.Success?.Low)),
        ("success_high", s => Known(s.Success?.High)),
        ("change_low", s => Known(s.Change?.Low)),
        ("change_high", s => Known(s.Change?.High)));

    /// <summary><c>claims.csv</c>.</summary>
    public static TableColumns<CausalClaim> Claims { get; } = new(
        ("claim", c => c.Claim),
        ("quantity", c => c.Quantity),
        ("estimate", c => c.Estimate.Value),
        ("low", c => Known(c.Estimate.Low)),
        ("high", c => Known(c.Estimate.High)),
        ("texts", c => c.Estimate.Count),
        ("targets", c => c.Targets),
        ("verdict", c => c.Verdict.ToString().ToLowerInvariant()));

    /// <summary><c>methods.csv</c>.</summary>
    public static TableColumns<MethodComparison> Methods { get; } = new(
        ("method", m => m.Method),
        ("targets", m => m.Targets),
        ("with_active_predecessor", m => m.WithPredecessor),
        ("success_rate", m => m.Success.Value),
        ("success_low", m => Known(m.Success.Low)),
        ("success_high", m => Known(m.Success.High)),
        ("mean_activation_change", m => m.Change.Value),
        ("change_low", m => Known(m.Change.Low)),
        ("change_high", m => Known(m.Change.High)));

    /// <summary>Writes every table of a report into a folder.</summary>
    public static void Write(CausalReport report, string folder, bool excel = false)
    {
        Rows.Write(Path.Combine(folder, "causal.csv"), report.Rows, excel);
        OneSite.Write(Path.Combine(folder, "one_at_a_time.csv"), report.OneSite, excel);
        Summary.Write(Path.Combine(folder, "summary.csv"), report.Summary(), excel);
        Sweep.Write(Path.Combine(folder, "rsweep.csv"), report.Sweep, excel);
        Losses.Write(Path.Combine(folder, "loss.csv"), report.Losses, excel);
        var claims = new CausalClaims(report);
        Claims.Write(Path.Combine(folder, "claims.csv"), claims.All(), excel);
        Methods.Write(Path.Combine(folder, "methods.csv"), claims.Methods(), excel);
    }

    /// <summary>Targets of a file with the columns seq, pos, layer and feature, each once; with the strategies of its column <c>strategy</c>, if it has one.</summary>
    /// <exception cref="FeatureFlowException">FF5023: a column is missing, or an entry is no number; FF5006: unreadable.</exception>
    public static (IReadOnlyList<CausalTarget> Targets, IReadOnlyList<string> Strategies) ReadTargets(string path)
    {
        CausalTarget[] targets = [.. GroupTables.ReadNumbers(path, "seq", "pos", "layer", "feature").Select(r => new CausalTarget(r[0], r[1], r[2], r[3])).Distinct()];
        using var text = new StreamReader(path);
        var table = CsvTable.Read(path, text);
        var column = table.Column("strategy");
        return (targets, column < 0 ? [] : [.. table.Rows.Select(r => r.Fields[column]).Distinct()]);
    }

    private static double? Known(double? value) => value is { } v && !double.IsNaN(v) ? v : null;
}
