using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Activations;

/// <summary>What an <see cref="ActivationSweep"/> writes.</summary>
/// <param name="Sites">Sites, each a tensor <c>site.layer</c> [B,T,d] float32.</param>
/// <param name="Logits">Also <c>logits</c> [B,T,V].</param>
public sealed record ActivationSelection(IReadOnlyList<SiteAddress> Sites, bool Logits = false);

/// <summary>How far a sweep is.</summary>
/// <param name="Done">Rows whose activations are on disk.</param>
/// <param name="Rows">Rows in all.</param>
public readonly record struct SweepProgress(int Done, int Rows);

/// <summary>
/// Writes the activations of rows of tokens to one safetensors file, pass by pass, never holding more than one pass. An interrupted sweep leaves the
/// file under the name <c>OUT.part</c> and goes on there when the same sweep is asked for again; the final name appears when it is whole.
/// </summary>
public sealed class ActivationSweep : ISiteHook, IDisposable
{
    private const int TokensTogether = 2048;
    private const long LogitBytesTogether = 256L << 20;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly LanguageModel _model;
    private readonly IReadOnlyList<int[]> _rows;
    private readonly ActivationSelection _selection;
    private readonly Dictionary<string, (long Offset, int Width)> _places = new(StringComparer.Ordinal);
    private readonly string _out;
    private readonly int _length;
    private FileStream? _file;
    private string _key = "";
    private int _firstRow;

    private ActivationSweep(LanguageModel model, IReadOnlyList<int[]> rows, ActivationSelection selection, string path)
    {
        (_model, _rows, _selection, _out) = (model, rows, selection, Path.GetFullPath(path));
        _length = rows.Count > 0 ? rows[0].Length : 0;
    }

    private string Part => _out + ".part";

    private string State => _out + ".part.json";

    /// <summary>Runs the sweep, or what is left of it.</summary>
    /// <param name="model">The model.</param>
    /// <param name="rows">B rows of T tokens each.</param>
    /// <param name="selection">What to write.</param>
    /// <param name="path">The file to write.</param>
    /// <param name="progress">Told after every pass.</param>
    /// <param name="cancel">Honoured within a pass; what was written is kept.</param>
    /// <returns>Rows that an earlier, interrupted run had already written.</returns>
    /// <exception cref="FeatureFlowException">FF2220: no rows, or of several lengths; FF2213: no such layer; FF2030: cannot be written.</exception>
    public static int Run(LanguageModel model, IReadOnlyList<int[]> rows, ActivationSelection selection, string path, IProgress<SweepProgress>? progress = null, CancellationToken cancel = default)
    {
        if (rows.Count == 0 || rows.Any(r => r.Length != rows[0].Length || r.Length == 0)) throw ModelErrors.RowsDiffer(rows.Count == 0);
        foreach (var at in selection.Sites)
        {
            if ((uint)at.Layer >= (uint)model.Config.Layers) throw ModelErrors.NoSuchLayer(at.Layer, model.Config.Layers);
        }

        using var sweep = new ActivationSweep(model, rows, selection, path);
        return sweep.Run(progress, cancel);
    }

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();

    /// <inheritdoc/>
    bool ISiteHook.Wants(SiteAddress at) => _places.ContainsKey(at.TensorName);

    /// <inheritdoc/>
    void ISiteHook.Visit(SiteAddress at, Tensor x_TD, TokenBatch batch) => Store(at.TensorName, x_TD);

