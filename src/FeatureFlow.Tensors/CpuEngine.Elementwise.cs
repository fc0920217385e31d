using FeatureFlow.Tensors.Cpu;

namespace FeatureFlow.Tensors;

/// <summary>The operations that touch every number once: bounded by memory, threaded by rows when there is enough of them.</summary>
public sealed unsafe partial class CpuEngine
{
    private const int WorthSharing = 1 << 16;

    private delegate void RowWork(int t, float* x, float* y, int n);

    /// <inheritdoc/>
    public void Copy(Tensor source, Tensor destination)
    {
        if (!source.Shape.SequenceEqual(destination.Shape)) throw TensorErrors.Shape("Copy", "shapes must be equal", source, destination);
        using var pinS = source.Pin();
        using var pinD = destination.Pin();
        Conversion.Copy(source, pinS.Pointer + source.ByteOffset, destination, pinD.Pointer + destination.ByteOffset);
    }

    /// <inheritdoc/>
    public void GatherRows(Tensor x_ND, ReadOnlySpan<int> rows, Tensor y_RD, float factor = 1, bool accumulate = false)
    {
        using var pinX = x_ND.Pin();
        using var pinY = y_RD.Pin();
        var x = Operand.Of(x_ND, pinX, "GatherRows");
        var y = Output("GatherRows", y_RD, pinY, rows.Length, x.Columns, out var stride);
        foreach (var row in rows)
        {
            if ((uint)row >= (uint)x.Rows) throw TensorErrors.RowRange(row, 1, x_ND.Shape);
        }

        // columns of a matrix that is stored the other way round
        if (!accumulate && factor == 1 && rows.Length > 1 && x.ColumnsAreDense)
        {
            Rows.GatherColumns(x.Data, x.Type, x.ColumnStep, rows, y, stride, x.Columns);
            return;
        }

        for (var i = 0; i < rows.Length; i++)
        {
            var target = y + i * stride;
            if (accumulate && x.Type == DType.F32 && x.ColumnStep == sizeof(float))
            {
                Rows.Add(target, (float*)x.At(rows[i], 0), factor, target, x.Columns);
                continue;
            }

            if (accumulate)
            {
                using var row = _scratch.Rent(x.Columns);
                Rows.ToFloat(x.At(rows[i], 0), x.Type, x.ColumnStep, row.Floats, x.Columns);
                Rows.Add(target, row.Floats, factor, target, x.Columns);
                continue;
            }

            Rows.ToFloat(x.At(rows[i], 0), x.Type, x.ColumnStep, target, x.Columns);
            if (factor != 1) Rows.ShiftScale(target, 0, factor, target, x.Columns);
        }
    }

    /// <inheritdoc/>
    public void RescaleFeatures(Tensor x_TD, FeatureWeights features, Tensor factor_PU, ReadOnlySpan<int> rows, Tensor y_TO)
    {
        const string name = "RescaleFeatures";
        const int together = 16;
        int tokens = rows.Length, d = Width(name, x_TD), o = Width(name, y_TO), count = Width(name, factor_PU);
        using var pinX = x_TD.Pin();
        using var pinY = y_TO.Pin();
        using var pinF = factor_PU.Pin();
        using var pinE = features.Encoder_UD.Pin();
        using var pinB = features.Bias_U.Pin();
        using var pinT = features.Threshold_U.Pin();
        using var pinD = features.Decoder_UO.Pin();
        var x = Output(name, x_TD, pinX, tokens, d, out var strideX);
        var y = Output(name, y_TO, pinY, tokens, o, out var strideY);
        var factors = Output(name, factor_PU, pinF, factor_PU.Shape[0], count, out var strideF);
        var encoder = Output(name, features.Encoder_UD, pinE, count, d, out var strideE);
        var decoder = Output(name, features.Decoder_UO, pinD, count, o, out var strideD);
        float* bias = Vector(name, features.Bias_U, pinB, count), threshold = Vector(name, features.Threshold_U, pinT, count);
        var chosen = rows.ToArray();
        foreach (var row in chosen)
        {
            if ((uint)row >= (uint)factor_PU.Shape[0]) throw TensorErrors.RowRange(row, 1, factor_PU.Shape);
        }

        _workers.Run((tokens + together - 1) / together, CancellationToken.None, p =>
        {
            using var change = _scratch.Rent(count);
            for (var t = p * together; t < Math.Min(tokens, (p + 1) * together); t++)
                FeatureRescale.Row(x + t * strideX, d, encoder, strideE, bias, threshold, factors + chosen[t] * strideF, count, decoder, strideD, y + t * strideY, o, change.Floats);
        });
    }

