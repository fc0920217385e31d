using FeatureFlow.Models;
using FeatureFlow.Models.Generation;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>
/// Notes what the steered model does while it writes, token by token, so that measuring needs no second steered pass: how far the state was moved, the targets'
/// activations, the state just before the first edit (that of the unsteered model, still) and the one that leaves the last layer.
/// </summary>
internal sealed class SteeredTrace : ISiteHook, IDisposable
{
    private const long LogitBytes = 512L << 20;

    private readonly SteeringWork _work;
    private readonly InterventionSet _set;
    private readonly InterventionHook _edits;
    private readonly TargetReader _targets;
    private readonly SiteHooks _hooks;
    private readonly IReadOnlyList<SteeringPlan> _plans;
    private readonly IReadOnlyList<SteeringTask> _tasks;
    private readonly int[] _planOf;
    private readonly int[] _promptOf;
    private readonly Dictionary<int, TokenNotes> _prompts = [];
    private readonly Dictionary<int, TokenNotes> _texts = [];
    private readonly List<FeatureId> _allTargets;
    private readonly HashSet<int> _entries;
    private readonly Stack<TokenNotes> _free = [];
    private readonly bool _keepsLogits;
    private Tensor? _host;
    private Tensor? _logits;

    /// <summary>Watches the texts of tasks; owners of rows are the tasks' numbers.</summary>
    /// <param name="work">The tasks. Logits are kept where so many of them take little memory, else made again.</param>
    /// <param name="edits">Makes the plans' edits; it is visited here.</param>
    public SteeredTrace(SteeringWork work, InterventionHook edits)
    {
        (_work, _set, _edits, _plans, _tasks, _planOf, _promptOf) = (work, work.Edits, edits, work.Plans, work.Tasks, work.PlanOf, work.PromptOf);
        _keepsLogits = (long)Math.Min(_tasks.Count, work.RowsTogether) * work.Options.Generation.MaxTokens * _set.Model.Config.Vocabulary * sizeof(float) <= LogitBytes;
        _allTargets = [.. _plans.SelectMany(p => p.Targets).Distinct()];
        _targets = new TargetReader(work.Pack, _set.Model.Engine, _allTargets);
        _hooks = new SiteHooks(edits, _targets);
        _entries = [.. Enumerable.Range(0, _plans.Count).Where(p => !IsNothing(p)).Select(_set.EntryLayer).Where(l => l > 0)];
        _edits.Norms = [];
    }

    private int Last => _set.Model.Config.Layers - 1;

    /// <inheritdoc/>
    public bool Wants(SiteAddress at) => _hooks.Wants(at) || (at.Site == Site.Res && (at.Layer == Last || _entries.Contains(at.Layer + 1)));

    /// <inheritdoc/>
    public void Visit(SiteAddress at, Tensor x_TD, TokenBatch batch)
    {
        if (at.Site == Site.Res && _entries.Contains(at.Layer + 1)) NoteEntering(at.Layer + 1, x_TD, batch);
        if (_hooks.Wants(at)) _hooks.Visit(at, x_TD, batch);
        if (at.Site != Site.Res || at.Layer != Last) return;
        var width = x_TD.Shape[1];
        Tensor? state = null;
        for (var r = 0; r < batch.Rows.Length; r++)
        {
            var (run, owner) = (batch.Rows[r], batch.Owners[r]);
            var notes = Notes(owner, run.Position);
            var from = run.Position - notes.Start;
            if (!_keepsLogits || IsNothing(_planOf[owner]) || IsShared(owner, run.Position)) notes.Leaving.Put(from, (state ??= Host(ref _host, x_TD)).AsSpan<float>().Slice(run.Token * width, run.Count * width));
            for (var i = 0; i < run.Count; i++)
            {
                notes.Norms.Put(from + i, _edits.Norms!.Length == 0 ? 0 : _edits.Norms[run.Token + i]);
                for (var t = 0; t < notes.Targets.Count; t++) notes.Put(from + i, t, _targets.Activation(notes.Targets[t], run.Token + i)!.Value);
            }
        }

        _edits.Norms = [];
        _targets.Forget();
    }

