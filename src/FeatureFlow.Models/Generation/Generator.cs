using FeatureFlow.Models.Tokenizers;
using FeatureFlow.Tensors;

namespace FeatureFlow.Models.Generation;

/// <summary>
/// Draws texts from a model, many side by side: equal prompts are computed once and copied, a finished row gives its place to the next prompt, rows of any
/// length share every product. A sample is the same alone and among others, bit for bit.
/// </summary>
public sealed class Generator
{
    private const int PromptTokensTogether = 4096;

    private readonly LanguageModel _model;
    private readonly Tokenizer? _tokenizer;

    /// <summary>Makes one.</summary>
    /// <param name="model">The model.</param>
    /// <param name="decode">False for token ids only: the model needs no tokenizer then.</param>
    public Generator(LanguageModel model, bool decode = true)
    {
        _model = model;
        _tokenizer = decode ? model.Tokenizer : null;
    }

    /// <summary>The samples, each as soon as it is finished.</summary>
    /// <param name="prompts">What they begin with.</param>
    /// <param name="options">How they are drawn.</param>
    /// <param name="onText">Told new text of a prompt as it comes, whole characters only.</param>
    /// <param name="cancel">Honoured between and within passes.</param>
    /// <exception cref="FeatureFlowException">FF2301: a number out of range; FF2302: a prompt that fills the context; FF2210, FF2212: tokens that do not exist, or none.</exception>
    public IEnumerable<GeneratedText> Run(IReadOnlyList<GenerationPrompt> prompts, GenerationOptions options, Action<int, string>? onText = null, CancellationToken cancel = default)
    {
        options.Validate();
        foreach (var prompt in prompts)
        {
            if (prompt.Ids.Length >= _model.Config.Context) throw ModelErrors.PromptTooLong(prompt.Ids.Length, _model.Config.Context);
        }

        return Samples(prompts, options, onText, cancel);
    }

    private IEnumerable<GeneratedText> Samples(IReadOnlyList<GenerationPrompt> prompts, GenerationOptions options, Action<int, string>? onText, CancellationToken cancel)
    {
        if (prompts.Count == 0) yield break;

        // equal prompts one after the other, so that one computation serves them
        var waiting = new Queue<int>(Enumerable.Range(0, prompts.Count).GroupBy(i => new PromptKey(prompts[i])).SelectMany(g => g));
        var places = Math.Min(options.RowsTogether, prompts.Count);
        using var cache = _model.NewCache(places, prompts.Max(p => p.Ids.Length) + Math.Min(options.MaxTokens, 64));
        using var kept = new KeptPrompt(_model);
        var free = new Queue<int>(Enumerable.Range(0, places));
        var rows = new List<Row>();
        var finished = new List<GeneratedText>();
        while (waiting.Count > 0 || rows.Count > 0)
        {
            // rows that are under way first: their next token; then those that begin take the free places
            if (rows.Count > 0)
            {
                var batch = TokenBatch.Continue(cache, [.. rows.Select(r => new[] { r.Last })], [.. rows.Select(r => r.Place)], [.. rows.Select(r => r.Prompt)]);
                using var pass = _model.Forward(batch, new ForwardOptions { Cache = cache, Hook = options.Hook, Logits = LogitsWanted.Last }, cancel);
                options.OnLogits?.Invoke(pass.Logits!, [.. rows.Select(r => r.Prompt)]);
                Draw(pass.Logits!, rows);
            }

            while (free.Count > 0 && waiting.Count > 0)
            {
                var begun = Begin(prompts, waiting, free, cache, kept, options, cancel);
                rows.AddRange(begun);
            }

            foreach (var row in rows.Where(r => r.End is not null))
            {
                free.Enqueue(row.Place);
                cache.Truncate(row.Place, 0);
                finished.Add(row.Result());
            }

            rows.RemoveAll(r => r.End is not null);
            foreach (var text in finished) yield return text;
            finished.Clear();
        }

        void Draw(Tensor logits_RV, List<Row> of)
        {
            var ids = new int[of.Count];
            _model.Engine.SampleRows(logits_RV, [.. of.Select(r => options.Row(r.Random))], ids);
            for (var i = 0; i < ids.Length; i++) of[i].Take(ids[i]);
        }

        // as many distinct prompts as there are places for and a pass should hold, each with those equal to it
        List<Row> Begin(IReadOnlyList<GenerationPrompt> all, Queue<int> queue, Queue<int> places, KvCache cache, KeptPrompt kept, GenerationOptions how, CancellationToken stop)
        {
            var groups = new List<(PromptKey Key, List<Row> Rows)>();
            var tokens = 0;
            while (places.Count > 0 && queue.Count > 0)
            {
                var key = new PromptKey(all[queue.Peek()]);
                if (groups.Count == 0 || !groups[^1].Key.Equals(key))
                {
                    tokens += all[queue.Peek()].Ids.Length;
                    if (groups.Count > 0 && (tokens > PromptTokensTogether || kept.Holds(groups[0].Key))) break;
                    groups.Add((key, []));
                }

                var prompt = queue.Dequeue();
                groups[^1].Rows.Add(new Row(this, how, all[prompt], prompt, places.Dequeue(), onText));
            }

            if (kept.Holds(groups[0].Key))
            {
                foreach (var row in groups[0].Rows) cache.CopyFrom(kept.Cache!, 0, row.Place, groups[0].Key.Prompt.Ids.Length);
                DrawFirst(kept.Logits_1V!, groups[..1]);
                return groups[0].Rows;
            }

            var firsts = groups.ConvertAll(g => g.Rows[0]);
            var batch = TokenBatch.Continue(cache, [.. firsts.Select(r => all[r.Prompt].Ids)], [.. firsts.Select(r => r.Place)], [.. firsts.Select(r => r.Prompt)]);
            using var pass = _model.Forward(batch, new ForwardOptions { Cache = cache, Hook = how.Hook, Logits = LogitsWanted.Last }, stop);
            how.OnLogits?.Invoke(pass.Logits!, [.. firsts.Select(r => r.Prompt)]);
            foreach (var (_, same) in groups) cache.CopyRow(same[0].Place, [.. same.Skip(1).Select(r => r.Place)]);
            if (queue.Count > 0 && groups[^1].Key.Equals(new PromptKey(all[queue.Peek()])))
                kept.Keep(groups[^1].Key, cache, groups[^1].Rows[0].Place, pass.Logits!.Rows(groups.Count - 1, 1));
            DrawFirst(pass.Logits!, groups);
            return [.. groups.SelectMany(g => g.Rows)];
        }

        // every row draws its first token from the logits of its prompt
        void DrawFirst(Tensor logits_GV, List<(PromptKey Key, List<Row> Rows)> groups)
        {
            var rowOf = groups.SelectMany((g, i) => g.Rows.Select(_ => i)).ToArray();
            using var logits_RV = _model.Engine.Allocate(DType.F32, rowOf.Length, _model.Config.Vocabulary);
            _model.Engine.GatherRows(logits_GV, rowOf, logits_RV);
            Draw(logits_RV, [.. groups.SelectMany(g => g.Rows)]);
        }
    }

