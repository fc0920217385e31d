using Scalar = global::TorchSharp.Scalar;

namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>
/// Operations of tensors with numbers. TorchSharp makes an object of every number whose finalizer frees it, and does not hold it while libtorch reads it: a garbage collection at the wrong moment
/// frees what is being read (seen as "Unknown scalar type"). So the last numbers of every thread are held here, and operations that make numbers of their own inside TorchSharp are avoided.
/// </summary>
internal static class Numbers
{
    private const int Last = 64; // far more than one expression has

    private static readonly Scalar s_one = 1;

    [ThreadStatic]
    private static Scalar[]? t_held;

    [ThreadStatic]
    private static int t_next;

    /// <summary>The number, held until long after the operation it is an argument of.</summary>
    public static Scalar Held(Scalar number)
    {
        t_held ??= new Scalar[Last];
        t_held[t_next] = number;
        t_next = (t_next + 1) % Last;
        return number;
    }

    public static TorchTensor Squared(this TorchTensor x) => x.mul(x);

    public static TorchTensor Add(this TorchTensor x, TorchTensor y) => x.add(y, s_one);

    public static TorchTensor Add(this TorchTensor x, Scalar y) => x.add(Held(y), s_one);

    public static TorchTensor Add_(this TorchTensor x, TorchTensor y) => x.add_(y, s_one);

    public static TorchTensor Add_(this TorchTensor x, TorchTensor y, Scalar alpha) => x.add_(y, Held(alpha));

    public static TorchTensor Add_(this TorchTensor x, Scalar y) => x.add_(Held(y), s_one);

    public static TorchTensor AddProduct_(this TorchTensor x, TorchTensor y, TorchTensor z, Scalar factor) => x.addcmul_(y, z, Held(factor));

    public static TorchTensor Sub(this TorchTensor x, TorchTensor y) => x.sub(y);

    public static TorchTensor Sub(this TorchTensor x, Scalar y) => x.sub(Held(y));

    public static TorchTensor Mul(this TorchTensor x, TorchTensor y) => x.mul(y);

    public static TorchTensor Mul(this TorchTensor x, Scalar y) => x.mul(Held(y));

    public static TorchTensor Mul_(this TorchTensor x, TorchTensor y) => x.mul_(y);

    public static TorchTensor Mul_(this TorchTensor x, Scalar y) => x.mul_(Held(y));

    public static TorchTensor Div(this TorchTensor x, TorchTensor y) => x.div(y);

    public static TorchTensor Div(this TorchTensor x, Scalar y) => x.div(Held(y));

    public static TorchTensor Div_(this TorchTensor x, TorchTensor y) => x.div_(y);

    public static TorchTensor Div_(this TorchTensor x, Scalar y) => x.div_(Held(y));

    public static TorchTensor Greater(this TorchTensor x, TorchTensor y) => x.gt(y);

    public static TorchTensor Greater(this TorchTensor x, Scalar y) => x.gt(Held(y));

    public static TorchTensor Less(this TorchTensor x, TorchTensor y) => x.lt(y);

    public static TorchTensor Less(this TorchTensor x, Scalar y) => x.lt(Held(y));

    public static TorchTensor AtLeast(this TorchTensor x, TorchTensor y) => x.ge(y);

    public static TorchTensor AtLeast(this TorchTensor x, Scalar y) => x.ge(Held(y));

    public static TorchTensor AtMost(this TorchTensor x, TorchTensor y) => x.le(y);

    public static TorchTensor Same(this TorchTensor x, TorchTensor y) => x.eq(y);

    public static TorchTensor Same(this TorchTensor x, Scalar y) => x.eq(Held(y));

    public static TorchTensor Other(this TorchTensor x, Scalar y) => x.ne(Held(y));

    public static TorchTensor NoLess(this TorchTensor x, Scalar least) => x.clamp_min(Held(least));

    public static TorchTensor NoMore(this TorchTensor x, Scalar most) => x.clamp_max(Held(most));

    public static TorchTensor Fill_(this TorchTensor x, TorchTensor mask, Scalar value) => x.masked_fill_(mask, Held(value));

    public static TorchTensor Full(long[] shape, Scalar value, ScalarType type, Torch.Device device) => Torch.full(shape, Held(value), type, device);

    public static TorchTensor FullLike(TorchTensor x, Scalar value) => Torch.full_like(x, Held(value));

    /// <summary>from, from + 1 ... before <paramref name="end"/>.</summary>
    public static TorchTensor Range(long from, long end, Torch.Device device) => Torch.arange(Held(from), Held(end), s_one, ScalarType.Int64, device);
}
