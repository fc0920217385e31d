namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>Training of SAEs: dense products on the device, block of features by block, so that no [F,D] or [T,F] stands beside the operands.</summary>
public sealed partial class TorchEngine
{
    /// <inheritdoc/>
    public float BatchTopKActivation(Tensor pre_TF, long count, Tensor z_TF)
    {
        if (count < 1) throw TensorErrors.Shape("BatchTopKActivation", $"count must be at least 1, not {count}", pre_TF);
        int rows = pre_TF.Shape[0], width = Width("BatchTopKActivation", pre_TF);
        CheckRows("BatchTopKActivation", pre_TF, rows, width);
        CheckRows("BatchTopKActivation", z_TF, rows, width);
        if (pre_TF.Count == 0) return 0;
        return OnThread(() =>
        {
            var (x, z) = (View(pre_TF), Target(z_TF));
            var (line, room, ties) = Line(x, count);
            if (line == 0 || !ties)
            {
                Blocks("BatchTopKActivation", rows, width * 12L, default, (at, n) =>
                {
                    var part = x.narrow(0, at, n);
                    z.narrow(0, at, n).copy_(Where(line == 0 ? part.Greater(0) : part.AtLeast(line), part));
                });
            }
            else
            {
                // those above the line are in; what room is left goes to those on it, row by row
                var met = Torch.zeros([1], ScalarType.Int64, _device);
                Blocks("BatchTopKActivation", rows, width * 24L, default, (at, n) =>
                {
                    var part = x.narrow(0, at, n);
                    var on = part.Same(line);
                    var places = on.reshape(-1).cumsum(0, ScalarType.Int64).Add_(met);
                    var kept = part.Greater(line).logical_or_(on.logical_and_(places.AtMost(room).view(n, width)));
                    z.narrow(0, at, n).copy_(Where(kept, part));
                    met.copy_(places.narrow(0, places.numel() - 1, 1));
                });
            }

            Commit(z, z_TF);
            return line;
        });
    }

    /// <inheritdoc/>
    public void ActivationBackward(Tensor z_TF, Tensor gradient_TD, Tensor wDec_FD, ActivationGradient into, CancellationToken cancel = default) =>
        Backward("ActivationBackward", z_TF, null, gradient_TD, wDec_FD, 0, 0, into, cancel);

    /// <inheritdoc/>
    public void JumpReluBackward(Tensor pre_TF, Tensor threshold_F, Tensor gradient_TD, Tensor wDec_FD, float bandwidth, float penalty, ActivationGradient into, CancellationToken cancel = default)
    {
        if (!(bandwidth > 0)) throw TensorErrors.Shape("JumpReluBackward", $"the bandwidth must be positive, not {bandwidth}", pre_TF);
        if (into.Threshold_F is null) throw TensorErrors.Shape("JumpReluBackward", "dθ needs a place", pre_TF);
        Backward("JumpReluBackward", pre_TF, threshold_F, gradient_TD, wDec_FD, bandwidth, penalty, into, cancel);
    }

    /// <inheritdoc/>
    public void ColumnSums(Tensor x_TN, Tensor sum_N) => EachColumn("ColumnSums", x_TN, sum_N, x => x.to(ScalarType.Float64).sum(dim: 0));

    /// <inheritdoc/>
    public void CountNonZeros(Tensor x_TN, Tensor count_N) => EachColumn("CountNonZeros", x_TN, count_N, x => x.Other(0).sum(0, type: ScalarType.Float64));

    /// <inheritdoc/>
    public void AdamStep(Tensor parameter, Tensor gradient, Tensor? firstMoment, Tensor secondMoment, AdamOptions options)
    {
        if (firstMoment is null && options.Beta1 != 0) throw TensorErrors.Shape("AdamStep", $"β₁ = {options.Beta1} needs a first moment", parameter);
        foreach (var t in (ReadOnlySpan<Tensor?>)[parameter, gradient, firstMoment, secondMoment])
        {
            if (t is not null && (t.DType != DType.F32 || !t.IsContiguous || !t.Shape.SequenceEqual(parameter.Shape))) throw TensorErrors.Shape("AdamStep", "parameter, gradient and moments must be contiguous F32 of one shape", parameter, t);
        }

        if (parameter.Count == 0) return;
        _thread.Run(() =>
        {
            TorchTensor p = Target(parameter, read: true), g = View(gradient), v = Target(secondMoment, read: true), flatP = p.view(-1), flatG = g.view(-1), flatV = v.view(-1);
            var m = firstMoment is null ? null : Target(firstMoment, read: true);
            var flatM = m?.view(-1);
            const int piece = 1 << 16;
            var pieces = checked((int)((parameter.Count + piece - 1) / piece));
            Blocks("AdamStep", pieces, piece * 16L, default, (at, n) =>
            {
                long start = (long)at * piece, length = Math.Min((long)n * piece, parameter.Count - start);
                Step(flatP.narrow(0, start, length), flatG.narrow(0, start, length), flatM?.narrow(0, start, length), flatV.narrow(0, start, length), options);
            });
            Commit(p, parameter);
            Commit(v, secondMoment);
            if (m is not null) Commit(m, firstMoment!);
        });
    }

