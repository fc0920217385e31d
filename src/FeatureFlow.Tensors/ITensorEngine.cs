namespace FeatureFlow.Tensors;

/// <summary>
/// The one list of operations that SAEs, matching, models and steering are written on (docs/engine.md has it with every shape).
/// Destinations come last and are overwritten; operands may be strided, host or device, float32, bfloat16 or float16 unless
/// an operation says otherwise; arithmetic is float32. Letters in names: T tokens, D width of a site, F features, M K N matrix extents.
/// Same inputs give the same bits for any number of threads. Safe for several threads at once.
/// </summary>
public interface ITensorEngine : IDisposable
{
    /// <summary>Name, device and limits.</summary>
    EngineInfo Info { get; }

    /// <summary>What is held on the device beside the tensors of callers; null where the engine computes in host memory.</summary>
    EngineMemory? Memory => null;

    /// <summary>Gives back the weights kept on the device; they are uploaded again when next used. Without effect where the engine computes in host memory.</summary>
    void Trim()
    {
    }

    /// <summary>
    /// Runs operations as one turn: a device is handed them together, and those of other callers come before or after, not between. The work must not wait for others that use
    /// this engine. Elsewhere it is just run.
    /// </summary>
    void Together(Action work) => work();

    /// <summary>Callers that it serves side by side, each on a thread of its own (<see cref="Alone"/>); 1 where operations run on a device.</summary>
    int Lanes => 1;

    /// <summary>Until disposed, what the calling thread asks for is computed by that thread alone: for callers that share out their work themselves where single operations are too small for it.</summary>
    IDisposable? Alone() => null;

    /// <summary>A zeroed tensor where the engine computes. The caller disposes it.</summary>
    Tensor Allocate(DType type, params ReadOnlySpan<int> shape);

    /// <summary>Copies values between any two tensors of one shape, converting the type; host to device and back too.</summary>
    void Copy(Tensor source, Tensor destination);

    /// <summary>c = (a · b) ∘ scale + bias, or c += when accumulating. Transposed operands are taken in place (<see cref="Tensor.Transpose"/>).</summary>
    /// <param name="a_MK">[M,K].</param>
    /// <param name="b_KN">[K,N].</param>
    /// <param name="c_MN">[M,N] float32, contiguous rows.</param>
    /// <param name="epilogue">Column scale [N], bias [N], accumulation.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    void MatMul(Tensor a_MK, Tensor b_KN, Tensor c_MN, MatMulEpilogue epilogue = default, CancellationToken cancel = default);

    /// <summary>The same for an <paramref name="a_MK"/> that is mostly zeros (SAE activations): cost grows with the non-zeros.</summary>
    void MatMulSparse(Tensor a_MK, Tensor b_KN, Tensor c_MN, MatMulEpilogue epilogue = default, CancellationToken cancel = default);

    /// <summary>
    /// For every query the k keys of largest score, never holding the [Q,K] scores: exact, the order being that of float64
    /// arithmetic, equal scores by lower index.
    /// </summary>
    /// <param name="queries_QD">[Q,D].</param>
    /// <param name="keys_KD">[K,D].</param>
    /// <param name="k">How many, 1 to 1024.</param>
    /// <param name="options">Cosine or plain, bias, progress.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    TopKResult TopKInnerProduct(Tensor queries_QD, Tensor keys_KD, int k, TopKOptions? options = null, CancellationToken cancel = default);

    /// <summary>L2 norm of every row, summed in float64.</summary>
    /// <param name="x_ND">[N,D].</param>
    /// <param name="norm_N">[N] float32.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    void RowNorms(Tensor x_ND, Tensor norm_N, CancellationToken cancel = default);

    /// <summary>The chosen rows, converted to float32: y[i] = factor · x[rows[i]], or y[i] += when accumulating.</summary>
    void GatherRows(Tensor x_ND, ReadOnlySpan<int> rows, Tensor y_RD, float factor = 1, bool accumulate = false);

