namespace FeatureFlow.Tensors;

/// <summary>Every message of the tensor floor (FF10xx).</summary>
internal static class TensorErrors
{
    public static Exception Rank(string operation, int rank, ReadOnlySpan<int> shape) =>
        New("FF1001", $"{operation} takes a tensor of rank {rank}, not {Show(shape)}.");

    public static Exception Shape(string operation, string rule, params Tensor[] tensors) =>
        New("FF1002", $"{operation}: {rule}; got {string.Join(", ", tensors.Select(t => t.ToString()))}.");

    public static Exception RowRange(int start, int count, ReadOnlySpan<int> shape) =>
        New("FF1003", $"Rows {start}..{start + count} do not exist in {Show(shape)}.");

    public static Exception Reshape(ReadOnlySpan<int> from, ReadOnlySpan<int> to) =>
        New("FF1004", $"{Show(from)} cannot be seen as {Show(to)} without moving elements.");

    public static Exception NotASpan(DType type, string asked, bool contiguous) =>
        New("FF1005", contiguous ? $"A {type} tensor is not a span of {asked}." : "A strided tensor is not a span.");

    public static Exception NotHost(string tensor) =>
        New("FF1006", $"{tensor} lives on a device; copy it to a host tensor first.");

    public static Exception DTypeOf(string operation, DType type) =>
        New("FF1007", $"{operation} does not take {type}.");

    public static Exception Slice(int axis, int start, int count, ReadOnlySpan<int> shape) =>
        New("FF1008", $"Entries {start}..{start + count} of axis {axis} do not exist in {Show(shape)}.");

    private static FeatureFlowException New(string code, string text) => new(FailureKind.Internal, code, text);

    private static string Show(ReadOnlySpan<int> shape) => $"[{string.Join(",", shape.ToArray())}]";
}
