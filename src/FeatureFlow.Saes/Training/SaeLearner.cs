using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes.Training;

/// <summary>
/// One SAE in training: its weights, what Adam remembers, and one update (METHODS 7; Rajamanoharan et al. 2024, "Jumping Ahead"). Inputs are scaled to a mean norm of
/// √d; both matrices are kept with features as rows, for gradients are summed feature by feature.
/// </summary>
internal sealed class SaeLearner : IDisposable
{
    // the penalty is steered by the logarithm of L0 over its target: it drifts by one part and leans by the other; L0 is a mean over some ten batches
    private const double Drift = 0.01, Lean = 1, L0Memory = 0.9;
    private const double LeastPenalty = 1e-8;

    // of the fitted threshold of BatchTopK
    private const double ThresholdMemory = 0.99;

    private readonly ITensorEngine _engine;
    private readonly int _d, _features, _batch;
    private readonly Tensor _x_TD, _gradient_TD, _pre_TF, _z_TF, _threshold_F, _bDecGradient_D, _norm_T;
    private readonly ActivationGradient _into;

    private readonly long _deadAfterSteps;
    private readonly ulong _seed;

    public SaeLearner(ITensorEngine engine, SaeRecipe recipe, int width, SaeTrainingOptions options)
    {
        (_engine, Recipe, _d, _features, _batch, _seed) = (engine, recipe, width, recipe.FeatureCount, options.BatchSize, options.Seed);
        _deadAfterSteps = (options.DeadAfterTokens + options.BatchSize - 1) / options.BatchSize;
        var batch = options.BatchSize;
        State = new SaeTrainingState(engine, recipe, width);
        _x_TD = engine.Allocate(DType.F32, batch, width);
        _gradient_TD = engine.Allocate(DType.F32, batch, width);
        _pre_TF = engine.Allocate(DType.F32, batch, _features);
        _z_TF = engine.Allocate(DType.F32, batch, _features);
        _threshold_F = engine.Allocate(DType.F32, _features);
        _bDecGradient_D = engine.Allocate(DType.F32, width);
        _norm_T = engine.Allocate(DType.F32, batch);
        _into = new ActivationGradient(_pre_TF, engine.Allocate(DType.F32, _features), engine.Allocate(DType.F32, _features), recipe.Kind == SaeTrainingKind.JumpRelu ? engine.Allocate(DType.F32, _features) : null);
    }

    public SaeRecipe Recipe { get; }

    public SaeTrainingState State { get; }

    /// <summary>Of the last update: mean squared error over total variance, mean L0.</summary>
    public double UnexplainedVariance { get; private set; }

    public double L0 { get; private set; }

    /// <summary>One update. <paramref name="step"/> counts from 0.</summary>
    public void Step(Tensor raw_TD, long step, long steps, CancellationToken cancel)
    {
        var (kind, state) = (Recipe.Kind, State);
        using (var scale_D = Filled(_d, (float)state.Scale)) _engine.ScaleColumns(raw_TD, scale_D, _x_TD);
        _engine.MatMul(_x_TD, state.WEnc_FD.Transpose(), _pre_TF, new MatMulEpilogue(Bias_N: state.BEnc_F), cancel);
        Activate(cancel);

        // x̂ − x, the gradient of half the squared error: −x first, then what is decoded on top
        using (var minus_D = Filled(_d, -1)) _engine.ScaleColumns(_x_TD, minus_D, _gradient_TD);
        _engine.AddRow(_gradient_TD, state.BDec_D, 1, _gradient_TD);
        _engine.MatMulSparse(_z_TF, state.WDec_FD, _gradient_TD, new MatMulEpilogue(Accumulate: true), cancel);
        Measure(step);

        // losses and gradients are sums over the batch of half the squared error; Adam's ε is scaled alike, so the updates are those of the mean
        var warm = Math.Min(1, (step + 1.0) / Math.Max(1, Recipe.PenaltyWarmUpSteps));
        var penalty = state.Penalty * Math.Exp(Lean * OffTarget(warm)) * warm * _d / 2;
        if (kind == SaeTrainingKind.JumpRelu) _engine.JumpReluBackward(_pre_TF, _threshold_F, _gradient_TD, state.WDec_FD, (float)Recipe.Bandwidth, (float)penalty, _into, cancel);
        else _engine.ActivationBackward(_z_TF, _gradient_TD, state.WDec_FD, _into, cancel);
        Account(step, warm);

        var adam = new AdamOptions((float)Rate(step, steps), 0, (float)Recipe.Beta2, (float)(Recipe.Epsilon * _batch / 2), step + 1);
        _engine.ColumnSums(_gradient_TD, _bDecGradient_D);
        _engine.AdamStepSparse(_z_TF, _gradient_TD, state.WDec_FD, state.WDecMoment_FD, adam, unitRows: true, cancel: cancel);
        _engine.AdamStepSparse(_into.Pre_TF, _x_TD, state.WEnc_FD, state.WEncMoment_FD, adam, cancel: cancel);
        _engine.AdamStep(state.BEnc_F, _into.Bias_F, null, state.BEncMoment_F, adam);
        _engine.AdamStep(state.BDec_D, _bDecGradient_D, null, state.BDecMoment_D, adam);
        if (kind == SaeTrainingKind.JumpRelu)
        {
            // dL/d ln θ = θ·dL/dθ
            var dTheta_1F = _into.Threshold_F!.Reshape(1, _features);
            _engine.ScaleColumns(dTheta_1F, _threshold_F, dTheta_1F);
            _engine.AdamStep(state.LogThreshold_F, _into.Threshold_F, null, state.LogThresholdMoment_F, adam with { Rate = adam.Rate * (float)Recipe.ThresholdRateFactor });
        }

        if (Recipe.ReviveEvery > 0 && (step + 1) % Recipe.ReviveEvery == 0 && step + 1 < steps * (1 - Recipe.DecayShare)) SaeRevival.Run(_engine, Recipe, state, _x_TD, _gradient_TD, [.. Enumerable.Range(0, _features).Where(f => step - state.LastActive[f] >= _deadAfterSteps)], step, _seed);
    }

