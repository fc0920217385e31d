using FeatureFlow.Models;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>What steering did to one text.</summary>
internal readonly record struct TextMeasures(double Norm, double Kl, double? Perplexity, double? Before, double? After);

/// <summary>
/// Measures finished texts, many together. The steered side was noted while they were written; the unsteered model reads what was written through the layers behind the
/// first edit, for before that both are one, and starts behind the prompt, which it has read before.
/// </summary>
internal sealed class SteeringMeasures : IDisposable
{
    private const int MostPositionsTogether = 256;
    private const int FewPositions = 48; // of a small model: their logits stay in the cache

    private readonly InterventionSet _set;
    private readonly SteeredTrace _trace;
    private readonly IReadOnlyList<SteeringPlan> _plans;
    private readonly IReadOnlyList<SteeringTask> _tasks;
    private readonly int[] _planOf;
    private readonly TargetReader _targets;
    private readonly UnsteeredPrompts _prompts;
    private readonly int _positionsTogether;
    private readonly Tensor _rows_TD;
    private readonly Tensor _hostRows_TD;
    private readonly Tensor _clean_TV;
    private readonly Tensor _numbers_T;
    private readonly Tensor _hostNumbers_T;
    private Tensor? _steered_TV;
    private Tensor? _entering_TD;
    private Tensor? _host_TD;
    private KvCache? _cache;

    public SteeringMeasures(SteeringWork work, SteeredTrace trace)
    {
        (_set, _trace, _plans, _tasks, _planOf) = (work.Edits, trace, work.Plans, work.Tasks, work.PlanOf);
        List<FeatureId> targets = [.. _plans.SelectMany(p => p.Targets).Distinct()];
        _targets = new TargetReader(work.Pack, Engine, targets);
        _prompts = new UnsteeredPrompts(Model, _targets, targets);
        _positionsTogether = work.Lanes > 1 ? FewPositions : MostPositionsTogether;
        _rows_TD = Engine.Allocate(DType.F32, _positionsTogether, Model.Config.Width);
        _hostRows_TD = Tensor.Allocate(DType.F32, _rows_TD.Shape);
        _clean_TV = Engine.Allocate(DType.F32, _positionsTogether, Model.Config.Vocabulary);
        _numbers_T = Engine.Allocate(DType.F32, _positionsTogether);
        _hostNumbers_T = Tensor.Allocate(DType.F32, _positionsTogether);
    }

    private LanguageModel Model => _set.Model;

    private ITensorEngine Engine => _set.Model.Engine;

    /// <summary>Measures texts.</summary>
    /// <param name="texts">Tasks, and the tokens that were written.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    public TextMeasures[] Of(IReadOnlyList<(int Task, int[] Written)> texts, CancellationToken cancel)
    {
        var measures = new TextMeasures[texts.Count];
        foreach (var group in texts.Select((t, i) => (t.Task, t.Written, Place: i)).GroupBy(t => (Entry: _set.EntryLayer(_planOf[t.Task]), IsNothing: _set.FirstLayer(_planOf[t.Task]) >= Model.Config.Layers)))
        {
            foreach (var (place, measured) in Of([.. group], group.Key.Entry, group.Key.IsNothing, cancel)) measures[place] = measured;
        }

        _trace.Forget(texts.Select(t => t.Task));
        return measures;
    }

    public void Dispose()
    {
        _cache?.Dispose();
        _prompts.Dispose();
        _targets.Dispose();
        foreach (var tensor in new[] { _rows_TD, _hostRows_TD, _clean_TV, _numbers_T, _hostNumbers_T, _steered_TV, _entering_TD, _host_TD }) tensor?.Dispose();
    }

    // texts whose plans have one entry layer
    private IEnumerable<(int Place, TextMeasures Measures)> Of(IReadOnlyList<(int Task, int[] Written, int Place)> texts, int entry, bool isNothing, CancellationToken cancel)
    {
        var readings = Read(texts, entry, isNothing, cancel);
        var (kl, loss) = Compare(readings, cancel);
        var at = 0;
        foreach (var reading in readings)
        {
            var count = reading.Predictions;
            var (prompt, written) = (reading.Prompt, reading.Text);
            var norms = Sum(prompt.Norms[0, reading.Ids.Length]) + Sum(written.Norms[0, count - 1]);
            yield return (reading.Place, new TextMeasures(
                norms / (reading.Ids.Length + count - 1),
                Sum(kl.AsSpan(at, count)) / count,
                reading.Written.Length > 0 ? Math.Exp(Sum(loss.AsSpan(at, count)) / count) : null,
                reading.Before,
                reading.After));
            at += count;
        }
    }

