using FeatureFlow.Tensors.Cpu;

namespace FeatureFlow.Tensors;

/// <summary>
/// The built-in engine: managed code on the processor's vector units, all cores, operands in place. Needs no package and no device;
/// every other engine is tested against it.
/// </summary>
public sealed unsafe partial class CpuEngine : ITensorEngine
{
    private static readonly Lazy<CpuEngine> s_shared = new(() => new CpuEngine());

    private readonly Workers _workers;
    private readonly Scratch _scratch = new();
    private readonly Gemm _gemm;

    /// <summary>Makes one.</summary>
    /// <param name="threads">Worker threads, 0 for one per core.</param>
    public CpuEngine(int threads = 0)
        : this(threads, vectorBits: 0)
    {
    }

    internal CpuEngine(int threads, int vectorBits)
    {
        _workers = new Workers(threads > 0 ? threads : Environment.ProcessorCount);
        _gemm = new Gemm(Gemm.Choose(vectorBits), _workers, _scratch);
    }

    /// <summary>One for the whole process, on all cores; never disposed.</summary>
    public static CpuEngine Shared => s_shared.Value;

    /// <inheritdoc/>
    public EngineInfo Info => new(
        "cpu",
        System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture.ToString(),
        _workers.Count,
        _gemm.Kernel switch { MicroKernel512 => "AVX-512", MicroKernel256 => "AVX2", _ => "128-bit" });

    /// <inheritdoc/>
    public int Lanes => _workers.Count;

    /// <inheritdoc/>
    public IDisposable Alone() => Workers.Alone();

    /// <inheritdoc/>
    public Tensor Allocate(DType type, params ReadOnlySpan<int> shape) => Tensor.Allocate(type, shape);

    /// <inheritdoc/>
    public void MatMul(Tensor a_MK, Tensor b_KN, Tensor c_MN, MatMulEpilogue epilogue = default, CancellationToken cancel = default)
    {
        using var pinA = a_MK.Pin();
        using var pinB = b_KN.Pin();
        using var pinC = c_MN.Pin();
        var a = Operand.Of(a_MK, pinA, "MatMul");
        var b = Operand.Of(b_KN, pinB, "MatMul");
        var c = Output("MatMul", c_MN, pinC, a.Rows, b.Columns, out var stride);
        if (a.Columns != b.Rows) throw TensorErrors.Shape("MatMul", "columns of a must equal rows of b", a_MK, b_KN);
        using var scale = Row("MatMul", epilogue.ColumnScale_N, b.Columns);
        using var bias = Row("MatMul", epilogue.Bias_N, b.Columns);
        if (epilogue.Accumulate && !scale.IsNone) throw TensorErrors.Shape("MatMul", "accumulating excludes a column scale", c_MN);

        if (_gemm.Kernel is MicroKernel512 && a.Type == DType.F32 && a.RowsAreDense && PackedWeights.Of(b_KN, a.Rows) is { } strips)
        {
            MultiplyPacked(a, strips, c, stride, b.Columns, scale.Floats, bias.Floats, epilogue.Accumulate, cancel);
            return;
        }

        var narrow = _gemm.Kernel is MicroKernel512 && Narrow.Suits(a.Rows, b);
        var wide = _gemm.Kernel is MicroKernel512 && Wide.Suits(a.Rows, b);
        if (!narrow && !wide && !Streaming.Suits(a.Rows, b))
        {
            _gemm.Multiply(a, b, c, stride, scale.Floats, bias.Floats, epilogue.Accumulate, cancel);
            return;
        }

        // few rows: stream b, every thread an equal share of its columns
        int m = a.Rows, k = a.Columns, most = narrow ? Narrow.Piece : wide ? Wide.Most : 1024, threads = _workers.Threads;
        using var rows = _scratch.Rent((long)m * k);
        for (var i = 0; i < m; i++) Rows.ToFloat(a.At(i, 0), a.Type, a.ColumnStep, rows.Floats + (long)i * k, k);
        var pieces = ((b.Columns + most - 1) / most + threads - 1) / threads * threads;
        var piece = Gemm.RoundUp((b.Columns + pieces - 1) / pieces, wide ? Wide.Strip : 32);
        float* x = rows.Floats, s = scale.Floats, t = bias.Floats;
        _workers.Run((b.Columns + piece - 1) / piece, cancel, p =>
        {
            int n0 = p * piece, n = Math.Min(piece, b.Columns - n0);
            if (narrow) Narrow.Product(x, m, k, b, n0, n, _scratch, c, stride, epilogue.Accumulate);
            else if (wide) Wide.Product(x, m, k, b, n0, n, _scratch, c, stride, epilogue.Accumulate);
            else Streaming.Product(x, m, k, b, n0, n, c, stride, epilogue.Accumulate);
            for (var i = 0; i < m; i++)
            {
                var target = c + i * stride + n0;
                if (s != null) Rows.Multiply(target, s + n0, target, n);
                if (t != null) Rows.Add(target, t + n0, 1f, target, n);
            }
        });
    }