    // one sample under way
    private sealed class Row(Generator owner, GenerationOptions options, GenerationPrompt prompt, int number, int place, Action<int, string>? onText)
    {
        private readonly List<int> _ids = [];
        private readonly StopScanner _scanner = new(options.Stop);
        private readonly StreamingDecoder? _decoder = owner._tokenizer is { } tokenizer ? new StreamingDecoder(tokenizer, skipSpecial: true, continues: true) : null;

        public int Prompt => number;

        public int Place => place;

        public Prng Random { get; } = new(options.Seed, (ulong)prompt.Sample);

        public int Last => _ids[^1];

        public GenerationEnd? End { get; private set; }

        public void Take(int id)
        {
            if (options.StopAtEos && owner._model.Config.Eos.Contains(id))
            {
                Finish(GenerationEnd.Eos);
                return;
            }

            _ids.Add(id);
            Show(_decoder?.Push(id));
            if (_scanner.Stopped) Finish(GenerationEnd.Stop);
            else if (_ids.Count >= options.MaxTokens) Finish(GenerationEnd.Length);
            else if (prompt.Ids.Length + _ids.Count >= owner._model.Config.Context) Finish(GenerationEnd.Context);
        }

        public GeneratedText Result() => new(number, prompt.Sample, [.. _ids], _scanner.Text, End!.Value);

        private void Finish(GenerationEnd end)
        {
            Show(_decoder?.Finish());
            if (_scanner.Stopped) end = GenerationEnd.Stop;
            if (_scanner.Finish() is { Length: > 0 } rest) onText?.Invoke(number, rest);
            End = end;
        }

        private void Show(string? text)
        {
            if (text is { Length: > 0 } && _scanner.Push(text) is { Length: > 0 } shown) onText?.Invoke(number, shown);
        }
    }

    // prompts that one computation serves
    private readonly struct PromptKey(GenerationPrompt prompt) : IEquatable<PromptKey>
    {
        public GenerationPrompt Prompt { get; } = prompt;

        public bool Equals(PromptKey other) => Equals(Prompt.Variant, other.Prompt.Variant) && Prompt.Ids.AsSpan().SequenceEqual(other.Prompt.Ids);

        public override bool Equals(object? obj) => obj is PromptKey other && Equals(other);

        public override int GetHashCode()
        {
            var hash = default(HashCode);
            foreach (var id in Prompt.Ids) hash.Add(id);
            hash.Add(Prompt.Variant);
            return hash.ToHashCode();
        }
    }

    // a prompt of which more samples are waiting: its keys and values, and its last logits
    private sealed class KeptPrompt(LanguageModel model) : IDisposable
    {
        private PromptKey? _key;

        public KvCache? Cache { get; private set; }

        public Tensor? Logits_1V { get; private set; }

        public bool Holds(PromptKey key) => _key is { } mine && mine.Equals(key);

        public void Keep(PromptKey key, KvCache from, int place, Tensor logits_1V)
        {
            Dispose();
            _key = key;
            Cache = model.NewCache(1, key.Prompt.Ids.Length);
            Cache.CopyFrom(from, place, 0, key.Prompt.Ids.Length);
            Logits_1V = model.Engine.Allocate(DType.F32, 1, model.Config.Vocabulary);
            model.Engine.Copy(logits_1V, Logits_1V);
        }

        public void Dispose()
        {
            Cache?.Dispose();
            Logits_1V?.Dispose();
            (_key, Cache, Logits_1V) = (null, null, null);
        }
    }
}