    /// <summary>
    /// Rescales features in a state: y[t] += Σ_u factor[rows[t],u] · σ(x[t]·encoder[u] + bias[u]) · decoder[u], where σ keeps what is above the threshold and above 0. All of
    /// a row is read before anything of it is written: y may be x.
    /// </summary>
    /// <param name="x_TD">[T,D] float32.</param>
    /// <param name="features">The features' weights, float32.</param>
    /// <param name="factor_PU">[P,U] float32.</param>
    /// <param name="rows">[T]: the row of factors of every row of x.</param>
    /// <param name="y_TO">[T,O] float32.</param>
    void RescaleFeatures(Tensor x_TD, FeatureWeights features, Tensor factor_PU, ReadOnlySpan<int> rows, Tensor y_TO)
    {
        using var z_TU = Allocate(DType.F32, rows.Length, factor_PU.Shape[1]);
        using var factor_TU = Allocate(DType.F32, rows.Length, factor_PU.Shape[1]);
        MatMul(x_TD, features.Encoder_UD.Transpose(), z_TU, new MatMulEpilogue(Bias_N: features.Bias_U));
        JumpRelu(z_TU, features.Threshold_U, z_TU);
        GatherRows(factor_PU, rows, factor_TU);
        GatedProduct(z_TU, factor_TU, Activation.Relu, z_TU); // activations are never negative: this is their product with the factors
        MatMulSparse(z_TU, features.Decoder_UO, y_TO, new MatMulEpilogue(Accumulate: true));
    }

    /// <summary>y[rows[i]] = x[i], float32; rows that are not named stay as they are.</summary>
    void ScatterRows(Tensor x_RD, ReadOnlySpan<int> rows, Tensor y_ND);

    /// <summary>z = x + y, all [T,D]; z may be x or y.</summary>
    void Add(Tensor x_TD, Tensor y_TD, Tensor z_TD);

    /// <summary>y = x + factor · row, row [D] added to every row; y may be x.</summary>
    void AddRow(Tensor x_TD, Tensor row_D, float factor, Tensor y_TD);

    /// <summary>y = x ∘ scale, scale [D] multiplying columns; y may be x.</summary>
    void ScaleColumns(Tensor x_TD, Tensor scale_D, Tensor y_TD);

    /// <summary>y = x ∘ scale, scale [T] multiplying rows; y may be x.</summary>
    void ScaleRows(Tensor x_TD, Tensor scale_T, Tensor y_TD);

    /// <summary>y[t] = (x[t] − mean[t]) / (std[t] + epsilon) with the unbiased std (divisor D−1); writes both statistics.</summary>
    void StandardizeRows(Tensor x_TD, float epsilon, Tensor mean_T, Tensor std_T, Tensor y_TD);

    /// <summary>z = max(pre, 0).</summary>
    void Relu(Tensor pre_TF, Tensor z_TF);

    /// <summary>z = pre where pre > θ and pre > 0, else 0 (JumpReLU; strict).</summary>
    void JumpRelu(Tensor pre_TF, Tensor threshold_F, Tensor z_TF);

    /// <summary>z = max(pre, 0) at the k largest of each row, else 0; equal values by lower index.</summary>
    void TopKActivation(Tensor pre_TF, int k, Tensor z_TF);

    /// <summary>z = max(pre, 0) at the largest of each of <paramref name="groups"/> runs of F/groups neighbours, else 0; equal values by lower index.</summary>
    void GroupMaxActivation(Tensor pre_TF, int groups, Tensor z_TF);

    /// <summary>z = max(magnitude, 0) where gate > 0, else 0 (gated SAEs).</summary>
    void GatedActivation(Tensor gate_TF, Tensor magnitude_TF, Tensor z_TF);

    // Transformers

    /// <summary>y = x / √(mean(x²) + ε) ∘ (offset + gain), row by row; the offset is 1 for Gemma, 0 for Llama. y may be x.</summary>
    void RmsNorm(Tensor x_TD, Tensor gain_D, float epsilon, float offset, Tensor y_TD);