    // the unsteered model reads what was written
    private List<Reading> Read(IReadOnlyList<(int Task, int[] Written, int Place)> texts, int entry, bool isNothing, CancellationToken cancel)
    {
        var config = Model.Config;
        var readings = new List<Reading>();
        foreach (var (task, written, place) in texts)
        {
            var (prompt, text) = _trace.Of(task);
            readings.Add(new Reading(place, _tasks[task].Ids, written, prompt, text, _plans[_planOf[task]].Targets));
        }

        // plans that change nothing: the unsteered model is the one that wrote
        if (isNothing)
        {
            foreach (var reading in readings)
            {
                (reading.Before, reading.After) = (Steered(reading), Steered(reading));
                for (var i = 0; i < reading.Predictions; i++) reading.Clean.Put(i, reading.Steered(i));
            }

            return readings;
        }

        var further = readings.Where(r => r.Predictions > 1).ToList();
        var cache = further.Count > 0 ? Cache(further) : null;
        foreach (var reading in readings)
        {
            var prompt = _prompts.Of(reading.Ids, cancel);
            reading.Clean.Put(0, prompt.Leaving);
            reading.Before = reading.Targets.Sum(t => (double)prompt.Targets[t]);
            if (reading.Predictions > 1) cache!.CopyFrom(prompt.Cache, 0, reading.Row = further.IndexOf(reading), reading.Ids.Length, entry);
        }

        if (further.Count > 0)
        {
            // the last token that was written is not read by anybody
            var batch = TokenBatch.Continue(cache!, [.. further.Select(r => r.Written[..^1])]);
            var entering_TD = entry > 0 ? Entering(batch, further) : null;
            _targets.Forget();

            // a site that is edited there shows what it was before
            var before = new SiteAddress(entry - 1, Site.Res);
            if (entering_TD is not null && _targets.Wants(before)) _targets.Visit(before, entering_TD, batch);
            using var pass = entry < config.Layers
                ? Model.Forward(batch, new ForwardOptions { Cache = cache, FirstLayer = entry, Resid_TD = entering_TD, Hook = _targets, Logits = LogitsWanted.None }, cancel)
                : null;
            var leaving_TD = pass?.Resid_TD ?? entering_TD!;
            var host_TD = leaving_TD.Storage is HostStorage ? leaving_TD : Host(leaving_TD);
            foreach (var reading in further)
            {
                var run = batch.Rows[reading.Row];
                reading.Clean.Put(1, host_TD.AsSpan<float>().Slice(run.Token * config.Width, run.Count * config.Width));
                for (var i = 0; i < run.Count; i++)
                {
                    // below the edits both models are one
                    for (var t = 0; t < reading.Targets.Count; t++) reading.Before += _targets.Activation(reading.Targets[t], run.Token + i) ?? reading.SteeredTarget(i + 1, t);
                }

                cache!.Truncate(reading.Row, 0);
            }
        }

        foreach (var reading in readings)
        {
            reading.Before = reading.Targets.Count == 0 ? null : reading.Before / reading.Targets.Count / reading.Predictions;
            reading.After = Steered(reading);
        }

        return readings;
    }

    // by prediction of every text: divergence, and the unsteered model's loss of the token that was written there
    private (float[] Kl, float[] Loss) Compare(List<Reading> readings, CancellationToken cancel)
    {
        var positions = readings.SelectMany(r => Enumerable.Range(0, r.Predictions).Select(i => (Reading: r, At: i))).ToList();
        var (kl, loss) = (new float[positions.Count], new float[positions.Count]);
        for (var start = 0; start < positions.Count; start += _positionsTogether)
        {
            var n = Math.Min(_positionsTogether, positions.Count - start);
            var some = positions.GetRange(start, n);
            Logits(some, p => p.Reading.Clean[p.At], _clean_TV, cancel);
            Engine.CrossEntropy(_clean_TV.Rows(0, n), [.. some.Select(p => p.At < p.Reading.Written.Length ? p.Reading.Written[p.At] : -1)], _numbers_T.Rows(0, n));
            Numbers(loss.AsSpan(start, n));
            if (!some[0].Reading.KeepsLogits)
            {
                _steered_TV ??= Engine.Allocate(DType.F32, _clean_TV.Shape);
                Logits(some, p => p.Reading.Steered(p.At), _steered_TV, cancel);
                Engine.Divergence(_steered_TV.Rows(0, n), _clean_TV.Rows(0, n), _numbers_T.Rows(0, n));
            }
            else
            {
                // made while the texts were written, text by text
                for (int i = 0, count; i < n; i += count)
                {
                    var steered_TV = some[i].Reading.KeptLogits(some[i].At, n - i);
                    count = steered_TV.Shape[0];
                    Engine.Divergence(steered_TV, _clean_TV.Rows(i, count), _numbers_T.Rows(i, count));
                }
            }

            Numbers(kl.AsSpan(start, n));
        }

        return (kl, loss);

        void Numbers(Span<float> to)
        {
            Engine.Copy(_numbers_T.Rows(0, to.Length), _hostNumbers_T.Rows(0, to.Length));
            _hostNumbers_T.AsSpan<float>()[..to.Length].CopyTo(to);
        }
    }