    private int Run(IProgress<SweepProgress>? progress, CancellationToken cancel)
    {
        try
        {
            var begun = Open();
            var last = _selection.Logits || _selection.Sites.Count == 0 ? (int?)null : _selection.Sites.Max(s => s.Layer);
            var together = (int)Math.Max(1, Math.Min(TokensTogether / _length, _selection.Logits ? LogitBytesTogether / (4L * _length * _model.Config.Vocabulary) : int.MaxValue));
            var kept = DateTime.UtcNow;
            for (_firstRow = begun; _firstRow < _rows.Count; _firstRow += together)
            {
                var n = Math.Min(together, _rows.Count - _firstRow);
                var batch = new TokenBatch([.. _rows.Skip(_firstRow).Take(n)]);
                using var pass = _model.Forward(batch, new ForwardOptions { Hook = this, LastLayer = last, Logits = _selection.Logits ? LogitsWanted.All : LogitsWanted.None }, cancel);
                if (pass.Logits is { } logits_TV) Store("logits", logits_TV);
                progress?.Report(new SweepProgress(_firstRow + n, _rows.Count));
                if (DateTime.UtcNow - kept < Interval) continue;
                Keep(_firstRow + n);
                kept = DateTime.UtcNow;
            }

            _file!.Flush(flushToDisk: true);
            _file.Dispose();
            File.Move(Part, _out, overwrite: true);
            File.Delete(State);
            return begun;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ModelErrors.CannotWrite(_out, e);
        }
    }

    // where each tensor lies is known before anything is computed
    private int Open()
    {
        var sources = _selection.Sites.Select(s => new TensorSource(s.TensorName, DType.F32, [_rows.Count, _length, _model.Config.WidthAt(s.Site)], _ => { })).ToList();
        if (_selection.Logits) sources.Add(new TensorSource("logits", DType.F32, [_rows.Count, _length, _model.Config.Vocabulary], _ => { }));
        var header = SafetensorsHeader.Write(null, sources);
        long at = 8 + header.Length;
        foreach (var source in sources)
        {
            _places[source.Name] = (at, source.Shape[2]);
            at += source.ByteLength;
        }

        var key = Key(header);
        var begun = Begun(key, at);
        if (begun == 0)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_out)!);
            if (Directory.Exists(_out)) throw new UnauthorizedAccessException("a folder has this name.");
            File.Delete(State);
        }

        _file = new FileStream(Part, begun == 0 ? FileMode.Create : FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
        if (begun > 0) return begun;
        _file.Write(BitConverter.GetBytes((long)header.Length));
        _file.Write(header);
        _file.SetLength(at);
        Keep(0);
        return 0;
    }

    private int Begun(string key, long length)
    {
        if (!File.Exists(State) || !File.Exists(Part) || new FileInfo(Part).Length != length) return 0;
        try
        {
            using var state = JsonDocument.Parse(File.ReadAllText(State));
            return state.RootElement.GetProperty("key").GetString() == key ? Math.Clamp(state.RootElement.GetProperty("rows").GetInt32(), 0, _rows.Count) : 0;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return 0; // not ours, or damaged: begin again
        }
    }

    private void Keep(int rows)
    {
        _file!.Flush(flushToDisk: true);
        AtomicFile.WriteText(State, JsonSerializer.Serialize(new { key = _key, rows }));
    }

    // the model's files, the tokens, and what is written
    private string Key(byte[] header)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(header);
        foreach (var file in Directory.EnumerateFiles(_model.Folder).Where(f => f.EndsWith(".safetensors", StringComparison.Ordinal) || Path.GetFileName(f) == "config.json").Order(StringComparer.Ordinal))
            hash.AppendData(Encoding.UTF8.GetBytes($"{file} {new FileInfo(file).Length} {File.GetLastWriteTimeUtc(file).Ticks}\n"));
        foreach (var row in _rows) hash.AppendData(MemoryMarshal.AsBytes(row.AsSpan()));
        return _key = Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private void Store(string name, Tensor x_TD)
    {
        var (offset, width) = _places[name];
        using var host = Tensor.Allocate(DType.F32, x_TD.Shape);
        _model.Engine.Copy(x_TD, host);
        offset += 4L * _firstRow * _length * width;
        const int block = 4096;
        for (var t = 0; t < host.Shape[0]; t += block)
        {
            var bytes = MemoryMarshal.AsBytes(host.Rows(t, Math.Min(block, host.Shape[0] - t)).AsSpan<float>());
            RandomAccess.Write(_file!.SafeFileHandle, bytes, offset);
            offset += bytes.Length;
        }
    }
}