    /// <summary>y = (x − mean) / √(variance + ε) ∘ gain + bias, row by row, the variance biased. y may be x.</summary>
    void LayerNorm(Tensor x_TD, Tensor gain_D, Tensor bias_D, float epsilon, Tensor y_TD);

    /// <summary>
    /// Rotary position embedding in place: in every head, each of the first R dimensions i turns with dimension i + R by the angle of its position; dimensions
    /// from 2R on stay as they are.
    /// </summary>
    /// <param name="x_TN">[T, heads·headWidth] float32, dense rows.</param>
    /// <param name="headWidth">Width of a head.</param>
    /// <param name="positions">[T].</param>
    /// <param name="cosine_PR">[P,R] cosines by position.</param>
    /// <param name="sine_PR">[P,R] sines by position.</param>
    void Rotary(Tensor x_TN, int headWidth, ReadOnlySpan<int> positions, Tensor cosine_PR, Tensor sine_PR);

    /// <summary>
    /// Causal grouped attention against a cache, the scores never held as a whole: every query token sees the positions of its own cache row up to its
    /// own, or the last <see cref="AttentionOptions.Window"/> of them. Query head i reads key-value head i / (H/G).
    /// </summary>
    /// <param name="queries_TN">[T, H·S].</param>
    /// <param name="keys_BPM">[B, P, G·S].</param>
    /// <param name="values_BPM">[B, P, G·S].</param>
    /// <param name="runs">Which tokens are where: consecutive tokens at consecutive positions of one cache row.</param>
    /// <param name="options">Head width, scale, window, soft cap.</param>
    /// <param name="output_TN">[T, H·S].</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    void Attention(Tensor queries_TN, Tensor keys_BPM, Tensor values_BPM, ReadOnlySpan<TokenRun> runs, AttentionOptions options, Tensor output_TN, CancellationToken cancel = default);

    /// <summary>
    /// Attention of branches: the tokens of a run are all at its position, each another continuation of the same text. A token sees the keys before that position in its cache
    /// row, and its own; what the cache holds at the position or behind it is not read.
    /// </summary>
    /// <param name="queries_TN">[T, H·S].</param>
    /// <param name="keys_TM">[T, G·S]: every token's own.</param>
    /// <param name="values_TM">[T, G·S].</param>
    /// <param name="keys_BPM">[B, P, G·S]: of the tokens before.</param>
    /// <param name="values_BPM">[B, P, G·S].</param>
    /// <param name="runs">Which tokens are where.</param>
    /// <param name="options">Head width, scale, window, soft cap.</param>
    /// <param name="output_TN">[T, H·S].</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    void BranchAttention(Tensor queries_TN, Tensor keys_TM, Tensor values_TM, Tensor keys_BPM, Tensor values_BPM, ReadOnlySpan<TokenRun> runs, AttentionOptions options, Tensor output_TN, CancellationToken cancel = default)
    {
        // a row of a cache for every branch, some together so that copies stay small
        const int together = 64;
        var (positions, wide) = (keys_BPM.Shape[1], keys_BPM.Shape[2]);
        foreach (var run in runs)
        {
            var length = run.Position + 1;
            for (var start = 0; start < run.Count; start += together)
            {
                var n = Math.Min(together, run.Count - start);
                int[] earlier = [.. Enumerable.Range(0, n * length).Select(i => (run.Row * positions) + Math.Min(i % length, positions - 1))], last = [.. Enumerable.Range(0, n).Select(i => (i * length) + run.Position)];
                using var keys = Copied(keys_BPM, keys_TM);
                using var values = Copied(values_BPM, values_TM);
                TokenRun[] ones = [.. Enumerable.Range(0, n).Select(i => new TokenRun(i, 1, i, run.Position))];
                Attention(queries_TN.Rows(run.Token + start, n), keys.Reshape(n, length, wide), values.Reshape(n, length, wide), ones, options, output_TN.Rows(run.Token + start, n), cancel);

                Tensor Copied(Tensor from_BPM, Tensor own_TM)
                {
                    var to = Allocate(DType.F32, n * length, wide);
                    GatherRows(from_BPM.Reshape(from_BPM.Shape[0] * positions, wide), earlier, to);
                    ScatterRows(own_TM.Rows(run.Token + start, n), last, to);
                    return to;
                }
            }
        }
    }

