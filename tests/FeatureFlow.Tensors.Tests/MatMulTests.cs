namespace FeatureFlow.Tensors.Tests;

public class MatMulTests
{
    public static TheoryData<int, int, int> Shapes => new()
    {
        { 1, 1, 1 }, { 1, 64, 33 }, { 3, 100, 17 }, { 4, 2304, 65 }, { 5, 7, 9 }, { 12, 32, 32 }, { 13, 33, 31 },
        { 96, 768, 64 }, { 97, 769, 65 }, { 130, 1600, 40 }, { 200, 5, 900 }, { 7, 0, 5 }, { 4, 77, 1100 }, { 9, 101, 517 }, { 16, 40, 700 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void EveryKernelAgreesWithPlainLoops(int m, int k, int n)
    {
        var a = Make.Matrix(m, k, 1);
        var b = Make.Matrix(k, n, 2);
        var expected = Reference.MatMul(a, b);
        foreach (var bits in Kernels())
        {
            using var engine = new CpuEngine(2, bits);
            var c = Make.Empty(m, n);
            engine.MatMul(a, b, c);
            Near(expected, c, k);
        }
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    public void EveryStoredTypeAndLayoutIsTakenInPlace(DType type)
    {
        foreach (var (m, k, n) in new[] { (3, 70, 50), (9, 75, 50), (37, 101, 45), (1, 75, 130), (14, 75, 300) })
        {
            foreach (var layout in Enumerable.Range(0, 8))
            {
                var a = Make.Matrix(m, k, 3, type, transposed: (layout & 1) != 0, unaligned: (layout & 4) != 0);
                var b = Make.Matrix(k, n, 4, type, transposed: (layout & 2) != 0, unaligned: (layout & 4) != 0);
                var c = Make.Empty(m, n);
                CpuEngine.Shared.MatMul(a, b, c);
                Near(Reference.MatMul(a, b), c, k);
            }
        }
    }

    [Fact]
    public void StridedRowsAreTaken()
    {
        // every second column of a wider matrix, by a reshape that puts pairs in a row
        var wide = Make.Matrix(40, 60, 5);
        var a = wide.Rows(10, 20);
        var b = Make.Matrix(60, 11, 6);
        var c = Make.Empty(20, 11);
        CpuEngine.Shared.MatMul(a, b, c);
        Near(Reference.MatMul(a, b), c, 60);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(50)]
    public void EpilogueScalesThenAddsAndAccumulates(int m)
    {
        var a = Make.Matrix(m, 90, 7);
        var b = Make.Matrix(90, 70, 8);
        var scale = Make.Matrix(1, 70, 9).Reshape(70);
        var bias = Make.Matrix(1, 70, 10, DType.BF16).Reshape(70);
        var c = Make.Empty(m, 70);
        CpuEngine.Shared.MatMul(a, b, c, new MatMulEpilogue(scale, bias));
        double[] product = Reference.MatMul(a, b), s = Reference.Values(scale), t = Reference.Values(bias);
        var expected = product.Select((v, i) => v * s[i % 70] + t[i % 70]).ToArray();
        Near(expected, c, 90);

        CpuEngine.Shared.MatMul(a, b, c, new MatMulEpilogue(Accumulate: true));
        Near([.. expected.Zip(product, (x, y) => x + y)], c, 90);
    }

    [Fact]
    public void BitsDoNotDependOnTheNumberOfThreads()
    {
        var a = Make.Matrix(331, 1700, 11, DType.BF16);
        var b = Make.Matrix(1700, 411, 12);
        var bits = new List<float[]>();
        foreach (var threads in new[] { 1, 2, 3, 5 })
        {
            using var engine = new CpuEngine(threads);
            var c = Make.Empty(331, 411);
            engine.MatMul(a, b, c);
            bits.Add(c.AsSpan<float>().ToArray());
        }

        Assert.All(bits, b => Assert.Equal(bits[0], b));
    }

    [Theory]
    [InlineData(DType.F32, true)]
    [InlineData(DType.BF16, true)]
    [InlineData(DType.F32, false)]
    public void BitsOfARowDoNotDependOnHowManyComeTogether(DType type, bool transposed)
    {
        // every path: one row, few, the streamed ones, strips packed by each thread, the blocked product
        var a = Make.Matrix(260, 1700, 13);
        var b = Make.Matrix(1700, 205, 14, type, transposed);
        foreach (var bits in Kernels())
        {
            using var engine = new CpuEngine(2, bits);
            var all = Make.Empty(260, 205);
            engine.MatMul(a, b, all);
            foreach (var m in new[] { 1, 2, 4, 5, 8, 9, 11, 16, 17, 24, 25, 30, 64, 65, 191, 193 })
            {
                var some = Make.Empty(m, 205);
                engine.MatMul(a.Rows(3, m), b, some);
                Assert.Equal(all.Rows(3, m).AsSpan<float>().ToArray(), some.AsSpan<float>().ToArray());
            }
        }
    }

    [Theory]
    [InlineData(DType.F32, true, 1700, 205)]
    [InlineData(DType.F16, true, 160, 448)]
    [InlineData(DType.BF16, false, 77, 64)]
    [InlineData(DType.F32, false, 0, 40)]
    public void ConstantWeightsThatAreKeptInStripsGiveTheSameBits(DType type, bool transposed, int k, int n)
    {
        var a = Make.Matrix(260, k, 13).Transpose().Transpose();
        var b = Make.Matrix(k, n, 14, type, transposed);
        var constant = new Tensor(b.Storage, type, transposed ? [n, k] : [k, n]);
        if (transposed) constant = constant.Transpose();
        Tensor scale = Make.Matrix(1, n, 15).Reshape(n), bias = Make.Matrix(1, n, 16).Reshape(n);
        foreach (var threads in new[] { 1, 3 })
        {
            using var engine = new CpuEngine(threads);
            foreach (var m in new[] { 1, 4, 5, 8, 11, 12, 13, 24, 47, 96, 97, 210, 260 })
            {
                Tensor plain = Make.Empty(m, n), kept = Make.Empty(m, n);
                engine.MatMul(a.Rows(0, m), b, plain, new MatMulEpilogue(scale, bias));
                engine.MatMul(a.Rows(0, m), b, plain, new MatMulEpilogue(Accumulate: true));
                if (m == 1) ((HostStorage)b.Storage).Seal();
                engine.MatMul(a.Rows(0, m), constant, kept, new MatMulEpilogue(scale, bias));
                engine.MatMul(a.Rows(0, m), constant, kept, new MatMulEpilogue(Accumulate: true));
                Assert.Equal(plain.AsSpan<float>().ToArray(), kept.AsSpan<float>().ToArray());
            }
        }

        Assert.NotNull(constant.Packed);
    }

    [Fact]
    public void StripsAreKeptOfConstantsOnly_AndGoWithTheTensor()
    {
        if (!System.Runtime.Intrinsics.X86.Avx512F.IsSupported) return;
        var changing = Make.Matrix(300, 200, 1);
        for (var i = 0; i < 3; i++) Assert.Null(Cpu.PackedWeights.Of(changing, 12));
        var large = Make.Matrix(1100, 1000, 2);
        ((HostStorage)large.Storage).Seal();
        for (var i = 0; i < 3; i++) Assert.Null(Cpu.PackedWeights.Of(large, 12));
        var weights = Keep();
        for (var i = 0; i < 20 && weights.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        Assert.False(weights.IsAlive);

        static WeakReference Keep()
        {
            var constant = Make.Matrix(300, 200, 3);
            ((HostStorage)constant.Storage).Seal();
            Assert.Null(Cpu.PackedWeights.Of(constant, 12));
            var strips = Cpu.PackedWeights.Of(constant, 12);
            Assert.NotNull(strips);
            Assert.Same(strips, Cpu.PackedWeights.Of(constant, 12));
            Assert.True(Cpu.PackedWeights.KeptBytes >= 4 * strips.Length - 64);

            // few rows read them while all fit in a cache, else what is stored
            Assert.True(Cpu.PackedWeights.KeptBytes > Cpu.PackedWeights.CacheBytes || Cpu.PackedWeights.Of(constant, 1) == strips);
            var budget = Cpu.PackedWeights.Budget;
            Cpu.PackedWeights.Budget = 0;
            try
            {
                Assert.Null(Cpu.PackedWeights.Of(constant, 1));
                Assert.Same(strips, Cpu.PackedWeights.Of(constant, 12));
            }
            finally
            {
                Cpu.PackedWeights.Budget = budget;
            }

            return new WeakReference(strips);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void FewRowsAgreeWithPlainLoopsForAnyWidthAndNumberOfThreads(int threads)
    {
        using var engine = new CpuEngine(threads);
        foreach (var n in new[] { 127, 128, 129, 255, 300, 1537 })
        {
            foreach (var (m, k) in new[] { (1, 33), (3, 32), (7, 70), (13, 31), (24, 64), (33, 5) })
            {
                var a = Make.Matrix(m, k, n);
                var b = Make.Matrix(k, n, m, n % 2 == 0 ? DType.BF16 : DType.F32, transposed: n == 255);
                var c = Make.Empty(m, n);
                engine.MatMul(a, b, c);
                var expected = Reference.MatMul(a, b);
                Near(expected, c, k);
                engine.MatMul(a, b, c, new MatMulEpilogue(Accumulate: true));
                Near([.. expected.Select(x => 2 * x)], c, k);
            }
        }
    }

    [Theory]
    [InlineData(3)]
    [InlineData(40)]
    public void SparseProductEqualsDense(int m)
    {
        var a = Make.Matrix(m, 500, 13);
        var random = new Random(14);
        foreach (ref var v in a.AsSpan<float>()) v = random.Next(20) == 0 ? v : 0;
        var b = Make.Matrix(500, 64, 15, DType.F16, transposed: true);
        var bias = Make.Matrix(1, 64, 16).Reshape(64);
        Tensor dense = Make.Empty(m, 64), sparse = Make.Empty(m, 64);
        CpuEngine.Shared.MatMul(a, b, dense, new MatMulEpilogue(Bias_N: bias));
        CpuEngine.Shared.MatMulSparse(a, b, sparse, new MatMulEpilogue(Bias_N: bias));
        Near(Reference.Values(dense), sparse, 500);
    }

    [Fact]
    public void WrongShapesSayWhatAndWhere()
    {
        var e = Assert.Throws<FeatureFlowException>(() => CpuEngine.Shared.MatMul(Make.Empty(2, 3), Make.Empty(4, 5), Make.Empty(2, 5)));
        Assert.Equal("FF1002", e.Code);
        Assert.Contains("F32[2,3], F32[4,5]", e.Message, StringComparison.Ordinal);
        Assert.Throws<FeatureFlowException>(() => CpuEngine.Shared.MatMul(Make.Empty(2, 3), Make.Empty(3, 5), Make.Empty(5, 2)));
        Assert.Throws<FeatureFlowException>(() => CpuEngine.Shared.MatMul(Tensor.Allocate(DType.I64, 2, 3), Make.Empty(3, 5), Make.Empty(2, 5)));
    }

    [Fact]
    public void DisposedOperandsAreAnErrorNotACrash()
    {
        var a = Make.Empty(2, 3);
        a.Dispose();
        Assert.Throws<ObjectDisposedException>(() => CpuEngine.Shared.MatMul(a, Make.Empty(3, 5), Make.Empty(2, 5)));
    }

    [Fact]
    public void CancelledBeforeItStarts() => Assert.ThrowsAny<OperationCanceledException>(() =>
        CpuEngine.Shared.MatMul(Make.Empty(200, 300), Make.Empty(300, 5), Make.Empty(200, 5), cancel: new CancellationToken(canceled: true)));

    [Fact]
    public void SeveralThreadsMayCallAtOnce()
    {
        var a = Make.Matrix(60, 400, 17);
        var b = Make.Matrix(400, 50, 18);
        var expected = Reference.MatMul(a, b);
        Parallel.For(0, 16, _ =>
        {
            var c = Make.Empty(60, 50);
            CpuEngine.Shared.MatMul(a, b, c);
            Near(expected, c, 400);
        });
    }

    internal static IEnumerable<int> Kernels()
    {
        yield return 128;
        if (System.Runtime.Intrinsics.X86.Fma.IsSupported) yield return 256;
        if (System.Runtime.Intrinsics.X86.Avx512F.IsSupported) yield return 512;
    }

    private static void Near(double[] expected, Tensor actual, int terms)
    {
        var values = actual.AsSpan<float>();
        Assert.Equal(expected.Length, values.Length);
        var tolerance = 1e-7 * (terms + 8) * Math.Max(1, Math.Sqrt(terms)) / 4;
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - values[i]) <= tolerance, $"[{i}]: {values[i]} for {expected[i]}");
    }
}
