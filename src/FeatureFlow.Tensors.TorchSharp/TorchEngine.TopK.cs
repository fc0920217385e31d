using System.Runtime.InteropServices;

namespace FeatureFlow.Tensors.TorchSharp;

/// <summary>
/// Top-k by inner product, tile by tile: the scores of a tile are made in float32, its best go into a running list of a few more than k, then the scores are forgotten. The
/// lists are scored again in float64, and the order is that of exact arithmetic: a query whose k-th place is within the error of float32 from what was turned
/// away is searched again in float64 as a whole.
/// </summary>
public sealed partial class TorchEngine
{
    /// <inheritdoc/>
    public TopKResult TopKInnerProduct(Tensor queries_QD, Tensor keys_KD, int k, TopKOptions? options = null, CancellationToken cancel = default)
    {
        options ??= new TopKOptions();
        CheckOperand("TopKInnerProduct", queries_QD);
        CheckOperand("TopKInnerProduct", keys_KD);
        if (queries_QD.Shape[1] != keys_KD.Shape[1]) throw TensorErrors.Shape("TopKInnerProduct", "queries and keys must have one width", queries_QD, keys_KD);
        if (k is < 1 or > 1024) throw TensorErrors.Shape("TopKInnerProduct", $"k must be 1 to 1024, not {k}");
        if (options.KeyBias is { } b && b.Length != keys_KD.Shape[0]) throw TensorErrors.Shape("TopKInnerProduct", $"the bias has {b.Length} entries", keys_KD);
        var (queries, keys) = (queries_QD.Shape[0], keys_KD.Shape[0]);
        var result = new TopKResult(k, new int[queries * k], new double[queries * k]);
        Array.Fill(result.Indices_QK, -1);
        Array.Fill(result.Scores_QK, double.NegativeInfinity);
        cancel.ThrowIfCancellationRequested();
        if (queries == 0 || keys == 0) return result;
        using var search = new TopKSearch(this, queries_QD, keys_KD, k, options, cancel);
        _thread.Run(() => Enough("TopKInnerProduct", (long)queries * queries_QD.Shape[1] * 12, search.Begin));
        while (!search.Done) _thread.Run(search.NextTile); // a call for each tile, so that others get their turn between them
        while (!search.Settled) _thread.Run(() => search.SettleBlock(result));
        options.Progress?.Report(1);
        return result;
    }

    // One search; everything that outlives a call is detached from its dispose scope
    private sealed class TopKSearch(TorchEngine engine, Tensor queries_QD, Tensor keys_KD, int k, TopKOptions options, CancellationToken cancel) : IDisposable
    {
        private const string Name = "TopKInnerProduct";
        private const double Float32Step = 1.0 / (1 << 23);

        private readonly int _queries = queries_QD.Shape[0];
        private readonly int _keys = keys_KD.Shape[0];
        private readonly int _width = queries_QD.Shape[1];
        private readonly List<TorchTensor> _kept = [];

        private TorchTensor? _x_QD;
        private TorchTensor? _queryNorm_Q;
        private TorchTensor? _keyNorm_K;
        private TorchTensor? _bias_K;
        private TorchTensor? _best_QL;
        private TorchTensor? _place_QL;
        private TorchTensor? _y_KD;
        private bool _comes;
        private int _needed;
        private double _largestKey;
        private double _largestBias;
        private bool _plain = true;
        private int _list;
        private int _tileKeys;
        private int _tile;
        private int _settled;

        public bool Done => _tile >= _keys;

        public bool Settled => _settled >= _queries;

