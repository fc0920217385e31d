using FeatureFlow.Models;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>What steering did to one text.</summary>
internal readonly record struct TextMeasures(double Norm, double Kl, double? Perplexity, double? Before, double? After);

/// <summary>
/// Measures finished texts, many together: one pass through the layers below all edits, then one pass without and one with the edits through those above.
/// </summary>
internal sealed class SteeringMeasures(OpenedPack pack, InterventionSet set, IReadOnlyList<SteeringPlan> plans) : IDisposable
{
    private const int PositionsTogether = 256;

    private readonly TargetReader _clean = new(pack, set.Model.Engine, plans.SelectMany(p => p.Targets));
    private readonly TargetReader _steered = new(pack, set.Model.Engine, plans.SelectMany(p => p.Targets));

    /// <summary>Measures texts.</summary>
    /// <param name="texts">The plan, where it acts, tokens of the prompt and what was written.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    public TextMeasures[] Of(IReadOnlyList<(int Plan, EditPositions Positions, int[] Prompt, int[] Written)> texts, CancellationToken cancel)
    {
        // the last token that was written is not read by anybody
        var batch = new TokenBatch([.. texts.Select(t => (int[])[.. t.Prompt, .. t.Written.SkipLast(1)])]);
        var model = set.Model;
        var first = texts.Min(t => set.FirstLayer(t.Plan));
        _clean.Forget();
        _steered.Forget();
        using var below = first > 0 ? Pass(0, first - 1, null, _clean) : null;
        using var clean = first < model.Config.Layers ? Pass(first, model.Config.Layers - 1, below?.Resid_TD, _clean) : null;
        using var hook = set.Hook([.. texts.Select(t => new RowEdits(t.Plan, t.Positions))]);
        hook.Norms = new float[batch.Count];
        using var steered = clean is null ? null : Pass(first, model.Config.Layers - 1, below?.Resid_TD, new SiteHooks(hook, _steered));

        var measures = new TextMeasures[texts.Count];
        var (kl, loss) = Compare(batch, texts, (clean ?? below!).Resid_TD, steered?.Resid_TD, cancel);
        for (var i = 0; i < texts.Count; i++)
        {
            var run = batch.Rows[i];
            var from = run.Token + texts[i].Prompt.Length - 1;
            var count = run.Token + run.Count - from;
            var written = texts[i].Written.Length;
            var targets = plans[texts[i].Plan].Targets;
            measures[i] = new TextMeasures(
                Mean(hook.Norms.AsSpan(run.Token, run.Count)),
                Mean(kl.AsSpan(from, count)),
                written > 0 ? Math.Exp(Mean(loss.AsSpan(from, written))) : null,
                Activation(targets, _clean, from, count),
                Activation(targets, _steered, from, count));
        }

        return measures;

        ForwardResult Pass(int from, int to, Tensor? resid_TD, ISiteHook seen) =>
            model.Forward(batch, new ForwardOptions { FirstLayer = from, LastLayer = to, Resid_TD = resid_TD, Hook = seen, Logits = LogitsWanted.None }, cancel);
    }

    public void Dispose()
    {
        _clean.Dispose();
        _steered.Dispose();
    }

    // by token of the batch: divergence at every position that predicts, and the unsteered model's loss of the token that was written there
    private (float[] Kl, float[] Loss) Compare(TokenBatch batch, IReadOnlyList<(int Plan, EditPositions Positions, int[] Prompt, int[] Written)> texts, Tensor clean_TD, Tensor? steered_TD, CancellationToken cancel)
    {
        var (kl, loss) = (new float[batch.Count], new float[batch.Count]);
        var positions = new List<(int Token, int Next)>();
        for (var i = 0; i < texts.Count; i++)
        {
            var run = batch.Rows[i];
            for (var p = texts[i].Prompt.Length - 1; p < run.Count; p++)
            {
                var next = p - texts[i].Prompt.Length + 1;
                positions.Add((run.Token + p, next < texts[i].Written.Length ? texts[i].Written[next] : 0));
            }
        }

        var model = set.Model;
        var (width, vocabulary) = (model.Config.Width, model.Config.Vocabulary);
        using var rows_TD = model.Engine.Allocate(DType.F32, PositionsTogether, width);
        using var logits_TV = model.Engine.Allocate(DType.F32, PositionsTogether, vocabulary);
        using var c_TV = Tensor.Allocate(DType.F32, PositionsTogether, vocabulary);
        using var s_TV = Tensor.Allocate(DType.F32, PositionsTogether, vocabulary);
        for (var start = 0; start < positions.Count; start += PositionsTogether)
        {
            var some = positions.Skip(start).Take(PositionsTogether).ToArray();
            Logits(clean_TD, some, c_TV);
            if (steered_TD is not null) Logits(steered_TD, some, s_TV);
            Parallel.For(0, some.Length, i =>
            {
                var c = c_TV.AsSpan<float>().Slice(i * vocabulary, vocabulary);
                var logSum = Predictions.LogSumExp(c);
                loss[some[i].Token] = (float)(logSum - c[some[i].Next]);
                if (steered_TD is null) return;
                var s = s_TV.AsSpan<float>().Slice(i * vocabulary, vocabulary);
                kl[some[i].Token] = (float)Predictions.Divergence(s, Predictions.LogSumExp(s), c, logSum);
            });
        }

        return (kl, loss);

        void Logits(Tensor resid_TD, (int Token, int Next)[] some, Tensor host_TV)
        {
            var n = some.Length;
            model.Engine.GatherRows(resid_TD, [.. some.Select(p => p.Token)], rows_TD.Rows(0, n));
            model.Unembed(rows_TD.Rows(0, n), logits_TV.Rows(0, n), cancel: cancel);
            model.Engine.Copy(logits_TV.Rows(0, n), host_TV.Rows(0, n));
        }
    }

    private double? Activation(IReadOnlyList<FeatureId> targets, TargetReader reader, int from, int count)
    {
        if (targets.Count == 0) return null;
        double sum = 0;
        foreach (var target in targets)
        {
            // below every edit both models are one
            for (var t = from; t < from + count; t++) sum += reader.Activation(target, t) ?? _clean.Activation(target, t)!.Value;
        }

        return sum / targets.Count / count;
    }

    private static double Mean(ReadOnlySpan<float> values)
    {
        double sum = 0;
        foreach (var v in values) sum += v;
        return sum / values.Length;
    }
}
