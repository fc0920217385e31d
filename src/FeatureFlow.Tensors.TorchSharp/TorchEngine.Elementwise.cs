namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>Operations that touch every number once: in blocks of rows, straight into the destination where torch can.</summary>
public sealed partial class TorchEngine
{
    /// <inheritdoc/>
    public void GatherRows(Tensor x_ND, ReadOnlySpan<int> rows, Tensor y_RD, float factor = 1, bool accumulate = false)
    {
        CheckOperand("GatherRows", x_ND);
        CheckRows("GatherRows", y_RD, rows.Length, x_ND.Shape[1]);
        foreach (var row in rows)
        {
            if ((uint)row >= (uint)x_ND.Shape[0]) throw TensorErrors.RowRange(row, 1, x_ND.Shape);
        }

        if (y_RD.Count == 0) return;
        var wanted = rows.ToArray();
        _thread.Run(() =>
        {
            var (x, y) = (ChosenRows(x_ND, wanted, out var places), Target(y_RD, read: accumulate));
            Blocks("GatherRows", wanted.Length, x_ND.Shape[1] * 8L, default, (at, n) =>
            {
                var picked = x.index_select(0, places.narrow(0, at, n)).to(ScalarType.Float32);
                if (factor != 1) picked.Mul_(factor);
                var target = y.narrow(0, at, n);
                if (accumulate) target.Add_(picked);
                else target.copy_(picked);
            });
            Commit(y, y_RD);
        });
    }

    /// <inheritdoc/>
    public void ScatterRows(Tensor x_RD, ReadOnlySpan<int> rows, Tensor y_ND)
    {
        var width = Width("ScatterRows", x_RD);
        CheckRows("ScatterRows", x_RD, rows.Length, width);
        if (y_ND.Rank != 2) throw TensorErrors.Rank("ScatterRows", 2, y_ND.Shape);
        CheckRows("ScatterRows", y_ND, y_ND.Shape[0], width);
        foreach (var row in rows)
        {
            if ((uint)row >= (uint)y_ND.Shape[0]) throw TensorErrors.RowRange(row, 1, y_ND.Shape);
        }

        if (x_RD.Count == 0) return;

        // the last one named wins, as in a loop; torch promises no order of its own
        var last = new Dictionary<int, int>(rows.Length);
        for (var i = 0; i < rows.Length; i++) last[rows[i]] = i;
        var (places, kept) = (rows.ToArray(), last.Count < rows.Length ? last.Values.Order().ToArray() : null);
        _thread.Run(() =>
        {
            var (x, y) = (View(x_RD), Target(y_ND, read: true));
            if (kept is not null) (x, places) = (x.index_select(0, Indices(kept)), Array.ConvertAll(kept, i => places[i]));
            if (IsRun(places)) y.narrow(0, places[0], places.Length).copy_(x);
            else y.index_copy_(0, Indices(places), x);
            Commit(y, y_ND);
        });
    }

    /// <inheritdoc/>
    public void Add(Tensor x_TD, Tensor y_TD, Tensor z_TD) => EachPair("Add", x_TD, y_TD, z_TD, InPlace(x_TD, z_TD) ? (x, y, _) => x.Add_(y) : (x, y, z) => z.copy_(x.Add(y)));

    /// <inheritdoc/>
    public void AddRow(Tensor x_TD, Tensor row_D, float factor, Tensor y_TD)
    {
        CheckVector("AddRow", row_D, Width("AddRow", x_TD));
        EachRow("AddRow", x_TD, y_TD, () => Float(row_D).Mul(factor), (x, row, y) => y.copy_(x.Add(row)));
    }

    /// <inheritdoc/>
    public void ScaleColumns(Tensor x_TD, Tensor scale_D, Tensor y_TD)
    {
        CheckVector("ScaleColumns", scale_D, Width("ScaleColumns", x_TD));
        EachRow("ScaleColumns", x_TD, y_TD, () => Float(scale_D), (x, row, y) => y.copy_(x.Mul(row)));
    }

    /// <inheritdoc/>
    public void ScaleRows(Tensor x_TD, Tensor scale_T, Tensor y_TD)
    {
        CheckVector("ScaleRows", scale_T, x_TD.Shape[0]);
        EachRow("ScaleRows", x_TD, y_TD, null, (x, _, y, at) => y.copy_(x.Mul(Float(scale_T).narrow(0, at, x.shape[0]).unsqueeze(1))));
    }