        public void Begin()
        {
            _list = Math.Min(_keys, k + (Coarse ? Math.Max(16, k / 4) : Math.Max(4, k / 8)));
            var q = engine.View(queries_QD);
            _queryNorm_Q = Keep(engine.Norms(Name, q, cancel));
            var x = q.to(ScalarType.Float32);
            if (options.Cosine) x = x.Div(Torch.where(_queryNorm_Q.Greater(0), _queryNorm_Q, Torch.ones_like(_queryNorm_Q)).to(ScalarType.Float32).unsqueeze(1));
            _x_QD = Keep(x.contiguous());
            if (options.KeyBias is { } bias)
            {
                _bias_K = Keep(engine._transfers.Numbers<double>(bias));
                _largestBias = bias.Max(Math.Abs);
            }

            _best_QL = Keep(Numbers.Full([_queries, _list], float.NegativeInfinity, ScalarType.Float32, engine._device));
            _place_QL = Keep(Numbers.Full([_queries, _list], _keys, ScalarType.Int64, engine._device));
            _keyNorm_K = Keep(Torch.zeros([_keys], ScalarType.Float64, engine._device));

            // keys that are there already stay where they are; those that will be kept come by the tile, so that one is on its way while another is computed with; others come by the tile and go again
            _tileKeys = (int)Math.Clamp(engine._blockBytes / 2 / Math.Max(1, _width * 8L), 1, _keys);
            if (engine._card is null) _tileKeys = Math.Min(_tileKeys, 16384);
            if (keys_KD.Storage is not HostStorage || engine._uploads.Holds(keys_KD))
            {
                _y_KD = Keep(engine.View(keys_KD).alias());
            }
            else if (engine._uploads.Room(keys_KD))
            {
                _comes = true;
                _y_KD = Keep(Torch.empty([_keys, _width], keys_KD.DType.Scalar(), engine._device));
                _tileKeys = Math.Min(_tileKeys, Math.Max(2048, (_keys + 3) / 4));
            }
        }

        public void NextTile()
        {
            cancel.ThrowIfCancellationRequested();
            var n = Math.Min(_tileKeys, _keys - _tile);
            try
            {
                Scan(_tile, n);
            }
            catch (ExternalException e) when (IsShortage(e))
            {
                if (n == 1) throw engine.Shortage(Name, (long)n * _width * 8, e);
                engine._uploads.Clear();
                _tileKeys = n / 2;
                return;
            }

            _tile += n;
            if (_comes && Done) engine._uploads.Adopt(keys_KD, _y_KD!.view(-1));
            options.Progress?.Report(0.9 * _tile / _keys);
        }

        private void Scan(int first, int count)
        {
            var stored = _y_KD is { } all ? all.narrow(0, first, count) : engine.UploadOnce(keys_KD.Rows(first, count));
            if (_comes) engine.Fill(stored.view(-1), keys_KD.Rows(first, count));
            var norm = engine.Norms(Name, stored, cancel);
            _keyNorm_K!.narrow(0, first, count).copy_(norm);
            var most = Torch.where(norm.isfinite(), norm, Numbers.FullLike(norm, -1)).amax([0]);
            _largestKey = Math.Max(_largestKey, engine._transfers.Read<double>(most)[0]);
            _plain &= engine._transfers.Read<bool>(norm.isfinite().all())[0];
            var y = stored.to(ScalarType.Float32);
            if (options.Cosine) y = y.Mul(Torch.where(norm.Greater(0), norm.reciprocal(), Torch.zeros_like(norm)).to(ScalarType.Float32).unsqueeze(1));
            var bias = _bias_K?.narrow(0, first, count).to(ScalarType.Float32);
            var flop = engine._card is null && cancel.CanBeCanceled ? (long)(4e9 / (2.0 * count * Math.Max(1, _width))) : long.MaxValue;
            void Part(int at, int n)
            {
                TorchTensor scores = _x_QD!.narrow(0, at, n).mm(y.t()), best = _best_QL!.narrow(0, at, n), place = _place_QL!.narrow(0, at, n);
                if (bias is not null) scores.Add_(bias);
                if (!_plain) scores = Finite(scores);
                var (values, indices) = Largest(scores, Math.Min(_list, count));
                var (both, places) = (Torch.cat([best, values], 1), Torch.cat([place, indices.Add(first)], 1));
                (values, indices) = both.topk(_list, sorted: false);
                place.copy_(places.gather(1, indices));
                best.copy_(values);
            }

            engine.Blocks(Name, _queries, count * 12L, cancel, Part, flop);
        }

