using FeatureFlow.Models;

namespace FeatureFlow.Benchmarks;

internal sealed partial class Python
{
    // deactivation as one writes it in eager PyTorch, float32, when one knows that only one token of one layer changes: a clean pass over each text that keeps keys, values and
    // the inputs of the layers, activations of four SAEs at the sampled tokens, then all cuts of a layer as one batch of rows: remove a feature before, within or after the
    // layer, attend to the kept keys and values and the row's own, read the target. Llama's layers, the given sizes, random weights
    private const string TorchCuts = """
        import sys, time, torch
        threads, texts, tokens, layers, d, heads, head, inner, features, sampled, cuts, together = map(int, sys.argv[1:13])
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        F = torch.nn.functional
        r = lambda *s: torch.randn(*s) * 0.05
        one = torch.ones(d)
        W = [(r(heads * head, d), r(heads * head, d), r(heads * head, d), r(d, heads * head), r(inner, d), r(inner, d), r(d, inner)) for _ in range(layers)]
        E = [[(r(features, d), r(features), F.normalize(r(features, d), dim=1)) for _ in range(3)] for _ in range(layers)]
        T = [(r(features, d), r(features)) for _ in range(layers)]
        emb = r(tokens, d)
        angle = torch.outer(torch.arange(tokens).float(), 1 / 10000 ** (torch.arange(0, head, 2).float() / head))
        cos, sin = (torch.cat([x] * 2, 1) for x in (angle.cos(), angle.sin()))
        turn = lambda x, c, s: x * c + torch.cat([-x[..., head // 2:], x[..., :head // 2]], -1) * s
        norm = lambda x: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * one
        causal = torch.full((tokens, tokens), float('-inf')).triu(1)
        places = torch.randint(1, tokens, (sampled,))
        at = places[torch.randint(0, sampled, (cuts,))]
        before = torch.arange(tokens)[None] < at[:, None]
        which = [(torch.arange(cuts) % 3 == s) for s in range(3)]
        feature, target = torch.randint(0, features, (cuts,)), torch.randint(0, features, (cuts,))
        def cut(x, layer, site):
            enc, b, dec = E[layer][site]
            rows, f = which[site], feature[which[site]]
            a = ((x[rows] * enc[f]).sum(1) + b[f]).relu()
            x = x.clone()
            x[rows] -= a[:, None] * dec[f]
            return x
        def work():
            with torch.no_grad():
                for _ in range(texts):
                    x, kept = emb, []
                    for q, k, v, o, gate, up, down in W:
                        n = norm(x)
                        split = lambda y: y.view(tokens, heads, head).transpose(0, 1)
                        qs, ks, vs = turn(split(F.linear(n, q)), cos, sin), turn(split(F.linear(n, k)), cos, sin), split(F.linear(n, v))
                        kept.append((x, ks, vs))
                        att = F.linear(((qs @ ks.transpose(1, 2) / head ** 0.5 + causal).softmax(-1) @ vs).transpose(0, 1).reshape(tokens, -1), o)
                        y = x + att
                        n = norm(y)
                        mlp = F.linear(F.silu(F.linear(n, gate)) * F.linear(n, up), down)
                        layer = len(kept) - 1
                        for (enc, b, _), h in zip(E[layer], (x, mlp, att)): F.linear(h[places], enc, b).relu()
                        x = y + mlp
                        F.linear(x[places], *T[layer]).relu()
                    for layer in range(1, layers):
                        q, k, v, o, gate, up, down = W[layer]
                        x, ks, vs = kept[layer]
                        x = cut(x[at], layer, 0)
                        n = norm(x)
                        c, s = cos[at][:, None], sin[at][:, None]
                        split = lambda y: y.view(cuts, heads, head)
                        qs, kn, vn = turn(split(F.linear(n, q)), c, s), turn(split(F.linear(n, k)), c, s), split(F.linear(n, v))
                        scores = (qs.transpose(0, 1) @ ks.transpose(1, 2)).masked_fill(~before, float('-inf'))
                        own = (qs * kn).sum(-1).T[..., None]
                        p = (torch.cat([scores, own], -1) / head ** 0.5).softmax(-1)
                        z = (p[..., :-1] @ vs).transpose(0, 1) + p[..., -1].T[..., None] * vn
                        x = x + cut(F.linear(z.reshape(cuts, -1), o), layer, 2)
                        n = norm(x)
                        x = x + cut(F.linear(F.silu(F.linear(n, gate)) * F.linear(n, up), down), layer, 1)
                        enc, b = T[layer]
                        if together > 0: F.linear(x, enc[target[:together]], b[target[:together]]).relu()
                        else: ((x * enc[target]).sum(1) + b[target]).relu()
        """;

    /// <summary>
    /// Cuts of predecessors in some texts, so many in every layer but the first, or null without libtorch. Each has its own target; with so many <paramref name="targets"/>
    /// in a text and layer, every cut is read at all of them.
    /// </summary>
    public static Python? TorchOfCuts(int threads, int texts, int tokens, ModelConfig c, int features, int sampled, int cuts, int targets = 0) =>
        Start(TorchCuts, null, threads, texts, tokens, c.Layers, c.Width, c.Heads, c.HeadWidth, c.MlpWidth, features, sampled, cuts, targets);
}