    /// <summary>y = σ(x), element by element. y may be x.</summary>
    void Activate(Tensor x_TN, Activation activation, Tensor y_TN);

    /// <summary>y = σ(gate) ∘ up: SwiGLU, GeGLU. y may be gate or up.</summary>
    void GatedProduct(Tensor gate_TN, Tensor up_TN, Activation activation, Tensor y_TN);

    /// <summary>y = cap · tanh(x / cap). y may be x.</summary>
    void SoftCap(Tensor x_TN, float cap, Tensor y_TN);

    /// <summary>Cross-entropy in nats of the token ids under the logits, log-sum-exp in float64; an id of −1 gives 0.</summary>
    /// <param name="logits_TV">[T,V].</param>
    /// <param name="ids">[T].</param>
    /// <param name="loss_T">[T] float32.</param>
    void CrossEntropy(Tensor logits_TV, ReadOnlySpan<int> ids, Tensor loss_T);

    /// <summary>Kullback-Leibler divergence KL(p ‖ q) in nats of next-token distributions by their logits, row by row; never below 0.</summary>
    /// <param name="p_TV">Logits [T,V] of p.</param>
    /// <param name="q_TV">Logits [T,V] of q.</param>
    /// <param name="divergence_T">[T] float32.</param>
    void Divergence(Tensor p_TV, Tensor q_TV, Tensor divergence_T);

    /// <summary>
    /// One token of every row: the largest logit (lowest index when equal) at temperature 0, else a draw from the softmax at the row's
    /// temperature, cut to the <see cref="SamplingRow.TopK"/> largest and to the smallest set of probability <see cref="SamplingRow.TopP"/>, by the row's own number.
    /// </summary>
    /// <param name="logits_TV">[T,V].</param>
    /// <param name="rows">[T] how to draw.</param>
    /// <param name="ids">[T] the answer.</param>
    void SampleRows(Tensor logits_TV, ReadOnlySpan<SamplingRow> rows, Span<int> ids);

    // Training of SAEs

    /// <summary>z = max(pre, 0) at the <paramref name="count"/> largest of the whole batch (BatchTopK), else 0; equal values by lower row, then lower index.</summary>
    /// <returns>The smallest value kept; 0 when fewer than <paramref name="count"/> are positive.</returns>
    float BatchTopKActivation(Tensor pre_TF, long count, Tensor z_TF);

    /// <summary>
    /// The gradient of a loss with respect to pre, z = pre being what <paramref name="z_TF"/> keeps: dPre = gradient·W_decᵀ where z ≠ 0, else 0;
    /// and its column sums (the gradient of b_enc), and how often each feature is active. Cost grows with the non-zeros of z.
    /// </summary>
    /// <param name="z_TF">[T,F] activations, mostly zero.</param>
    /// <param name="gradient_TD">[T,D], of the loss by the reconstruction.</param>
    /// <param name="wDec_FD">[F,D] float32, dense rows.</param>
    /// <param name="into">Written; <see cref="ActivationGradient.Pre_TF"/> must not be z.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    void ActivationBackward(Tensor z_TF, Tensor gradient_TD, Tensor wDec_FD, ActivationGradient into, CancellationToken cancel = default);

    /// <summary>
    /// The same for JumpReLU, with straight-through estimators: a rectangle of width ε around θ stands for the derivative of the step, so that
    /// dθ = −(1/ε)·Σ_t (θ·(gradient·W_decᵀ) + penalty) over the tokens with |pre − θ| &lt; ε/2. The penalty is the gradient of the loss by L0.
    /// </summary>
    /// <param name="pre_TF">[T,F] pre-activations; may be <see cref="ActivationGradient.Pre_TF"/>, which then overwrites it.</param>
    /// <param name="threshold_F">[F] θ.</param>
    /// <param name="gradient_TD">[T,D], of the loss by the reconstruction.</param>
    /// <param name="wDec_FD">[F,D] float32, dense rows.</param>
    /// <param name="bandwidth">ε.</param>
    /// <param name="penalty">Loss per active feature and token.</param>
    /// <param name="into">Written; with <see cref="ActivationGradient.Threshold_F"/>.</param>
    /// <param name="cancel">Honoured within 100 ms.</param>
    void JumpReluBackward(Tensor pre_TF, Tensor threshold_F, Tensor gradient_TD, Tensor wDec_FD, float bandwidth, float penalty, ActivationGradient into, CancellationToken cancel = default);