        // The largest of every row, in any order. Few of many are looked for in few places: the largest of all lie in the groups whose own largest are largest, and to find those takes one
        // quick pass; topk takes several slow ones
        private (TorchTensor Values, TorchTensor Places) Largest(TorchTensor scores_QK, int count)
        {
            long rows = scores_QK.shape[0], keys = scores_QK.shape[1];
            var size = (long)Math.Sqrt(keys / count); // about as many groups as members of those that are chosen
            if (size < 4) return scores_QK.topk(count, sorted: false);
            var groups = keys / size;
            var grouped = scores_QK.narrow(1, 0, groups * size).view(rows, size, groups); // every groups-th key is of one group: rows are read as they lie
            var chosen = grouped.amax([1]).topk(count, sorted: false).indexes;
            var places = chosen.unsqueeze(1).Add(Numbers.Range(0, size, engine._device).Mul(groups).view(1, size, 1)).view(rows, size * count);
            if (groups * size < keys) places = Torch.cat([places, Numbers.Range(groups * size, keys, engine._device).unsqueeze(0).expand(rows, -1)], 1);
            var (values, best) = scores_QK.gather(1, places).topk(count, sorted: false);
            return (values, places.gather(1, best));
        }

        // Best first. Only those within twice the error of the k-th can be among the best in truth
        public void Rank()
        {
            var (best, order) = _best_QL!.sort(1, descending: true);
            var error = options.Cosine ? Numbers.FullLike(_queryNorm_Q!, Error(1)) : _queryNorm_Q!.Mul(_largestKey * Rounding).Add(Error(0));
            var line = best.narrow(1, Math.Min(k, _list) - 1, 1).to(ScalarType.Float64).Sub(error.Mul(2).unsqueeze(1));
            _needed = (int)engine._transfers.Read<long>(best.AtLeast(line).sum(1).amax([0]))[0];
            _place_QL!.copy_(_place_QL.gather(1, order));
        }

        // The next block of queries: scored again in float64, ordered, checked, written
        public void SettleBlock(TopKResult result)
        {
            cancel.ThrowIfCancellationRequested();
            if (_needed == 0) Rank();
            var n = (int)Math.Clamp((engine._card is null ? 1L << 29 : engine._blockBytes / 2) / Math.Max(1, (long)_needed * _width * 12), 1, _queries - _settled);
            var first = _settled;
            TorchTensor best = _best_QL!.narrow(0, first, n), place = _place_QL!.narrow(0, first, n).narrow(1, 0, _needed);
            place = place.sort(1).Values;
            var there = place.Less(_keys);
            var chosen = place.NoMore(_keys - 1);
            var exact = Finite(Torch.where(there, Again(first, n, chosen), Torch.tensor(double.NegativeInfinity, device: engine._device)));
            var (scores, order) = exact.sort(1, descending: true, stable: true); // places ascend: equal scores by lower index
            place = chosen.gather(1, order);
            var take = Math.Min(k, _list);
            var (score, index) = (engine._transfers.Read<double>(scores.narrow(1, 0, take)), engine._transfers.Read<long>(place.narrow(1, 0, take)));

            // what was turned away scored no more than the worst of the list, give or take the error
            List<int> unsure = [];
            if (_list < _keys)
            {
                var worst = engine._transfers.Read<float>(best.amin([1]));
                var norm = engine._transfers.Read<double>(_queryNorm_Q!.narrow(0, first, n));
                for (var i = 0; i < n; i++)
                {
                    var kth = score[i * take + take - 1];
                    if (!(kth > worst[i] + Error(norm[i]))) unsure.Add(i);
                }
            }

            for (var i = 0; i < n; i++)
            {
                for (var j = 0; j < take; j++) Write(result, first + i, j, index[i * take + j], score[i * take + j]);
            }

            foreach (var i in unsure) SearchWhole(first + i, take, result);
            _settled += n;
        }

        public void Dispose()
        {
            var kept = _kept.ToArray();
            engine.Post(() =>
            {
                foreach (var tensor in kept) tensor.Dispose();
            });
        }

        // How far a float32 score can be from the exact one
        private double Error(double queryNorm)
        {
            var size = options.Cosine ? 1 : queryNorm * _largestKey;
            return size * Rounding + _largestBias * Float32Step * 2;
        }