    // before the first edit of a row is made; of a prompt the unsteered model reads all itself
    private void NoteEntering(int layer, Tensor x_TD, TokenBatch batch)
    {
        var width = x_TD.Shape[1];
        Tensor? state = null;
        for (var r = 0; r < batch.Rows.Length; r++)
        {
            var (run, owner) = (batch.Rows[r], batch.Owners[r]);
            if (_set.EntryLayer(_planOf[owner]) != layer || IsNothing(_planOf[owner]) || Notes(owner, run.Position) is not { Start: > 0 } notes) continue;
            notes.Entering.Put(run.Position - notes.Start, (state ??= Host(ref _host, x_TD)).AsSpan<float>().Slice(run.Token * width, run.Count * width));
        }
    }

    // a prompt of many plans
    private bool IsShared(int owner, int position) => position < _tasks[owner].Ids.Length && _work.SharesPrompt(owner);

    private bool IsNothing(int plan) => _set.FirstLayer(plan) > Last;

    /// <summary>Keeps the logits of a pass, if logits are kept: those of a prompt until something is written, then those of what was written.</summary>
    public void Keep(Tensor logits_RV, IReadOnlyList<int> owners)
    {
        if (!_keepsLogits) return;
        var width = logits_RV.Shape[1];
        var logits = Host(ref _logits, logits_RV).AsSpan<float>();
        for (var r = 0; r < owners.Count; r++)
        {
            var notes = _texts.GetValueOrDefault(owners[r]) ?? _prompts[_promptOf[owners[r]]];
            if (notes.Start > 0 || notes.LogitRows == 0) notes.KeepLogits(logits.Slice(r * width, width)); // a prompt may be read again
        }
    }

    /// <summary>What is known of a text's prompt and of what was written.</summary>
    public (TokenNotes Prompt, TokenNotes Written) Of(int task) => (Notes(task, 0), Notes(task, _tasks[task].Ids.Length));

    /// <summary>Forgets texts that are measured, and prompts that no other text waits for.</summary>
    public void Forget(IEnumerable<int> tasks)
    {
        foreach (var task in tasks)
        {
            Free(_texts, task);
            _work.Finish(task);
        }

        foreach (var prompt in _prompts.Keys.Where(_work.IsOver).ToList()) Free(_prompts, prompt);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _targets.Dispose();
        _host?.Dispose();
        _logits?.Dispose();
        foreach (var notes in _free.Concat(_prompts.Values).Concat(_texts.Values)) notes.Dispose();
    }

    private void Free(Dictionary<int, TokenNotes> of, int key)
    {
        if (!of.Remove(key, out var notes)) return;
        notes.Begin(0, []);
        _free.Push(notes);
    }

    private TokenNotes Notes(int owner, int position)
    {
        var (of, key) = position < _tasks[owner].Ids.Length ? (_prompts, _promptOf[owner]) : (_texts, owner);
        if (of.TryGetValue(key, out var notes)) return notes;

        // memory goes from text to text
        if (!_free.TryPop(out notes)) notes = new TokenNotes(_set.Model.Config.Width, _set.Model.Config.Vocabulary, _work.Options.Generation.MaxTokens);
        notes.Begin(of == _prompts ? 0 : _tasks[owner].Ids.Length, IsShared(owner, position) ? _allTargets : _plans[_planOf[owner]].Targets);
        return of[key] = notes;
    }

    // what is in host memory is read where it is
    private Tensor Host(ref Tensor? buffer, Tensor x_TD)
    {
        if (x_TD is { Storage: HostStorage, IsContiguous: true }) return x_TD;
        if (buffer is null || buffer.Count < x_TD.Count)
        {
            buffer?.Dispose();
            buffer = Tensor.Allocate(DType.F32, x_TD.Shape);
        }

        var host_TD = new Tensor(buffer.Storage, DType.F32, x_TD.Shape);
        _set.Model.Engine.Copy(x_TD, host_TD);
        return host_TD;
    }
}