    /// <inheritdoc/>
    public void StandardizeRows(Tensor x_TD, float epsilon, Tensor mean_T, Tensor std_T, Tensor y_TD)
    {
        int rows = x_TD.Shape[0], width = Width("StandardizeRows", x_TD);
        CheckVectorTarget("StandardizeRows", mean_T, rows);
        CheckVectorTarget("StandardizeRows", std_T, rows);
        CheckRows("StandardizeRows", x_TD, rows, width);
        CheckRows("StandardizeRows", y_TD, rows, width);
        if (x_TD.Count == 0) return;
        _thread.Run(() =>
        {
            var (x, y, mean, std) = (View(x_TD), Target(y_TD), Target(mean_T), Target(std_T));
            Blocks("StandardizeRows", rows, width * 24L, default, (at, n) =>
            {
                var wide = x.narrow(0, at, n).to(ScalarType.Float64);
                var m = wide.mean([1], keepdim: true);
                var centred = wide.Sub(m);
                var s = centred.Squared().sum(1, keepdim: true).Div(Math.Max(1, width - 1)).sqrt();
                y.narrow(0, at, n).copy_(centred.Div(s.Add(epsilon)));
                mean.narrow(0, at, n).copy_(m.squeeze(1));
                std.narrow(0, at, n).copy_(s.squeeze(1));
            });
            Commit(y, y_TD);
            Commit(mean, mean_T);
            Commit(std, std_T);
        });
    }

    /// <inheritdoc/>
    public void Relu(Tensor pre_TF, Tensor z_TF) => EachRow("Relu", pre_TF, z_TF, null, (x, _, z) => z.copy_(x.NoLess(0)));

    /// <inheritdoc/>
    public void JumpRelu(Tensor pre_TF, Tensor threshold_F, Tensor z_TF)
    {
        CheckVector("JumpRelu", threshold_F, Width("JumpRelu", pre_TF));
        EachRow("JumpRelu", pre_TF, z_TF, () => Float(threshold_F).NoLess(0), (x, row, z) => z.copy_(Where(x.Greater(row), x)));
    }

    /// <inheritdoc/>
    public void GatedActivation(Tensor gate_TF, Tensor magnitude_TF, Tensor z_TF) =>
        EachPair("GatedActivation", gate_TF, magnitude_TF, z_TF, (gate, magnitude, z) => z.copy_(Where(gate.Greater(0), Positive(magnitude))));

    /// <inheritdoc/>
    public void TopKActivation(Tensor pre_TF, int k, Tensor z_TF)
    {
        if (k < 1) throw TensorErrors.Shape("TopKActivation", $"k must be at least 1, not {k}", pre_TF);
        EachRow("TopKActivation", pre_TF, z_TF, null, (x, _, z) =>
        {
            if (k >= x.shape[1])
            {
                z.copy_(x.NoLess(0));
                return;
            }

            // those above the line are in; what room is left goes to those on it, from the left: torch breaks ties as it likes
            var ranked = Ranked(x);
            var line = ranked.topk(k).values.narrow(1, k - 1, 1);
            var above = ranked.Greater(line);
            var room = above.sum(1, keepdim: true, type: ScalarType.Int64).neg().Add(k);
            var on = ranked.Same(line);
            var kept = above.logical_or(on.logical_and(on.cumsum(1, ScalarType.Int32).AtMost(room)));
            z.copy_(Where(kept, Positive(x)));
        });
    }

    /// <inheritdoc/>
    public void GroupMaxActivation(Tensor pre_TF, int groups, Tensor z_TF)
    {
        if (groups < 1 || Width("GroupMaxActivation", pre_TF) % groups != 0)
            throw TensorErrors.Shape("GroupMaxActivation", $"{groups} groups must divide the width", pre_TF);
        EachRow("GroupMaxActivation", pre_TF, z_TF, null, (x, _, z) =>
        {
            long rows = x.shape[0], size = x.shape[1] / groups;
            var ranked = Ranked(x).reshape(rows, groups, size);
            var first = ranked.Same(ranked.amax([2], keepdim: true));
            first = first.logical_and(first.cumsum(2, ScalarType.Int32).Same(1));
            z.copy_(Where(first.reshape(rows, groups * size), Positive(x)));
        });
    }

    /// <inheritdoc/>
    public void RowNorms(Tensor x_ND, Tensor norm_N, CancellationToken cancel = default)
    {
        CheckOperand("RowNorms", x_ND);
        CheckVectorTarget("RowNorms", norm_N, x_ND.Shape[0]);
        if (x_ND.Shape[0] == 0) return;
        _thread.Run(() =>
        {
            var norm = Target(norm_N);
            norm.copy_(Norms("RowNorms", View(x_ND), cancel));
            Commit(norm, norm_N);
        });
    }