        private bool Coarse => engine._card is not null && engine._options.Tf32;

        private double Rounding => (Coarse ? 1.0 / (1 << 9) : 0) + (_width + 8) * Float32Step / 2;

        // [n,L] float64 scores of chosen keys
        private TorchTensor Again(int first, int n, TorchTensor chosen)
        {
            var length = chosen.shape[1];
            TorchTensor queries = engine.View(queries_QD).narrow(0, first, n), dots = Torch.empty([n, length], ScalarType.Float64, engine._device);
            var bytes = Math.Max(1, length * _width * 12);
            engine.Blocks(Name, n, bytes, cancel, (at, count) =>
            {
                var x = queries.narrow(0, at, count).to(ScalarType.Float64);
                var rows = Keys(chosen.narrow(0, at, count).reshape(-1)).view(count, length, _width);
                dots.narrow(0, at, count).copy_(rows.Mul_(x.unsqueeze(1)).sum(2)); // summed row by row: equal keys have equal scores, which a product does not promise
            }, engine.InCaches(bytes));
            var places = chosen.reshape(-1);
            return Finished(dots, first, n, _keyNorm_K!.index_select(0, places).view(n, length), _bias_K?.index_select(0, places).view(n, length));
        }

        // chosen keys in float64; of those that did not stay on the device, from the host
        private TorchTensor Keys(TorchTensor places)
        {
            if (_y_KD is { } all) return all.index_select(0, places).to(ScalarType.Float64, copy: true);
            using var picked = Tensor.Allocate(DType.F32, checked((int)places.numel()), _width);
            CpuEngine.Shared.GatherRows(keys_KD, Array.ConvertAll(engine._transfers.Read<long>(places), i => (int)i), picked);
            return engine.UploadOnce(picked).to(ScalarType.Float64);
        }

        // one query against every key in float64: equal scores beyond the list, or too many within the error
        private void SearchWhole(int query, int take, TopKResult result)
        {
            cancel.ThrowIfCancellationRequested();
            var x = engine.View(queries_QD).narrow(0, query, 1).to(ScalarType.Float64);
            var dots = Torch.empty([1, _keys], ScalarType.Float64, engine._device);
            engine.Blocks(Name, _keys, _width * 12L, cancel, (at, n) =>
            {
                var part = _y_KD is { } all ? all.narrow(0, at, n) : engine.UploadOnce(keys_KD.Rows(at, n));
                dots.narrow(1, at, n).copy_(part.to(ScalarType.Float64, copy: true).Mul_(x).sum(1).unsqueeze(0));
            });
            var (scores, order) = Finite(Finished(dots, query, 1, _keyNorm_K!.unsqueeze(0), _bias_K?.unsqueeze(0))).sort(1, descending: true, stable: true);
            var (score, index) = (engine._transfers.Read<double>(scores.narrow(1, 0, take)), engine._transfers.Read<long>(order.narrow(1, 0, take)));
            for (var j = 0; j < take; j++) Write(result, query, j, index[j], score[j]);
        }

        private TorchTensor Finished(TorchTensor dots, int first, int n, TorchTensor keyNorm, TorchTensor? bias)
        {
            if (options.Cosine)
            {
                var both = _queryNorm_Q!.narrow(0, first, n).unsqueeze(1).Mul(keyNorm);
                dots = Torch.where(both.Same(0), Torch.zeros_like(dots), dots.Div(both));
            }

            return bias is null ? dots : dots.Add(bias);
        }

        private void Write(TopKResult result, int query, int rank, long index, double score)
        {
            if (!double.IsFinite(score)) return; // fewer than k keys have a score
            result.Indices_QK[query * k + rank] = (int)index;
            result.Scores_QK[query * k + rank] = score;
        }

        // what is no number has no rank
        private static TorchTensor Finite(TorchTensor scores) => Torch.where(scores.isfinite(), scores, Numbers.FullLike(scores, double.NegativeInfinity));

        private TorchTensor Keep(TorchTensor tensor)
        {
            _kept.Add(tensor.DetachFromDisposeScope());
            return tensor;
        }
    }
}
