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

    public static Exception OtherEngine(string tensor) =>
        New("FF1009", $"{tensor} belongs to another engine; copy it through a host tensor.");

    public static FeatureFlowException Shortage(string device, string what, Exception inner) =>
        new(FailureKind.Retry, "FF1020", $"{device} is out of memory: {what}. Take fewer tokens or texts at a time, a smaller model or dictionary, or --engine cpu.", inner: inner);

    public static FeatureFlowException Shortage(string operation, long bytes, string free, string device, Exception inner) =>
        Shortage(device, $"{operation} needs {Megabytes(bytes)} at the least{free}", inner);

    public static FeatureFlowException Shortage(Exception e) => Shortage("The device", $"libtorch says '{e.Message.Split('\n')[0].Trim()}'", e);

    public static Exception NoDevice(string device, int cards) =>
        new FeatureFlowException(FailureKind.Usage, "FF1021", $"There is no device {device}: the torch engine sees {cards} CUDA cards{NoCard(cards)}.");

    public static Exception DeviceName(string device) =>
        new FeatureFlowException(FailureKind.Usage, "FF1022", $"{device} is no device: say cpu, cuda or cuda:1.");

    public static Exception NoTorch(string why) =>
        new FeatureFlowException(FailureKind.Usage, "FF1023", $"No torch engine can be used: {why}. Build one with -p:Torch=cpu, cuda-windows or cuda-linux and add it with 'featureflow engine add FOLDER' (docs/torch.md), or compute with --engine cpu.");

    public static Exception NoEngineWord(string text, string word) =>
        new FeatureFlowException(FailureKind.Usage, "FF1024", $"'{word}' in the engine '{text}' is not understood: say auto, cpu or torch; behind torch a device and a type of products, as in torch,cuda:1,bf16 (cpu, cuda, cuda:1; f32, tf32, bf16, f16).");

    public static Exception EngineSource(string sources, Exception e) =>
        new FeatureFlowException(FailureKind.Input, "FF1025", $"No engine can be made of {sources}: {e.Message}", inner: e);

    public static Exception NoEngineIn(string sources, string problem) =>
        new FeatureFlowException(FailureKind.Input, "FF1026", $"{sources} is no engine for this system: {problem}.");

    public static Exception EngineName(string name) =>
        new FeatureFlowException(FailureKind.Usage, "FF1027", $"'{name}' is no name for an engine's folder.");

    public static Exception Libtorch(Exception e) =>
        new FeatureFlowException(FailureKind.Internal, "FF1028", $"libtorch says: {e.Message.Split('\n')[0].Trim()}", inner: e);

    private static string NoCard(int cards) => cards > 0 ? "" : " (the driver is missing, or its libtorch is one for processors)";

    public static string Free(long free, long total) => total > 0 ? $", {Megabytes(free)} of {Megabytes(total)} are free" : "";

    private static string Megabytes(long bytes) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Math.Max(1, bytes >> 20):N0} MiB");

    private static FeatureFlowException New(string code, string text) => new(FailureKind.Internal, code, text);

    private static string Show(ReadOnlySpan<int> shape) => $"[{string.Join(",", shape.ToArray())}]";
}