/// <summary>Notes on successive tokens of a row.</summary>
/// <param name="width">D.</param>
/// <param name="vocabulary">V.</param>
/// <param name="most">Predictions whose logits are kept at most.</param>
internal sealed class TokenNotes(int width, int vocabulary, int most) : IDisposable
{
    private readonly NumberRows _activations = new(1);
    private Tensor? _logits_PV;

    /// <summary>Position of the first.</summary>
    public int Start { get; private set; }

    /// <summary>L2 norms of what was done, summed over sites, by token.</summary>
    public NumberRows Norms { get; } = new(1);

    /// <summary>Features whose activations are noted: the plan's targets, and those of all plans where the tokens are those of many.</summary>
    public IReadOnlyList<FeatureId> Targets { get; private set; } = [];

    /// <summary>[T,D] what enters the plan's entry layer, before any edit; empty of prompts, and where that is the first layer, or none.</summary>
    public NumberRows Entering { get; } = new(width);

    /// <summary>[T,D] what leaves the last layer, where logits are not kept or the plan does nothing.</summary>
    public NumberRows Leaving { get; } = new(width);

    /// <summary>Predictions whose logits are kept: of a prompt one, of a text one for each token but the last.</summary>
    public int LogitRows { get; private set; }

    /// <summary>Their logits [P,V].</summary>
    public Tensor Logits(int from, int count) => _logits_PV!.Rows(from, count);

    public void KeepLogits(ReadOnlySpan<float> logits_V)
    {
        // a prompt makes one prediction, a text one for every token but the last
        var wanted = Math.Max(LogitRows + 1, Start == 0 ? 1 : most);
        if (_logits_PV is null || _logits_PV.Shape[0] <= LogitRows)
        {
            var more_PV = Tensor.Allocate(DType.F32, wanted, vocabulary);
            if (_logits_PV is { } old_PV) old_PV.AsSpan<float>().CopyTo(more_PV.AsSpan<float>());
            _logits_PV?.Dispose();
            _logits_PV = more_PV;
        }

        logits_V.CopyTo(_logits_PV.AsSpan<float>()[(LogitRows++ * vocabulary)..]);
    }

    /// <summary>Notes the activation of a target, by its place in <see cref="Targets"/>.</summary>
    public void Put(int token, int target, float activation) => _activations.Put((token * Targets.Count) + target, activation);

    /// <summary>Activation of a target, by its place in <see cref="Targets"/>.</summary>
    public float Activation(int token, int target) => _activations[(token * Targets.Count) + target][0];

    /// <summary>Activation of a target.</summary>
    public float Activation(int token, FeatureId target)
    {
        var place = 0;
        while (Targets[place] != target) place++;
        return Activation(token, place);
    }

    /// <summary>Forgets everything but the memory.</summary>
    public void Begin(int start, IReadOnlyList<FeatureId> targets) => (Start, LogitRows, Targets) = (start, 0, targets);

    public void Dispose() => _logits_PV?.Dispose();
}

/// <summary>Rows of numbers, as many as come.</summary>
internal sealed class NumberRows(int width)
{
    private float[] _values = [];

    public int Width => width;

    public ReadOnlySpan<float> this[int row, int count = 1] => _values.AsSpan(row * width, count * width);

    public void Put(int row, params ReadOnlySpan<float> values)
    {
        var end = (row * width) + values.Length;
        if (end > _values.Length) Array.Resize(ref _values, Math.Max(end, Math.Max(2 * _values.Length, 16 * width)));
        values.CopyTo(_values.AsSpan(row * width));
    }
}

/// <summary>Tokens, equal when they are the same.</summary>
internal readonly struct TokenKey(int[] ids) : IEquatable<TokenKey>
{
    private readonly int[] _ids = ids;

    public bool Equals(TokenKey other) => _ids.AsSpan().SequenceEqual(other._ids);

    public override bool Equals(object? obj) => obj is TokenKey other && Equals(other);

    public override int GetHashCode()
    {
        var hash = default(HashCode);
        foreach (var id in _ids) hash.Add(id);
        return hash.ToHashCode();
    }
}
