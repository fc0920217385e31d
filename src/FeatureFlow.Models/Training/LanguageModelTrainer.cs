using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Training;

/// <summary>
/// Trains a Llama-shaped language model on the processor. State is parameters, two moments and the number of the step; rows are drawn by their
/// index: so that a run that was killed and taken up again ends in the same bits as one that was not, for any number of threads.
/// </summary>
public sealed unsafe class LanguageModelTrainer : IDisposable
{
    private readonly TrainingPlan _plan;
    private readonly ITrainingRows _rows;
    private readonly ITensorEngine _engine;
    private readonly LlamaNetwork _network;
    private readonly LlamaParameters _weights;
    private readonly LlamaParameters _gradient;
    private readonly LlamaParameters _first;
    private readonly LlamaParameters _second;
    private Task<int[]>? _ahead;

    /// <summary>A model with fresh weights.</summary>
    public LanguageModelTrainer(TrainingPlan plan, ITrainingRows rows, ITensorEngine engine)
    {
        (_plan, _rows, _engine) = (plan, rows, engine);
        _network = new LlamaNetwork(plan.Shape, plan.RowsAtOnce, engine);
        (_weights, _gradient, _first, _second) = (new(plan.Shape), new(plan.Shape), new(plan.Shape), new(plan.Shape));
        _weights.Draw(plan.Seed);
    }

    /// <summary>Steps taken.</summary>
    public long Step { get; private set; }

    internal LlamaParameters Weights => _weights;

    /// <summary>Takes up a checkpoint of <see cref="Save"/>, when there is one.</summary>
    /// <exception cref="FeatureFlowException">FF2401: it belongs to another plan.</exception>
    public bool TryResume(string path)
    {
        if (!File.Exists(path)) return false;
        using var file = SafetensorsFile.Open(path);
        if (file.Metadata.GetValueOrDefault("plan") != _plan.Identity(_rows.Identity)) throw ModelErrors.OtherPlan(path);
        foreach (var (name, tensor) in State()) _engine.Copy(file.Get(name), tensor);
        Step = long.Parse(file.Metadata["step"], System.Globalization.CultureInfo.InvariantCulture);
        _ahead = null;
        return true;
    }

    /// <summary>Writes parameters, moments and step, whole or not at all.</summary>
    /// <exception cref="FeatureFlowException">FF2030: cannot be written.</exception>
    public void Save(string path) =>
        SafetensorsFile.Write(path, new Dictionary<string, string> { ["plan"] = _plan.Identity(_rows.Identity), ["step"] = FormattableString.Invariant($"{Step}") }, State());

    /// <summary>Takes one step.</summary>
    /// <exception cref="FeatureFlowException">FF2402: the loss is no number any more.</exception>
    public TrainingStep Advance()
    {
        // the next rows are told while this step is computed
        var ids = (_ahead ?? Task.Run(() => Rows(Step * _plan.Rows))).GetAwaiter().GetResult();
        var next = (Step + 1) * _plan.Rows;
        _ahead = Task.Run(() => Rows(next));
        _gradient.Flat.AsSpan<float>().Clear();
        var (loss, tokens) = Loss(ids, _gradient);
        if (!double.IsFinite(loss)) throw ModelErrors.Diverged(Step + 1, loss);
        Step++;
        var norm = Norm(_gradient.Flat);
        var rate = _plan.Rate(Step);
        if (norm > _plan.Clip) RowKernels.Scale(Pointers.Of(_gradient.Flat), (float)(_plan.Clip / norm), (int)_gradient.Flat.Count);
        RowKernels.Scale(Pointers.Of(_weights.Flat), (float)(1 - (rate * _plan.Decay)), _weights.MatrixCount);
        _engine.AdamStep(_weights.Flat, _gradient.Flat, _first.Flat, _second.Flat, new AdamOptions((float)rate, (float)_plan.Beta1, (float)_plan.Beta2, 1e-8f, Step));
        return new TrainingStep(Step, loss, rate, norm, tokens);
    }

    /// <summary>Mean cross-entropy in nats per predicted token over <paramref name="count"/> rows from <paramref name="start"/> on; a multiple of the rows of a step.</summary>
    public double Evaluate(ITrainingRows rows, long start, int count)
    {
        var (sum, all) = (0.0, 0L);
        for (var at = 0; at < count; at += _plan.Rows)
        {
            var (loss, tokens) = Loss(Rows(start + at, rows), null);
            if (tokens == 0) continue;
            sum += loss * tokens;
            all += tokens;
        }

        return sum / all;
    }

    /// <summary>Writes the model as an ordinary Hugging Face Llama folder: config.json, generation_config.json, model.safetensors in float16.</summary>
    /// <exception cref="FeatureFlowException">FF2030: cannot be written.</exception>
    public void Export(string folder, int bos, int eos) => LlamaExport.Write(folder, _plan.Shape, _weights, _engine, bos, eos);

    /// <inheritdoc/>
    public void Dispose()
    {
        _network.Dispose();
        foreach (var p in (LlamaParameters[])[_weights, _gradient, _first, _second]) p.Dispose();
    }

    private (double Loss, int Tokens) Loss(int[] ids, LlamaParameters? gradient)
    {
        var (context, width) = (_plan.Shape.Context, _plan.Shape.Context + 1);
        var read = new int[_plan.RowsAtOnce * context];
        var targets = new int[read.Length];
        var tokens = 0;
        for (var row = 0; row < _plan.Rows; row++)
        {
            for (var t = 1; t <= context; t++) tokens += ids[(row * width) + t] == _plan.Unpredicted ? 0 : 1;
        }

        double sum = 0;
        for (var start = 0; start < _plan.Rows; start += _plan.RowsAtOnce)
        {
            for (var row = 0; row < _plan.RowsAtOnce; row++)
            {
                var from = ids.AsSpan((start + row) * width, width);
                from[..context].CopyTo(read.AsSpan(row * context));
                for (var t = 0; t < context; t++) targets[(row * context) + t] = from[t + 1] == _plan.Unpredicted ? -1 : from[t + 1];
            }

            sum += _network.Run(_weights, read, targets, gradient, 1f / tokens);
        }

        return (sum / tokens, tokens);
    }

    private int[] Rows(long start, ITrainingRows? rows = null)
    {
        var width = _plan.Shape.Context + 1;
        var ids = new int[_plan.Rows * width];
        for (var row = 0; row < _plan.Rows; row++) (rows ?? _rows).Fill(start + row, ids.AsSpan(row * width, width));
        return ids;
    }

    private static double Norm(Tensor gradient)
    {
        const int Piece = 4096;
        double sum = 0;
        var g = Pointers.Of(gradient);
        for (long at = 0; at < gradient.Count; at += Piece) sum += RowKernels.Dot(g + at, g + at, (int)Math.Min(Piece, gradient.Count - at));
        return Math.Sqrt(sum);
    }

    private IEnumerable<(string Name, Tensor Value)> State() => [("weights", _weights.Flat), ("first_moment", _first.Flat), ("second_moment", _second.Flat)];
}