    /// <inheritdoc/>
    public void AdamStepSparse(Tensor coefficients_TF, Tensor rows_TD, Tensor parameter_FD, Tensor secondMoment_FD, AdamOptions options, bool unitRows = false, CancellationToken cancel = default)
    {
        const string Name = "AdamStepSparse";
        if (options.Beta1 != 0) throw TensorErrors.Shape(Name, $"β₁ must be 0, not {options.Beta1}", parameter_FD);
        int tokens = coefficients_TF.Shape[0], features = Width(Name, coefficients_TF), d = Width(Name, rows_TD);
        CheckRows(Name, coefficients_TF, tokens, features);
        CheckRows(Name, rows_TD, tokens, d);
        CheckRows(Name, parameter_FD, features, d);
        CheckRows(Name, secondMoment_FD, features, d);
        if (parameter_FD.Count == 0) return;
        cancel.ThrowIfCancellationRequested();
        _thread.Run(() =>
        {
            TorchTensor c = View(coefficients_TF), x = View(rows_TD), p = Target(parameter_FD, read: true), v = Target(secondMoment_FD, read: true);
            Blocks(Name, features, d * 24L + tokens * 4L, cancel, (at, n) =>
            {
                TorchTensor mine = c.narrow(1, at, n), gradient = mine.t().mm(x), parameter = p.narrow(0, at, n);
                var active = mine.Other(0).any(0, keepdim: true).t();
                if (unitRows) gradient.AddProduct_(gradient.Mul(parameter).sum(1, keepdim: true), parameter, -1);
                gradient = Where(active, gradient); // a feature that was not active stays to the bit
                Step(parameter, gradient, null, v.narrow(0, at, n), options);
                if (!unitRows) return;
                var norm = parameter.Squared().sum(1, keepdim: true).sqrt_();
                parameter.copy_(Torch.where(active.logical_and(norm.Greater(0)), parameter.Div(norm), parameter));
            });
            Commit(p, parameter_FD);
            Commit(v, secondMoment_FD);
        });
    }

    // the memory of the step is taken before anything is changed, so that a block can be tried again
    private static void Step(TorchTensor p, TorchTensor g, TorchTensor? m, TorchTensor v, AdamOptions options)
    {
        var second = v.Mul(options.Beta2).AddProduct_(g, g, 1 - options.Beta2);
        var denominator = second.Mul(options.SecondCorrection).sqrt_().Add_(options.Epsilon);
        var first = m is null ? g.clone() : m.Mul(options.Beta1).Add_(g, alpha: 1 - options.Beta1);
        var step = first.Mul(options.Rate * (m is null ? 1 : options.FirstCorrection)).Div_(denominator);
        m?.copy_(first);
        v.copy_(second);
        p.sub_(step);
    }