    /// <inheritdoc/>
    public void AddRow(Tensor x_TD, Tensor row_D, float factor, Tensor y_TD)
    {
        using var row = Row("AddRow", row_D, Width("AddRow", x_TD));
        var r = row.Floats;
        EachRow("AddRow", x_TD, y_TD, (_, x, y, n) => Rows.Add(x, r, factor, y, n));
    }

    /// <inheritdoc/>
    public void ScaleColumns(Tensor x_TD, Tensor scale_D, Tensor y_TD)
    {
        using var row = Row("ScaleColumns", scale_D, Width("ScaleColumns", x_TD));
        var s = row.Floats;
        EachRow("ScaleColumns", x_TD, y_TD, (_, x, y, n) => Rows.Multiply(x, s, y, n));
    }

    /// <inheritdoc/>
    public void ScaleRows(Tensor x_TD, Tensor scale_T, Tensor y_TD)
    {
        using var column = Row("ScaleRows", scale_T, x_TD.Shape[0]);
        var s = column.Floats;
        EachRow("ScaleRows", x_TD, y_TD, (t, x, y, n) => Rows.ShiftScale(x, 0f, s[t], y, n));
    }

    /// <inheritdoc/>
    public void StandardizeRows(Tensor x_TD, float epsilon, Tensor mean_T, Tensor std_T, Tensor y_TD)
    {
        using var pinM = mean_T.Pin();
        using var pinS = std_T.Pin();
        var mean = Vector("StandardizeRows", mean_T, pinM, x_TD.Shape[0]);
        var std = Vector("StandardizeRows", std_T, pinS, x_TD.Shape[0]);
        EachRow("StandardizeRows", x_TD, y_TD, (t, x, y, n) =>
        {
            double sum = 0, squares = 0;
            for (var i = 0; i < n; i++) sum += x[i];
            var m = sum / n;
            for (var i = 0; i < n; i++) squares += (x[i] - m) * (x[i] - m);
            var s = Math.Sqrt(squares / Math.Max(1, n - 1));
            mean[t] = (float)m;
            std[t] = (float)s;
            Rows.ShiftScale(x, (float)m, (float)(1 / (s + epsilon)), y, n);
        });
    }

    /// <inheritdoc/>
    public void Relu(Tensor pre_TF, Tensor z_TF) => EachRow("Relu", pre_TF, z_TF, (_, x, z, n) => Rows.Relu(x, z, n));

    /// <inheritdoc/>
    public void JumpRelu(Tensor pre_TF, Tensor threshold_F, Tensor z_TF)
    {
        using var row = Row("JumpRelu", threshold_F, Width("JumpRelu", pre_TF));
        var threshold = row.Floats;
        EachRow("JumpRelu", pre_TF, z_TF, (_, x, z, n) => Rows.JumpRelu(x, threshold, z, n));
    }

    /// <inheritdoc/>
    public void GatedActivation(Tensor gate_TF, Tensor magnitude_TF, Tensor z_TF)
    {
        using var pin = gate_TF.Pin();
        var gate = Output("GatedActivation", gate_TF, pin, magnitude_TF.Shape[0], Width("GatedActivation", magnitude_TF), out var stride);
        EachRow("GatedActivation", magnitude_TF, z_TF, (t, x, z, n) => Rows.Gate(gate + t * stride, x, z, n));
    }

    /// <inheritdoc/>
    public void TopKActivation(Tensor pre_TF, int k, Tensor z_TF)
    {
        if (k < 1) throw TensorErrors.Shape("TopKActivation", $"k must be at least 1, not {k}", pre_TF);
        EachRow("TopKActivation", pre_TF, z_TF, (_, x, z, n) => Selection.KeepLargest(x, z, n, k));
    }

