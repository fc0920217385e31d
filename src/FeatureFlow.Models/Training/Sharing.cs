using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Training;

/// <summary>Numbered pieces of work on several threads. What a piece writes is its own, so that it does not matter who does it.</summary>
internal sealed class Sharing(int threads)
{
    private readonly ParallelOptions _options = new() { MaxDegreeOfParallelism = Math.Max(1, threads) };

    public void Run(int pieces, Action<int> work) => Parallel.For(0, pieces, _options, work);
}

/// <summary>Where tensors of our own memory lie; valid while the tensor lives, for that memory does not move.</summary>
internal static unsafe class Pointers
{
    public static float* Of(Tensor tensor)
    {
        using var pin = tensor.Pin();
        return (float*)(pin.Pointer + tensor.ByteOffset);
    }
}
