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
        return Run(new WaitingPrompts(prompts), options, onText, cancel);
    }

    /// <summary>Samples of prompts that other generators take from too, each as soon as it is finished.</summary>
    /// <param name="waiting">Where prompts are taken from; results are numbered as there.</param>
    /// <param name="options">How they are drawn; the rows are those of this generator.</param>
    /// <param name="onText">Told new text of a prompt as it comes, whole characters only.</param>
    /// <param name="cancel">Honoured between and within passes.</param>
    /// <exception cref="FeatureFlowException">As above.</exception>
    public IEnumerable<GeneratedText> Run(WaitingPrompts waiting, GenerationOptions options, Action<int, string>? onText = null, CancellationToken cancel = default)
    {
        options.Validate();
        foreach (var prompt in waiting.Prompts)
        {
            if (prompt.Ids.Length >= _model.Config.Context) throw ModelErrors.PromptTooLong(prompt.Ids.Length, _model.Config.Context);
        }

        return Samples(waiting, options, onText, cancel);
    }

    private IEnumerable<GeneratedText> Samples(WaitingPrompts waiting, GenerationOptions options, Action<int, string>? onText, CancellationToken cancel)
    {
        var prompts = waiting.Prompts;
        if (prompts.Count == 0) yield break;
        var places = Math.Min(options.RowsTogether, prompts.Count);
        using var cache = _model.NewCache(places, prompts.Max(p => p.Ids.Length) + Math.Min(options.MaxTokens, 64));
        using var kept = new KeptPrompt(_model);
        using var firstLogits_RV = _model.Engine.Allocate(DType.F32, places, _model.Config.Vocabulary);
        var free = new Queue<int>(Enumerable.Range(0, places));
        var rows = new List<Row>();
        var finished = new List<GeneratedText>();
        while (!waiting.IsEmpty || rows.Count > 0)
        {
            // rows that are under way first: their next token; then those that begin take the free places
            if (rows.Count > 0)
            {
                var batch = TokenBatch.Continue(cache, [.. rows.Select(r => new[] { r.Last })], [.. rows.Select(r => r.Place)], [.. rows.Select(r => r.Prompt)]);
                using var pass = _model.Forward(batch, new ForwardOptions { Cache = cache, Hook = options.Hook, Logits = LogitsWanted.Last }, cancel);
                options.OnLogits?.Invoke(pass.Logits!, [.. rows.Select(r => r.Prompt)]);
                Draw(pass.Logits!, rows);
            }

            while (free.Count > 0 && Begin(free, cache, kept) is { Count: > 0 } begun) rows.AddRange(begun);

            foreach (var row in rows.Where(r => r.End is not null))
            {
                free.Enqueue(row.Place);
                cache.Truncate(row.Place, 0);
                finished.Add(row.Result());
                waiting.Finish();
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

        // as many distinct prompts as there are places for and a pass should hold, each with those equal to it; none when nothing waits for this generator
        List<Row> Begin(Queue<int> places, KvCache cache, KeptPrompt kept)
        {
            var taken = waiting.Take(places.Count, rows.Count, PromptTokensTogether, kept.Holds);
            if (taken.Count == 0) return [];
            var groups = taken.ConvertAll(g => (g.Key, Rows: g.Numbers.ConvertAll(p => new Row(this, options, prompts[p], p, places.Dequeue(), onText))));
            if (kept.Holds(groups[0].Key))
            {
                foreach (var row in groups[0].Rows) cache.CopyFrom(kept.Cache!, 0, row.Place, groups[0].Key.Prompt.Ids.Length);
                DrawFirst(kept.Logits_1V!, groups[..1]);
                return groups[0].Rows;
            }

            var firsts = groups.ConvertAll(g => g.Rows[0]);
            var batch = TokenBatch.Continue(cache, [.. firsts.Select(r => prompts[r.Prompt].Ids)], [.. firsts.Select(r => r.Place)], [.. firsts.Select(r => r.Prompt)]);
            using var pass = _model.Forward(batch, new ForwardOptions { Cache = cache, Hook = options.Hook, Logits = LogitsWanted.Last }, cancel);
            options.OnLogits?.Invoke(pass.Logits!, [.. firsts.Select(r => r.Prompt)]);
            foreach (var (_, same) in groups) cache.CopyRow(same[0].Place, [.. same.Skip(1).Select(r => r.Place)]);
            if (waiting.Next is { } next && groups[^1].Key.Equals(next))
                kept.Keep(groups[^1].Key, cache, groups[^1].Rows[0].Place, pass.Logits!.Rows(groups.Count - 1, 1));
            DrawFirst(pass.Logits!, groups);
            return [.. groups.SelectMany(g => g.Rows)];
        }

        // every row draws its first token from the logits of its prompt
        void DrawFirst(Tensor logits_GV, List<(PromptKey Key, List<Row> Rows)> groups)
        {
            var rowOf = groups.SelectMany((g, i) => g.Rows.Select(_ => i)).ToArray();
            var logits_RV = firstLogits_RV.Rows(0, rowOf.Length);
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