    /// <summary>The sum of every column, in float64.</summary>
    void ColumnSums(Tensor x_TN, Tensor sum_N);

    /// <summary>How many elements of every column are not zero, as float32 (exact up to 2^24 rows).</summary>
    void CountNonZeros(Tensor x_TN, Tensor count_N);

    /// <summary>One step of Adam on a parameter of any shape: m = β₁m + (1−β₁)g, v = β₂v + (1−β₂)g², p −= rate·m̂/(√v̂ + ε).</summary>
    /// <param name="parameter">Contiguous float32, changed.</param>
    /// <param name="gradient">Of the same shape.</param>
    /// <param name="firstMoment">m, changed; null when β₁ is 0.</param>
    /// <param name="secondMoment">v, changed.</param>
    /// <param name="options">Rate, β₁, β₂, ε, number of the step.</param>
    void AdamStep(Tensor parameter, Tensor gradient, Tensor? firstMoment, Tensor secondMoment, AdamOptions options);

    /// <summary>
    /// One step of Adam (β₁ = 0) with the gradient coefficientsᵀ·rows, which is never held: feature by feature it is summed over the tokens where the
    /// coefficient is not 0, then applied.
    /// </summary>
    /// <param name="coefficients_TF">[T,F], mostly zero.</param>
    /// <param name="rows_TD">[T,D] float32, dense rows.</param>
    /// <param name="parameter_FD">[F,D] float32 contiguous, changed.</param>
    /// <param name="secondMoment_FD">[F,D], changed.</param>
    /// <param name="options">Rate, β₂, ε, number of the step; β₁ must be 0.</param>
    /// <param name="unitRows">Keeps rows at norm 1: the part of the gradient along the row is taken away before, the row is normalised after.</param>
    /// <param name="cancel">Honoured within 100 ms; some rows then have taken the step.</param>
    void AdamStepSparse(Tensor coefficients_TF, Tensor rows_TD, Tensor parameter_FD, Tensor secondMoment_FD, AdamOptions options, bool unitRows = false, CancellationToken cancel = default);
}

/// <summary>Non-linearities of MLPs.</summary>
public enum Activation
{
    /// <summary>x · Φ(x), exact.</summary>
    Gelu,

    /// <summary>GELU by its tanh approximation (gelu_new, gelu_pytorch_tanh).</summary>
    GeluTanh,

    /// <summary>x · sigmoid(x).</summary>
    Silu,

    /// <summary>max(x, 0).</summary>
    Relu,
}

/// <summary>Consecutive tokens of a batch that sit at consecutive positions of one cache row.</summary>
/// <param name="Token">First token of the batch.</param>
/// <param name="Count">How many.</param>
/// <param name="Row">Row of the cache.</param>
/// <param name="Position">Position of the first.</param>
public readonly record struct TokenRun(int Token, int Count, int Row, int Position);

/// <summary>How attention scores are made.</summary>
/// <param name="HeadWidth">S.</param>
/// <param name="Scale">Multiplies q·k.</param>
/// <param name="Window">How many positions a query sees, itself included; 0 for all.</param>
/// <param name="SoftCap">cap · tanh(score / cap) before the softmax; 0 for none.</param>
public readonly record struct AttentionOptions(int HeadWidth, float Scale, int Window = 0, float SoftCap = 0);