    private delegate ReadOnlySpan<float> RowOf((Reading Reading, int At) position);

    private void Logits(List<(Reading Reading, int At)> positions, RowOf row, Tensor logits_TV, CancellationToken cancel)
    {
        var (n, width) = (positions.Count, Model.Config.Width);
        var rows = _hostRows_TD.AsSpan<float>();
        for (var i = 0; i < n; i++) row(positions[i]).CopyTo(rows.Slice(i * width, width));
        Engine.Copy(_hostRows_TD.Rows(0, n), _rows_TD.Rows(0, n));
        Model.Unembed(_rows_TD.Rows(0, n), logits_TV.Rows(0, n), cancel: cancel);
    }

    private KvCache Cache(List<Reading> readings)
    {
        if (_cache?.Rows >= readings.Count) return _cache;
        _cache?.Dispose();
        return _cache = Model.NewCache(readings.Count, readings.Max(r => r.Ids.Length + r.Written.Length));
    }

    private Tensor Entering(TokenBatch batch, List<Reading> readings)
    {
        var width = Model.Config.Width;
        var host_TD = Buffer(ref _host_TD, batch.Count, Tensor.Allocate);
        foreach (var reading in readings)
        {
            var run = batch.Rows[reading.Row];
            reading.Text.Entering[0, run.Count].CopyTo(host_TD.AsSpan<float>()[(run.Token * width)..]);
        }

        if (Engine.Lanes > 1) return host_TD; // it computes in host memory
        var entering_TD = Buffer(ref _entering_TD, batch.Count, Engine.Allocate);
        Engine.Copy(host_TD, entering_TD);
        return entering_TD;
    }

    private Tensor Host(Tensor x_TD)
    {
        var host_TD = Buffer(ref _host_TD, x_TD.Shape[0], Tensor.Allocate);
        Engine.Copy(x_TD, host_TD);
        return host_TD;
    }

    private delegate Tensor Allocation(DType type, params ReadOnlySpan<int> shape);

    private Tensor Buffer(ref Tensor? buffer, int rows, Allocation allocate)
    {
        if (buffer is null || buffer.Shape[0] < rows)
        {
            buffer?.Dispose();
            buffer = allocate(DType.F32, rows, Model.Config.Width);
        }

        return buffer.Rows(0, rows);
    }

    // activation of the targets in the model that wrote, mean over predictions and targets
    private static double? Steered(Reading reading)
    {
        if (reading.Targets.Count == 0) return null;
        double sum = 0;
        for (var i = 0; i < reading.Predictions; i++)
        {
            for (var t = 0; t < reading.Targets.Count; t++) sum += reading.SteeredTarget(i, t);
        }

        return sum / reading.Targets.Count / reading.Predictions;
    }

    private static double Sum(ReadOnlySpan<float> values)
    {
        double sum = 0;
        foreach (var v in values) sum += v;
        return sum;
    }

    // a text: what both models made of it. Prediction 0 is made at the prompt's last token, prediction i at the i-th token written
    private sealed class Reading(int place, int[] ids, int[] written, TokenNotes prompt, TokenNotes text, IReadOnlyList<FeatureId> targets)
    {
        public int Place => place;

        public int[] Ids => ids;

        public int[] Written => written;

        public TokenNotes Prompt => prompt;

        public TokenNotes Text => text;

        public IReadOnlyList<FeatureId> Targets => targets;

        public int Predictions => Math.Max(1, written.Length);

        public int Row { get; set; }

        public double? Before { get; set; }

        public double? After { get; set; }

        public NumberRows Clean { get; } = new(prompt.Leaving.Width);

        public ReadOnlySpan<float> Steered(int prediction) => prediction == 0 ? prompt.Leaving[ids.Length - 1] : text.Leaving[prediction - 1];

        public bool KeepsLogits => prompt.LogitRows > 0;

        // of so many successive predictions as lie together
        public Tensor KeptLogits(int prediction, int most) => prediction == 0 ? prompt.Logits(0, 1) : text.Logits(prediction - 1, Math.Min(most, Predictions - prediction));

        public float SteeredTarget(int prediction, int target) =>
            prediction == 0 ? prompt.Activation(ids.Length - 1, targets[target]) : text.Activation(prediction - 1, target);
    }
}
