using FeatureFlow.Tensors.Cpu;

namespace FeatureFlow.Tensors;

/// <summary>
/// Training of SAEs. Activations are mostly zeros, so gradients are summed feature by feature over the tokens where it is active; a thread owns the features
/// it sums, and their rows of the weights.
/// </summary>
public sealed unsafe partial class CpuEngine
{
    /// <inheritdoc/>
    public float BatchTopKActivation(Tensor pre_TF, long count, Tensor z_TF)
    {
        if (count < 1) throw TensorErrors.Shape("BatchTopKActivation", $"count must be at least 1, not {count}", pre_TF);
        using var pinX = pre_TF.Pin();
        using var pinZ = z_TF.Pin();
        int rows = pre_TF.Shape[0], width = Width("BatchTopKActivation", pre_TF);
        var x = Output("BatchTopKActivation", pre_TF, pinX, rows, width, out var strideX);
        var z = Output("BatchTopKActivation", z_TF, pinZ, rows, width, out var strideZ);
        return new BatchSelection(_workers).KeepLargest(x, strideX, z, strideZ, rows, width, count);
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
    public void ColumnSums(Tensor x_TN, Tensor sum_N) => EachColumnBlock("ColumnSums", x_TN, sum_N, static (x, stride, rows, columns, sum) =>
    {
        var sums = stackalloc double[SparseColumns.Width];
        new Span<double>(sums, columns).Clear();
        for (var t = 0; t < rows; t++, x += stride)
        {
            for (var c = 0; c < columns; c++) sums[c] += x[c];
        }

        for (var c = 0; c < columns; c++) sum[c] = (float)sums[c];
    });

    /// <inheritdoc/>
    public void CountNonZeros(Tensor x_TN, Tensor count_N) => EachColumnBlock("CountNonZeros", x_TN, count_N, static (x, stride, rows, columns, count) =>
    {
        new Span<float>(count, columns).Clear();
        for (var t = 0; t < rows; t++, x += stride)
        {
            for (var c = 0; c < columns; c++) count[c] += x[c] != 0 ? 1 : 0;
        }
    });

    /// <inheritdoc/>
    public void AdamStep(Tensor parameter, Tensor gradient, Tensor? firstMoment, Tensor secondMoment, AdamOptions options)
    {
        if (firstMoment is null && options.Beta1 != 0) throw TensorErrors.Shape("AdamStep", $"β₁ = {options.Beta1} needs a first moment", parameter);
        foreach (var t in (ReadOnlySpan<Tensor?>)[parameter, gradient, firstMoment, secondMoment])
        {
            if (t is not null && (t.DType != DType.F32 || !t.IsContiguous || !t.Shape.SequenceEqual(parameter.Shape))) throw TensorErrors.Shape("AdamStep", "parameter, gradient and moments must be contiguous F32 of one shape", parameter, t);
        }

        using var pinP = parameter.Pin();
        using var pinG = gradient.Pin();
        using var pinM = (firstMoment ?? secondMoment).Pin();
        using var pinV = secondMoment.Pin();
        var p = (float*)(pinP.Pointer + parameter.ByteOffset);
        var g = (float*)(pinG.Pointer + gradient.ByteOffset);
        var m = firstMoment is null ? null : (float*)(pinM.Pointer + firstMoment.ByteOffset);
        var v = (float*)(pinV.Pointer + secondMoment.ByteOffset);
        var count = parameter.Count;
        _workers.Run(checked((int)((count + WorthSharing - 1) / WorthSharing)), CancellationToken.None, piece =>
        {
            var at = (long)piece * WorthSharing;
            var n = (int)Math.Min(WorthSharing, count - at);
            if (m == null) Adam.Step(p + at, g + at, v + at, n, options);
            else Adam.Step(p + at, g + at, m + at, v + at, n, options);
        });
    }

    /// <inheritdoc/>
    public void AdamStepSparse(Tensor coefficients_TF, Tensor rows_TD, Tensor parameter_FD, Tensor secondMoment_FD, AdamOptions options, bool unitRows = false, CancellationToken cancel = default)
    {
        const string Name = "AdamStepSparse";
        if (options.Beta1 != 0) throw TensorErrors.Shape(Name, $"β₁ must be 0, not {options.Beta1}", parameter_FD);
        int tokens = coefficients_TF.Shape[0], features = Width(Name, coefficients_TF), d = Width(Name, rows_TD);
        using var pinC = coefficients_TF.Pin();
        using var pinX = rows_TD.Pin();
        using var pinP = parameter_FD.Pin();
        using var pinV = secondMoment_FD.Pin();
        var c = Output(Name, coefficients_TF, pinC, tokens, features, out var strideC);
        var x = Output(Name, rows_TD, pinX, tokens, d, out var strideX);
        var p = Output(Name, parameter_FD, pinP, features, d, out var strideP);
        var v = Output(Name, secondMoment_FD, pinV, features, d, out var strideV);
        _workers.Run((features + SparseColumns.Width - 1) / SparseColumns.Width, cancel, piece =>
        {
            using var block = _scratch.Rent(SparseColumns.Floats(tokens) + d);
            var gradient = block.Floats;
            var lists = SparseColumns.In(gradient + d, tokens);
            int first = piece * SparseColumns.Width, columns = Math.Min(SparseColumns.Width, features - first);
            lists.ListNonZeros(c, strideC, tokens, first, columns);
            for (var i = 0; i < columns && !cancel.IsCancellationRequested; i++)
            {
                float* row = p + (first + i) * strideP, second = v + (first + i) * strideV;
                if (lists.Count(i) == 0)
                {
                    Adam.Decay(second, d, options.Beta2);
                    continue;
                }

                new Span<float>(gradient, d).Clear();
                Vectors.AddMultiples(lists.ValuesOf(i), lists.RowsOf(i), lists.Count(i), x, strideX, gradient, d);
                if (unitRows) Vectors.AddMultiple(-Vectors.Dot(gradient, row, d), row, gradient, d);
                Adam.Step(row, gradient, second, d, options);
                if (!unitRows) continue;
                var norm = MathF.Sqrt(Vectors.Dot(row, row, d));
                if (norm > 0) Rows.ShiftScale(row, 0, 1 / norm, row, d);
            }
        });
    }

    // z = x and no threshold, or pre-activations with their thresholds
    private void Backward(string name, Tensor x_TF, Tensor? threshold_F, Tensor gradient_TD, Tensor wDec_FD, float bandwidth, float penalty, ActivationGradient into, CancellationToken cancel)
    {
        int tokens = x_TF.Shape[0], features = Width(name, x_TF), d = Width(name, gradient_TD);
        using var pinX = x_TF.Pin();
        using var pinG = gradient_TD.Pin();
        using var pinW = wDec_FD.Pin();
        using var pinP = into.Pre_TF.Pin();
        using var pinB = into.Bias_F.Pin();
        using var pinN = into.Active_F.Pin();
        using var pinT = (into.Threshold_F ?? into.Bias_F).Pin();
        var x = Output(name, x_TF, pinX, tokens, features, out var strideX);
        var g = Output(name, gradient_TD, pinG, tokens, d, out var strideG);
        var w = Output(name, wDec_FD, pinW, features, d, out var strideW);
        var dPre = Output(name, into.Pre_TF, pinP, tokens, features, out var strideP);
        var dBias = Vector(name, into.Bias_F, pinB, features);
        var active = Vector(name, into.Active_F, pinN, features);
        var dThreshold = threshold_F is null ? null : Vector(name, into.Threshold_F!, pinT, features);
        using var thresholds = Row(name, threshold_F, features);
        var theta = thresholds.Floats;

        _workers.Run((features + SparseColumns.Width - 1) / SparseColumns.Width, cancel, piece =>
        {
            using var block = _scratch.Rent(SparseColumns.Floats(tokens) + SparseColumns.Width);
            var bounds = block.Floats;
            var lists = SparseColumns.In(bounds + SparseColumns.Width, tokens);
            int first = piece * SparseColumns.Width, columns = Math.Min(SparseColumns.Width, features - first);
            if (theta == null)
            {
                lists.ListNonZeros(x, strideX, tokens, first, columns);
            }
            else
            {
                for (var i = 0; i < columns; i++) bounds[i] = theta[first + i] - bandwidth / 2;
                lists.ListAbove(x, strideX, tokens, first, columns, bounds);
            }

            for (var t = 0; t < tokens; t++) new Span<float>(dPre + t * strideP + first, columns).Clear();
            for (var i = 0; i < columns && !cancel.IsCancellationRequested; i++)
            {
                var f = first + i;
                int* rows = lists.RowsOf(i);
                float* values = lists.ValuesOf(i), row = w + f * strideW;
                double bias = 0, step = 0;
                var count = 0;
                for (var n = 0; n < lists.Count(i); n++)
                {
                    var gradient = Vectors.Dot(row, g + rows[n] * strideG, d);
                    if (theta == null || (values[n] > theta[f] && values[n] > 0))
                    {
                        dPre[rows[n] * strideP + f] = gradient;
                        bias += gradient;
                        count++;
                    }

                    if (theta != null && values[n] < theta[f] + bandwidth / 2) step += theta[f] * gradient + penalty;
                }

                dBias[f] = (float)bias;
                active[f] = count;
                if (dThreshold != null) dThreshold[f] = (float)(-step / bandwidth);
            }
        });
    }

    private delegate void ColumnWork(float* x, long stride, int rows, int columns, float* result);

    // a column is summed by one thread from the first row to the last
    private void EachColumnBlock(string name, Tensor x_TN, Tensor result_N, ColumnWork work)
    {
        int rows = x_TN.Shape[0], width = Width(name, x_TN);
        using var pinX = x_TN.Pin();
        using var pinR = result_N.Pin();
        var x = Output(name, x_TN, pinX, rows, width, out var stride);
        var result = Vector(name, result_N, pinR, width);
        _workers.Run((width + SparseColumns.Width - 1) / SparseColumns.Width, CancellationToken.None, piece =>
        {
            var first = piece * SparseColumns.Width;
            work(x + first, stride, rows, Math.Min(SparseColumns.Width, width - first), result + first);
        });
    }
}
