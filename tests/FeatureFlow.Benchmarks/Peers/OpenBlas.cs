using System.Runtime.InteropServices;
using FeatureFlow.Tensors;

namespace FeatureFlow.Benchmarks;

/// <summary>OpenBLAS, where its library is installed (Debian: libopenblas0-pthread).</summary>
internal sealed unsafe class OpenBlas
{
    private static readonly string[] Names = ["libopenblas.so.0", "libopenblas.so", "libopenblas", "openblas.dll", "libopenblas.dylib"];

    private readonly delegate* unmanaged[Cdecl]<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void> _sgemm;
    private readonly delegate* unmanaged[Cdecl]<int, void> _threads;

    private OpenBlas(nint library)
    {
        _sgemm = (delegate* unmanaged[Cdecl]<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void>)NativeLibrary.GetExport(library, "cblas_sgemm");
        _threads = (delegate* unmanaged[Cdecl]<int, void>)NativeLibrary.GetExport(library, "openblas_set_num_threads");
    }

    public static OpenBlas? TryLoad()
    {
        foreach (var name in Names)
        {
            if (NativeLibrary.TryLoad(name, out var library) && NativeLibrary.TryGetExport(library, "cblas_sgemm", out _) && NativeLibrary.TryGetExport(library, "openblas_set_num_threads", out _)) return new OpenBlas(library);
        }

        return null;
    }

    /// <summary>c = a·b, float32, row-major.</summary>
    public void MatMul(Tensor a_MK, Tensor b_KN, Tensor c_MN, int threads)
    {
        const int RowMajor = 101, NoTranspose = 111;
        var (m, k, n) = (a_MK.Shape[0], a_MK.Shape[1], b_KN.Shape[1]);
        _threads(threads);
        fixed (float* a = a_MK.AsSpan<float>(), b = b_KN.AsSpan<float>(), c = c_MN.AsSpan<float>())
            _sgemm(RowMajor, NoTranspose, NoTranspose, m, n, k, 1, a, k, b, n, 0, c, n);
    }
}