    // float64 norms of the rows
    private TorchTensor Norms(string operation, TorchTensor x, CancellationToken cancel)
    {
        var norms = Torch.empty([x.shape[0]], ScalarType.Float64, _device);
        var width = Math.Max(1, x.shape[1]);
        Blocks(operation, (int)x.shape[0], width * 16, cancel, (at, n) => norms.narrow(0, at, n).copy_(x.narrow(0, at, n).to(ScalarType.Float64).Squared().sum(1).sqrt_()), InCaches(width * 16));
        return norms;
    }

    // rows that the caches of a processor hold
    private long InCaches(long bytesOfRow) => _card is null ? (4 << 20) / bytesOfRow : int.MaxValue;

    // Rows of a matrix too large to be kept are picked on the host: the whole of it would be uploaded for a few of them
    private TorchTensor ChosenRows(Tensor x_ND, int[] rows, out TorchTensor places)
    {
        if (x_ND.Storage is HostStorage host && (!host.IsConstant || x_ND.Count * x_ND.DType.Size() > _uploads.Budget))
        {
            using var picked = Tensor.Allocate(DType.F32, rows.Length, x_ND.Shape[1]);
            CpuEngine.Shared.GatherRows(x_ND, rows, picked);
            places = Indices([.. Enumerable.Range(0, rows.Length)]);
            return UploadOnce(picked);
        }

        places = Indices(rows);
        return View(x_ND);
    }

    private static bool IsRun(int[] places)
    {
        for (var i = 1; i < places.Length; i++)
        {
            if (places[i] != places[0] + i) return false;
        }

        return true;
    }

    private static TorchTensor Part(TorchTensor x, int at, int n) => n == x.shape[0] ? x : x.narrow(0, at, n);

    // the very same tensor of the device: one step less, and nothing to copy
    private static bool InPlace(Tensor x, Tensor destination) => ReferenceEquals(x, destination) && x.Storage is not HostStorage;

    // max(x, 0), a NaN giving 0 as it does in a comparison
    private TorchTensor Positive(TorchTensor x) => Where(x.Greater(0), x);

    private TorchTensor Where(TorchTensor condition, TorchTensor x) => Torch.where(condition, x, Zero);

    // NaN never wins
    private static TorchTensor Ranked(TorchTensor x) => x.nan_to_num(double.NegativeInfinity, double.PositiveInfinity, double.NegativeInfinity);

    private TorchTensor Zero => Torch.zeros([], ScalarType.Float32, _device);

    private void EachRow(string operation, Tensor source, Tensor destination, Func<TorchTensor>? row, Action<TorchTensor, TorchTensor, TorchTensor> work) =>
        EachRow(operation, source, destination, row, (x, r, y, _) => work(x, r, y));

    // float32 in and out, dense rows, in blocks; the work sees a row vector that is made once
    private void EachRow(string operation, Tensor source, Tensor destination, Func<TorchTensor>? row, Action<TorchTensor, TorchTensor, TorchTensor, int> work)
    {
        int rows = source.Rank == 2 ? source.Shape[0] : 0, width = Width(operation, source);
        CheckRows(operation, source, rows, width);
        CheckRows(operation, destination, rows, width);
        if (source.Count == 0) return;
        _thread.Run(() =>
        {
            TorchTensor x = View(source), y = Target(destination), r = row?.Invoke() ?? x;
            Blocks(operation, rows, width * 24L, default, (at, n) => work(Part(x, at, n), r, Part(y, at, n), at));
            Commit(y, destination);
        });
    }

    private void EachPair(string operation, Tensor first, Tensor second, Tensor destination, Action<TorchTensor, TorchTensor, TorchTensor> work)
    {
        int rows = first.Rank == 2 ? first.Shape[0] : 0, width = Width(operation, first);
        CheckRows(operation, first, rows, width);
        CheckRows(operation, second, rows, width);
        CheckRows(operation, destination, rows, width);
        if (first.Count == 0) return;
        _thread.Run(() =>
        {
            TorchTensor a = View(first), b = View(second), y = Target(destination);
            Blocks(operation, rows, width * 24L, default, (at, n) => work(Part(a, at, n), Part(b, at, n), Part(y, at, n)));
            Commit(y, destination);
        });
    }
}