    /// <summary>How many features have not been active for long.</summary>
    public int Dead(long step)
    {
        var dead = 0;
        foreach (var last in State.LastActive) dead += step - last >= _deadAfterSteps ? 1 : 0;
        return dead;
    }

    public void Dispose()
    {
        State.Dispose();
        foreach (var tensor in (ReadOnlySpan<Tensor?>)[_x_TD, _gradient_TD, _pre_TF, _z_TF, _threshold_F, _bDecGradient_D, _norm_T, _into.Bias_F, _into.Active_F, _into.Threshold_F]) tensor?.Dispose();
    }

    private void Activate(CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        switch (Recipe.Kind)
        {
            case SaeTrainingKind.JumpRelu:
                var theta = State.Thresholds();
                using (var host = Tensor.From(theta, _features)) _engine.Copy(host, _threshold_F);
                _engine.JumpRelu(_pre_TF, _threshold_F, _z_TF);
                break;
            case SaeTrainingKind.TopK:
                _engine.TopKActivation(_pre_TF, (int)Recipe.TargetL0!.Value, _z_TF);
                break;
            default:
                double least = _engine.BatchTopKActivation(_pre_TF, (long)Math.Round(Recipe.TargetL0!.Value * _batch), _z_TF);
                State.FittedThreshold = State.FittedThreshold < 0 ? least : ThresholdMemory * State.FittedThreshold + (1 - ThresholdMemory) * least;
                break;
        }
    }

    private void Measure(long step)
    {
        _engine.RowNorms(_gradient_TD, _norm_T);
        double squares = 0;
        foreach (var norm in HostValues.Read(_engine, _norm_T)) squares += norm * norm;
        UnexplainedVariance = squares / _batch / State.Variance;
        if (!double.IsFinite(UnexplainedVariance)) throw SaeErrors.Diverged(Recipe.Address, step);
    }

    private void Account(long step, double warm)
    {
        var active = HostValues.Read(_engine, _into.Active_F);
        double sum = 0;
        for (var f = 0; f < active.Length; f++)
        {
            sum += active[f];
            if (active[f] > 0) State.LastActive[f] = step;
        }

        L0 = sum / _batch;
        State.MeanL0 = State.MeanL0 < 0 ? L0 : L0Memory * State.MeanL0 + (1 - L0Memory) * L0;
        State.Penalty = Math.Max(LeastPenalty, State.Penalty * Math.Exp(Drift * OffTarget(warm)));
    }

    // ln(L0/target), at most 1 either way; 0 where nothing is steered
    private double OffTarget(double warm) =>
        Recipe is { Kind: SaeTrainingKind.JumpRelu, TargetL0: { } target } && warm >= 1 && State.MeanL0 >= 0 ? Math.Clamp(Math.Log((State.MeanL0 + 1e-3) / target), -1, 1) : 0;

    private double Rate(long step, long steps)
    {
        var rise = Math.Min(1, (step + 1.0) / Math.Max(1, Recipe.WarmUpSteps));
        var fall = Recipe.DecayShare > 0 ? Math.Min(1, (steps - step) / (Recipe.DecayShare * steps)) : 1;
        return Recipe.Rate * Math.Min(rise, fall);
    }

    private Tensor Filled(int width, float value)
    {
        using var host = Tensor.Allocate(DType.F32, width);
        host.AsSpan<float>().Fill(value);
        var row = _engine.Allocate(DType.F32, width);
        _engine.Copy(host, row);
        return row;
    }
}
