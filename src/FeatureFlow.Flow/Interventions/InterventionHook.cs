using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>Makes the edits of an <see cref="InterventionSet"/> during forward passes, in prompts and in decoding alike. For one thread at a time.</summary>
public sealed class InterventionHook : ISiteHook, IDisposable
{
    private readonly InterventionSet _set;
    private readonly IReadOnlyList<RowEdits> _byOwner;
    private readonly ILookup<SiteAddress, SiteEdits> _reads;
    private readonly ILookup<SiteAddress, SiteEdits> _writes;
    private readonly Dictionary<SiteEdits, (Tensor Change_TU, bool Any)> _changes = [];
    private readonly Dictionary<SiteAddress, SiteEdits?> _alone = [];
    private readonly Dictionary<string, Tensor> _buffers = [];
    private int[] _rows = [];

    internal InterventionHook(InterventionSet set, IReadOnlyList<RowEdits> byOwner)
    {
        (_set, _byOwner) = (set, byOwner);
        _reads = set.Sites.Where(s => s.Rescales).ToLookup(s => s.Read);
        _writes = set.Sites.ToLookup(s => s.Write);
    }

    /// <summary>
    /// Set to an empty array before a pass to have measured what is done: afterwards it holds, of every token, the L2 norms of the changes summed over sites.
    /// </summary>
    public float[]? Norms { get; set; }

    private ITensorEngine Engine => _set.Model.Engine;

    /// <inheritdoc/>
    public bool Wants(SiteAddress at) => _reads.Contains(at) || _writes.Contains(at);

    /// <inheritdoc/>
    public void Visit(SiteAddress at, Tensor x_TD, TokenBatch batch)
    {
        if (Alone(at) is { } alone)
        {
            VisitAlone(alone, x_TD, batch);
            return;
        }

        // first all that is read, then all that is written: edits of one site do not see each other
        foreach (var site in _reads[at]) Read(site, x_TD, batch);
        if (!_writes.Contains(at)) return;
        var changed_TD = Norms is null ? x_TD : Cleared(x_TD);
        var any = false;
        foreach (var site in _writes[at])
        {
            if (site.Rescales && _changes.TryGetValue(site, out var change) && change.Any)
            {
                site.Rescale(change.Change_TU, changed_TD);
                any = true;
            }

            any |= Add(site, changed_TD, batch);
        }

        if (Norms is not null && any) Apply(changed_TD, x_TD);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var buffer in _buffers.Values) buffer.Dispose();
        _buffers.Clear();
    }

    // the only edits of an address, read and written in one step
    private SiteEdits? Alone(SiteAddress at)
    {
        if (_alone.TryGetValue(at, out var known)) return known;
        List<SiteEdits> all = [.. _reads[at].Union(_writes[at])];
        return _alone[at] = all is [var one] && one.Write == at && (one.IsDirect || !one.Rescales) ? one : null;
    }

    private void VisitAlone(SiteEdits site, Tensor x_TD, TokenBatch batch)
    {
        if (!site.Rescales || !Rows(batch, site.RescaleRow))
        {
            if (Add(site, x_TD, batch) && Norms is not null)
            {
                // how long what is added is was known before
                if (Norms.Length != batch.Count) Norms = new float[batch.Count];
                for (var t = 0; t < batch.Count; t++) Norms[t] += site.AddNorm(_rows[t]);
            }

            return;
        }

        var changed_TD = Norms is null ? x_TD : Cleared(x_TD);
        site.Rescale(x_TD, _rows.AsSpan(0, batch.Count), changed_TD);
        Add(site, changed_TD, batch);
        if (Norms is not null) Apply(changed_TD, x_TD);
    }

    private bool Add(SiteEdits site, Tensor x_TD, TokenBatch batch)
    {
        if (!Rows(batch, site.AddRow)) return false;
        site.Add(_rows.AsSpan(0, batch.Count), x_TD);
        return true;
    }

    private void Apply(Tensor change_TD, Tensor x_TD)
    {
        Measure(change_TD);
        Engine.Add(x_TD, change_TD, x_TD);
    }

    private void Read(SiteEdits site, Tensor x_TD, TokenBatch batch)
    {
        var any = Rows(batch, site.RescaleRow);
        var change_TU = Buffer(site.Read.ToString(), batch.Count, site.Width);
        if (any) site.Changes(x_TD, _rows.AsSpan(0, batch.Count), change_TU, Buffer("factors", batch.Count, site.Width));
        _changes[site] = (change_TU, any);
    }

    // the matrix row of every token; false when none has one
    private bool Rows(TokenBatch batch, Func<int, int> rowOf)
    {
        if (_rows.Length < batch.Count) _rows = new int[batch.Count];
        var any = false;
        for (var r = 0; r < batch.Rows.Length; r++)
        {
            var run = batch.Rows[r];
            var edits = _byOwner[batch.Owners[r]];
            var row = edits.Intervention < 0 ? 0 : rowOf(edits.Intervention);
            for (var i = 0; i < run.Count; i++)
            {
                var made = row > 0 && edits.Positions?.Contains(run.Position + i) != false;
                _rows[run.Token + i] = made ? row : 0;
                any |= made;
            }
        }

        return any;
    }

    private Tensor Cleared(Tensor like_TD)
    {
        var zero_TD = Buffer("change", like_TD.Shape[0], like_TD.Shape[1]);
        Engine.Copy(Zeros(like_TD.Shape[0], like_TD.Shape[1]), zero_TD);
        return zero_TD;
    }

    private Tensor Zeros(int rows, int columns)
    {
        var key = $"zeros {columns}";
        if (!_buffers.TryGetValue(key, out var zeros) || zeros.Shape[0] < rows)
        {
            zeros?.Dispose();
            _buffers[key] = zeros = Engine.Allocate(DType.F32, rows, columns);
        }

        return zeros.Rows(0, rows);
    }

    private void Measure(Tensor change_TD)
    {
        var tokens = change_TD.Shape[0];
        if (Norms!.Length != tokens) Norms = new float[tokens];
        var norm_T = Buffer("norms", 1, tokens).Reshape(tokens);
        Engine.RowNorms(change_TD, norm_T);
        using var host = Tensor.Allocate(DType.F32, tokens);
        Engine.Copy(norm_T, host);
        var norms = host.AsSpan<float>();
        for (var t = 0; t < tokens; t++) Norms[t] += norms[t];
    }

    // memory of a name, with anything in it
    private Tensor Buffer(string name, int rows, int columns)
    {
        if (!_buffers.TryGetValue(name, out var buffer) || buffer.Count < (long)rows * columns)
        {
            buffer?.Dispose();
            _buffers[name] = buffer = Engine.Allocate(DType.F32, rows, columns);
        }

        return new Tensor(buffer.Storage, DType.F32, [rows, columns]);
    }
}