    /// <inheritdoc/>
    public void GroupMaxActivation(Tensor pre_TF, int groups, Tensor z_TF)
    {
        if (groups < 1 || Width("GroupMaxActivation", pre_TF) % groups != 0)
            throw TensorErrors.Shape("GroupMaxActivation", $"{groups} groups must divide the width", pre_TF);
        EachRow("GroupMaxActivation", pre_TF, z_TF, (_, x, z, n) => Selection.KeepGroupMaximum(x, z, n, groups));
    }

    /// <inheritdoc/>
    public void MatMulSparse(Tensor a_MK, Tensor b_KN, Tensor c_MN, MatMulEpilogue epilogue = default, CancellationToken cancel = default)
    {
        using var pinA = a_MK.Pin();
        using var pinB = b_KN.Pin();
        using var pinC = c_MN.Pin();
        var a = Operand.Of(a_MK, pinA, "MatMulSparse");
        var b = Operand.Of(b_KN, pinB, "MatMulSparse");
        if (a.Columns != b.Rows) throw TensorErrors.Shape("MatMulSparse", "columns of a must equal rows of b", a_MK, b_KN);
        var c = Output("MatMulSparse", c_MN, pinC, a.Rows, b.Columns, out var stride);
        using var scale = Row("MatMulSparse", epilogue.ColumnScale_N, b.Columns);
        using var bias = Row("MatMulSparse", epilogue.Bias_N, b.Columns);
        if (epilogue.Accumulate && !scale.IsNone) throw TensorErrors.Shape("MatMulSparse", "accumulating excludes a column scale", c_MN);
        float* s = scale.Floats, t = bias.Floats;
        _workers.Run(a.Rows, cancel, i =>
        {
            int k = a.Columns, n = b.Columns;
            using var row = _scratch.Rent(3L * k + n);
            float* values = row.Floats, line = values + 3L * k, found = values + k;
            var places = (int*)(found + k);
            Rows.ToFloat(a.At(i, 0), a.Type, a.ColumnStep, values, k);
            var target = c + i * stride;
            if (!epilogue.Accumulate) new Span<float>(target, n).Clear();
            var count = Vectors.NonZeros(values, k, places, found);
            if (b.Type == DType.F32 && b.RowsAreDense)
            {
                for (var p = 0; p < count && !cancel.IsCancellationRequested; p += 256)
                    Vectors.AddMultiples(found + p, places + p, Math.Min(256, count - p), (float*)b.Data, b.RowStep / sizeof(float), target, n);
            }
            else
            {
                for (var p = 0; p < count; p++)
                {
                    if ((p & 255) == 255 && cancel.IsCancellationRequested) return;
                    Rows.ToFloat(b.At(places[p], 0), b.Type, b.ColumnStep, line, n);
                    Vectors.AddMultiple(found[p], line, target, n);
                }
            }

            if (s != null) Rows.Multiply(target, s, target, n);
            if (t != null) Rows.Add(target, t, 1f, target, n);
        });
    }

    private static int Width(string operation, Tensor t) => t.Rank == 2 ? t.Shape[1] : throw TensorErrors.Rank(operation, 2, t.Shape);

    // float32 in and out, dense rows; the work sees one row at a time
    private void EachRow(string operation, Tensor source, Tensor destination, RowWork work)
    {
        var width = Width(operation, source);
        using var pinX = source.Pin();
        using var pinY = destination.Pin();
        var x = Output(operation, source, pinX, source.Shape[0], width, out var strideX);
        var y = Output(operation, destination, pinY, source.Shape[0], width, out var strideY);
        var rows = source.Shape[0];
        if ((long)rows * width < WorthSharing)
        {
            for (var t = 0; t < rows; t++) work(t, x + t * strideX, y + t * strideY, width);
            return;
        }

        _workers.Run(rows, CancellationToken.None, t => work(t, x + t * strideX, y + t * strideY, width));
    }
}