    // weights in strips: threads share out rows where there are many, columns where there are few
    private void MultiplyPacked(Operand a, float[] strips, float* c, long stride, int columns, float* scale, float* bias, bool accumulate, CancellationToken cancel)
    {
        int m = a.Rows, k = a.Columns, threads = _workers.Threads;
        var rows = m < 4 * Panels.Tile * threads ? m : Math.Clamp(Gemm.RoundUp((m + 4 * threads - 1) / (4 * threads), Panels.Tile), 2 * Panels.Tile, Gemm.BlockRows);
        var down = (m + rows - 1) / rows;
        var wide = down > 1 || threads == 1 ? columns : Gemm.RoundUp((columns + 2 * threads - 1) / (2 * threads), Panels.Width);
        var across = (columns + wide - 1) / wide;
        fixed (float* pinned = strips)
        {
            float* b = PackedWeights.Aligned(pinned), x = (float*)a.Data;
            var lda = (nint)(a.RowStep / sizeof(float));
            _workers.Run(down * across, cancel, piece =>
            {
                int i0 = piece % down * rows, j0 = piece / down * wide, some = Math.Min(rows, m - i0), n = Math.Min(wide, columns - j0);
                var target = c + i0 * stride + j0;
                Panels.Product(x + i0 * lda, lda, some, k, b + (long)j0 * k, n, target, (nint)stride, accumulate, _scratch);
                Gemm.Finish(target, stride, some, n, scale == null ? null : scale + j0, bias == null ? null : bias + j0);
            });
        }
    }

    /// <inheritdoc/>
    public TopKResult TopKInnerProduct(Tensor queries_QD, Tensor keys_KD, int k, TopKOptions? options = null, CancellationToken cancel = default)
    {
        options ??= new TopKOptions();
        using var pinQ = queries_QD.Pin();
        using var pinK = keys_KD.Pin();
        var queries = Operand.Of(queries_QD, pinQ, "TopKInnerProduct");
        var keys = Operand.Of(keys_KD, pinK, "TopKInnerProduct");
        if (queries.Columns != keys.Columns) throw TensorErrors.Shape("TopKInnerProduct", "queries and keys must have one width", queries_QD, keys_KD);
        if (k is < 1 or > 1024) throw TensorErrors.Shape("TopKInnerProduct", $"k must be 1 to 1024, not {k}");
        if (options.KeyBias is { } b && b.Length != keys.Rows) throw TensorErrors.Shape("TopKInnerProduct", $"the bias has {b.Length} entries", keys_KD);
        if (options.Floor_Q is { } floor && floor.Length != queries.Rows) throw TensorErrors.Shape("TopKInnerProduct", $"there are {floor.Length} floors", queries_QD);
        return new TopKSearch(_gemm, _workers, _scratch).Find(queries, keys, k, options, cancel);
    }

    /// <inheritdoc/>
    public void RowNorms(Tensor x_ND, Tensor norm_N, CancellationToken cancel = default)
    {
        using var pin = x_ND.Pin();
        var x = Operand.Of(x_ND, pin, "RowNorms");
        using var pinN = norm_N.Pin();
        var target = Vector("RowNorms", norm_N, pinN, x.Rows);
        var norms = new TopKSearch(_gemm, _workers, _scratch).Norms(x, cancel);
        for (var i = 0; i < norms.Length; i++) target[i] = (float)norms[i];
    }

    /// <inheritdoc/>
    public void Dispose() => _scratch.Dispose();

    // a float32 destination [rows, columns] whose rows are dense
    private static float* Output(string operation, Tensor t, in HostPin pin, int rows, int columns, out long stride)
    {
        if (t.Rank != 2 || t.DType != DType.F32 || t.Shape[0] != rows || t.Shape[1] != columns || (t.Strides[1] != 1 && columns > 1))
            throw TensorErrors.Shape(operation, $"the destination must be F32[{rows},{columns}] with dense rows", t);
        stride = t.Strides[0];
        return (float*)(pin.Pointer + t.ByteOffset);
    }

    private static float* Vector(string operation, Tensor t, in HostPin pin, int length)
    {
        if (t.Rank != 1 || t.DType != DType.F32 || t.Shape[0] != length || !t.IsContiguous)
            throw TensorErrors.Shape(operation, $"expected F32[{length}]", t);
        return (float*)(pin.Pointer + t.ByteOffset);
    }

    // a vector of any computable type as dense float32, or nothing
    private FloatRow Row(string operation, Tensor? t, int length)
    {
        if (t is null) return default;
        if (t.Rank != 1 || t.Shape[0] != length || !t.DType.IsComputable()) throw TensorErrors.Shape(operation, $"expected a vector of {length}", t);
        using var pin = t.Pin();
        var block = _scratch.Rent(length);
        Rows.ToFloat(pin.Pointer + t.ByteOffset, t.DType, t.Strides[0] * t.DType.Size(), block.Floats, length);
        return new FloatRow(block);
    }

    private readonly struct FloatRow(Scratch.Block block) : IDisposable
    {
        public bool IsNone => block is null;

        public float* Floats => block is null ? null : block.Floats;

        public void Dispose() => block?.Dispose();
    }
}