/// <summary>How one row is sampled.</summary>
/// <param name="Uniform">The row's own number, in [0, 1).</param>
/// <param name="Temperature">0 for the largest logit.</param>
/// <param name="TopK">How many of the largest stay, 0 for all.</param>
/// <param name="TopP">Probability that stays, 1 for all.</param>
public readonly record struct SamplingRow(double Uniform, float Temperature = 1, int TopK = 0, float TopP = 1);

/// <summary>Who computes: shown by <c>featureflow engine list</c> and <c>Get-FlowEngine</c>.</summary>
/// <param name="Name">cpu or torch.</param>
/// <param name="Device">The processor or card, in words.</param>
/// <param name="Threads">Worker threads, 0 where that means nothing.</param>
/// <param name="Instructions">Vector instructions in use, such as <c>AVX-512</c>.</param>
public sealed record EngineInfo(string Name, string Device, int Threads, string Instructions);

/// <summary>What happens to a product on its way out: c = (a·b) ∘ ColumnScale + Bias; c += instead when Accumulate.</summary>
/// <param name="ColumnScale_N">[N] float32, or null.</param>
/// <param name="Bias_N">[N] float32/bfloat16/float16, or null.</param>
/// <param name="Accumulate">Add to what c holds.</param>
public readonly record struct MatMulEpilogue(Tensor? ColumnScale_N = null, Tensor? Bias_N = null, bool Accumulate = false);

/// <summary>How <see cref="ITensorEngine.TopKInnerProduct"/> scores.</summary>
public sealed record TopKOptions
{
    /// <summary>Divide by both norms: cosine similarity. A zero row has similarity 0 with all.</summary>
    public bool Cosine { get; init; }

    /// <summary>[K] added to every score of a key, or null (assignment prices).</summary>
    public double[]? KeyBias { get; init; }

    /// <summary>[Q] a score that at least k keys of the query are known to reach, −∞ for none, or null: spares the search what is under it.</summary>
    public double[]? Floor_Q { get; init; }

    /// <summary>Told the share of the work done, 0 to 1.</summary>
    public IProgress<double>? Progress { get; init; }
}

/// <summary>The best keys of every query, best first; a row with fewer than k keys ends in index −1 and score −∞.</summary>
/// <param name="K">Keys per query.</param>
/// <param name="Indices_QK">[Q,K] row-major.</param>
/// <param name="Scores_QK">[Q,K] row-major, float64 arithmetic.</param>
public sealed record TopKResult(int K, int[] Indices_QK, double[] Scores_QK);

/// <summary>What the backward pass of an SAE's activation writes.</summary>
/// <param name="Pre_TF">[T,F] dPre.</param>
/// <param name="Bias_F">[F] its column sums.</param>
/// <param name="Active_F">[F] tokens at which the feature is active, as float32.</param>
/// <param name="Threshold_F">[F] dθ; null where there is no θ.</param>
public sealed record ActivationGradient(Tensor Pre_TF, Tensor Bias_F, Tensor Active_F, Tensor? Threshold_F = null);

/// <summary>Numbers of one step of Adam.</summary>
/// <param name="Rate">Learning rate.</param>
/// <param name="Beta1">Decay of the first moment; 0 does without it.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to √v̂.</param>
/// <param name="Step">From 1: moments start at 0 and are corrected for it.</param>
public readonly record struct AdamOptions(float Rate, float Beta1, float Beta2, float Epsilon, long Step)
{
    /// <summary>The factor of m that corrects its start at 0.</summary>
    public float FirstCorrection => (float)(1 / (1 - Math.Pow(Beta1, Step)));

    /// <summary>The factor of v that corrects its start at 0.</summary>
    public float SecondCorrection => (float)(1 / (1 - Math.Pow(Beta2, Step)));
}

/// <summary>Weights of a few features of an SAE: float32, dense rows.</summary>
/// <param name="Encoder_UD">[U,D].</param>
/// <param name="Bias_U">[U].</param>
/// <param name="Threshold_U">[U].</param>
/// <param name="Decoder_UO">[U,O].</param>
public readonly record struct FeatureWeights(Tensor Encoder_UD, Tensor Bias_U, Tensor Threshold_U, Tensor Decoder_UO);
