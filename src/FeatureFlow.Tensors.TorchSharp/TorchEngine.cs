using System.Runtime.InteropServices;

namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>
/// The engine on libtorch: CUDA cards, or the processor. Tensors that it allocates live on the device; host operands are uploaded, constant ones (weights) once and kept
/// within a budget. Arithmetic is that of the interface; results of a row may differ in the last bits with what else is in the batch.
/// </summary>
public sealed partial class TorchEngine : ITensorEngine
{
    private readonly EngineThread _thread = new();
    private readonly Torch.Device _device;
    private readonly EngineOptions _options;
    private readonly Card? _card;
    private readonly Transfers _transfers;
    private readonly Uploads _uploads;
    private readonly string _deviceName;
    private readonly int _threads;
    private long _blockBytes;

    private TorchEngine(EngineOptions options)
    {
        _options = options;
        try
        {
            (_device, _card, _deviceName, _threads) = OnThread(() => Start(options));
        }
        catch
        {
            _thread.Dispose();
            throw;
        }

        var (total, free) = OnThread(() => _card?.Memory() ?? default);
        if (_card is null) total = free = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        var weights = options.WeightBudget > 0 ? options.WeightBudget : _card is null ? total / 4 : free > 0 ? Math.Max(free / 2, free - Math.Max(3L << 29, total / 100 * 15)) : 4L << 30; // beside weights: results, caches, and on Windows the screen
        _blockBytes = options.BlockBytes > 0 ? options.BlockBytes : _card is null ? 64L << 20 : Math.Clamp(total / 20, 256L << 20, 4L << 30);
        if (_card is not null) _thread.Patience = TimeSpan.FromMilliseconds(0.5);
        MultipliesHalf = OnThread(() => CanMultiply(Arithmetic, _device));
        _transfers = new Transfers(_device);
        _uploads = new Uploads(_transfers, weights, bytes => Pretend("upload", bytes));
    }

    /// <inheritdoc/>
    public EngineInfo Info => new("torch", _deviceName, _threads, _options.Compute == ComputeType.F32 ? _options.Tf32 ? "TF32" : "float32" : _options.Compute + (MultipliesHalf ? "" : " (multiplied in float32: this libtorch has no such products here)"));

    /// <inheritdoc/>
    public EngineMemory Memory => OnThread(() =>
    {
        _uploads.Sweep();
        var (total, free) = _card?.Memory() ?? default;
        return new EngineMemory(_card is not null, _uploads.Held, _uploads.Budget, _uploads.Count, _uploads.Evictions, TorchTensor.TotalCount, total, free, _transfers.Uploaded, _transfers.Downloaded);
    });

    /// <summary>Opens one.</summary>
    /// <exception cref="FeatureFlowException">FF1021: there is no such device.</exception>
    public static ITensorEngine Open(EngineOptions options) => new TorchEngine(options);

    /// <inheritdoc/>
    public Tensor Allocate(DType type, params ReadOnlySpan<int> shape)
    {
        long count = 1;
        foreach (var extent in shape) count = checked(count * extent);
        TorchTensor? flat = null;
        _thread.Run(() => Enough("Allocate", count * type.Size(), () => flat = Torch.zeros([count], type.Scalar(), _device).DetachFromDisposeScope()));
        return new Tensor(new TorchStorage(this, flat!, type, count), type, shape, owner: true);
    }

    /// <inheritdoc/>
    public void Copy(Tensor source, Tensor destination)
    {
        if (!source.Shape.SequenceEqual(destination.Shape)) throw TensorErrors.Shape("Copy", "shapes must be equal", source, destination);
        if (source.Storage is HostStorage && destination.Storage is HostStorage)
        {
            CpuEngine.Shared.Copy(source, destination);
            return;
        }

        if (source.Count == 0) return;
        _thread.Run(() => Enough("Copy", source.Count * source.DType.Size(), () =>
        {
            if (destination.Storage is HostStorage)
            {
                ToHost(View(source), destination);
                return;
            }

            var target = View(destination);
            if (source.Storage is HostStorage && source.IsContiguous && source.DType == destination.DType && destination.IsContiguous)
            {
                Fill(target.view(-1), source);
            }
            else
            {
                target.copy_(source.Storage is HostStorage ? UploadOnce(source) : View(source));
            }
        }));
    }

    /// <inheritdoc/>
    public void Together(Action work) => _thread.Run(work);

    /// <inheritdoc/>
    public void Trim() => _thread.Run(() =>
    {
        _uploads.Clear();
        Forget();
    });

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            _thread.Run(() =>
            {
                _uploads.Clear();
                Forget();
                _transfers.Dispose();
            });
        }
        catch (ObjectDisposedException)
        {
            return;
        }

        _thread.Dispose();
    }

    internal void Post(Action work) => _thread.Post(work);

    private T OnThread<T>(Func<T> work)
    {
        T result = default!;
        _thread.Run(() => result = work());
        return result;
    }

    private static (Torch.Device, Card?, string, int) Start(EngineOptions options)
    {
        var asked = options.Device?.Trim().ToLowerInvariant();
        var onCard = asked is null ? Cards() > 0 : asked != "cpu";
        if (onCard)
        {
            var number = asked is null or "cuda" ? 0 : asked.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(asked.AsSpan(5), out var n) && n >= 0 ? n : throw TensorErrors.DeviceName(options.Device!);
            if (number >= Cards()) throw TensorErrors.NoDevice(options.Device ?? "cuda", Cards());
            Torch.InitializeDeviceType(global::TorchSharp.DeviceType.CUDA);
        }

        Torch.set_grad_enabled(false);
        var device = onCard ? new Torch.Device(global::TorchSharp.DeviceType.CUDA, asked is not null && asked.Length > 5 ? int.Parse(asked.AsSpan(5), System.Globalization.CultureInfo.InvariantCulture) : 0) : new Torch.Device(global::TorchSharp.DeviceType.CPU);
        if (!onCard) return (device, null, $"{RuntimeInformation.ProcessArchitecture} (libtorch)", Torch.get_num_threads());
        Torch.backends.cuda.matmul.allow_tf32 = options.Tf32;
        Torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = false;
        Torch.zeros([1], ScalarType.Float32, device).Dispose(); // makes the card's context current on this thread
        var card = Card.Find(device.index);
        return (device, card ?? Card.Unknown, card?.Name ?? $"CUDA device {device.index}", 0);
    }

    // asked of libtorch only where a CUDA build of it is loaded: a build for processors has nothing to say but 0
    private static int Cards() => Torch.cuda.is_available() ? Torch.cuda.device_count() : 0;
}