    private void Backward(string name, Tensor x_TF, Tensor? threshold_F, Tensor gradient_TD, Tensor wDec_FD, float bandwidth, float penalty, ActivationGradient into, CancellationToken cancel)
    {
        int tokens = x_TF.Shape[0], features = Width(name, x_TF), d = Width(name, gradient_TD);
        CheckRows(name, x_TF, tokens, features);
        CheckRows(name, gradient_TD, tokens, d);
        CheckRows(name, wDec_FD, features, d);
        CheckRows(name, into.Pre_TF, tokens, features);
        CheckVectorTarget(name, into.Bias_F, features);
        CheckVectorTarget(name, into.Active_F, features);
        if (threshold_F is not null) CheckVectorTarget(name, into.Threshold_F!, features);
        CheckVector(name, threshold_F, features);
        if (features == 0) return;
        cancel.ThrowIfCancellationRequested();
        _thread.Run(() =>
        {
            TorchTensor x = View(x_TF), g = View(gradient_TD), w = View(wDec_FD), dPre = Target(into.Pre_TF), dBias = Target(into.Bias_F), active = Target(into.Active_F);
            var dThreshold = threshold_F is null ? null : Target(into.Threshold_F!);
            var theta = threshold_F is null ? null : Float(threshold_F);
            Blocks(name, features, tokens * 40L, cancel, (at, n) =>
            {
                var mine = x.narrow(1, at, n);
                var gradient = g.mm(w.narrow(0, at, n).t());
                TorchTensor on;
                if (theta is null)
                {
                    on = mine.Other(0);
                }
                else
                {
                    var line = theta.narrow(0, at, n);
                    on = mine.Greater(line).logical_and(mine.Greater(0));
                    var near = mine.Greater(line.Sub(bandwidth / 2)).logical_and(mine.Less(line.Add(bandwidth / 2)));
                    var step = Where(near, gradient.Mul(line).Add_(penalty)).to(ScalarType.Float64).sum(dim: 0);
                    dThreshold!.narrow(0, at, n).copy_(step.Div(-bandwidth));
                }

                gradient = Where(on, gradient);
                dBias.narrow(0, at, n).copy_(gradient.to(ScalarType.Float64).sum(dim: 0));
                active.narrow(0, at, n).copy_(on.sum(0, type: ScalarType.Float32));
                dPre.narrow(1, at, n).copy_(gradient);
            });
            Commit(dPre, into.Pre_TF);
            Commit(dBias, into.Bias_F);
            Commit(active, into.Active_F);
            if (dThreshold is not null) Commit(dThreshold, into.Threshold_F!);
        });
    }

    private void EachColumn(string name, Tensor x_TN, Tensor result_N, Func<TorchTensor, TorchTensor> work)
    {
        int rows = x_TN.Shape[0], width = Width(name, x_TN);
        CheckRows(name, x_TN, rows, width);
        CheckVectorTarget(name, result_N, width);
        if (width == 0) return;
        _thread.Run(() =>
        {
            TorchTensor x = View(x_TN), result = Target(result_N), sum = Torch.zeros([width], ScalarType.Float64, _device);
            Blocks(name, rows, width * 16L, default, (at, n) => sum.Add_(work(x.narrow(0, at, n))));
            result.copy_(sum);
            Commit(result, result_N);
        });
    }

    // The count-th largest of all, or 0 where fewer are positive; how many of those equal to it are to be kept, and whether there are more. Selected on the device: three numbers come back
    private (float Line, long Room, bool Ties) Line(TorchTensor x, long count)
    {
        if (count > x.numel()) return (0, 0, false);
        if (count > int.MaxValue) return Halved(x, count);
        var found = new double[3];
        try
        {
            Enough("BatchTopKActivation", x.numel() * sizeof(float), () =>
            {
                Select(x);
                if (double.IsNaN(found[0])) Select(Ranked(x)); // torch ranks NaN highest
            });
        }
        catch (FeatureFlowException e) when (e.Kind == FailureKind.Retry)
        {
            return Halved(x, count); // slower, and needs next to nothing
        }

        return found[0] > 0 ? ((float)found[0], count - (long)found[1], found[1] + found[2] > count) : (0, 0, false);

        void Select(TorchTensor from)
        {
            using var scope = Torch.NewDisposeScope();
            var best = from.reshape(-1).topk((int)count, sorted: false).values;
            var line = best.amin([0]);
            _transfers.Read<double>(Torch.stack([line.to(ScalarType.Float64), best.Greater(line).sum().to(ScalarType.Float64), from.Same(line).sum().to(ScalarType.Float64)])).CopyTo(found, 0);
        }
    }

    // positive floats are ordered as their bits are: the line is found by halving
    private (float Line, long Room, bool Ties) Halved(TorchTensor x, long count)
    {
        if (Above(x, float.Epsilon) < count) return (0, 0, false);
        int low = 1, high = BitConverter.SingleToInt32Bits(float.PositiveInfinity);
        while (low < high)
        {
            var middle = low + (high - low + 1) / 2;
            if (Above(x, BitConverter.Int32BitsToSingle(middle)) >= count) low = middle;
            else high = middle - 1;
        }

        var line = BitConverter.Int32BitsToSingle(low);
        return (line, count - Above(x, float.BitIncrement(line)), Above(x, line) > count);
    }

    // how many are at least that
    private long Above(TorchTensor x, float value)
    {
        long n = 0;
        Blocks("BatchTopKActivation", (int)x.shape[0], x.shape[1] * 2, default, (at, rows) => n += _transfers.Read<long>(x.narrow(0, at, rows).AtLeast(value).sum())[0]);
        return n;
    }
}
