using System.Globalization;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>Makes plans: picks layers by the mode, sets coefficients by the schedule, and for a budget scales them.</summary>
public static class SteeringPlanner
{
    /// <summary>The plan of a recipe.</summary>
    /// <param name="pack">The pack; its weights are read for <see cref="SteeringMode.Budget"/> only.</param>
    /// <param name="features">What may be steered.</param>
    /// <param name="recipe">How.</param>
    /// <param name="name">Its name; null for one made of the recipe.</param>
    /// <exception cref="FeatureFlowException">FF4041: no such layer, no feature there, or a number that means nothing.</exception>
    public static SteeringPlan Make(OpenedPack pack, SteeringFeatures features, SteeringRecipe recipe, string? name = null)
    {
        recipe.Check();
        var layer = recipe.Layer ?? (recipe.Mode == SteeringMode.Single ? features.Targets[0].Layer : features.SpanEnd);
        if (recipe.Layer is null) recipe = recipe with { Layer = layer };
        var layers = pack.Pack.Layers;
        if (layer < layers[0] || layer > layers[^1]) throw FlowErrors.Plan($"There is no layer {layer}; the pack's are {FlowErrors.Layers(layers)}.");
        var edits = Edits(features, recipe, layer);
        if (edits.Count == 0) throw FlowErrors.Plan($"The lineage has no feature {(recipe.Mode == SteeringMode.Single ? $"at layer {layer}" : $"up to layer {layer}")}; its features are at {FlowErrors.Layers(features.Features.Select(f => f.Feature.Layer).Distinct().Order())}.");
        if (recipe.Mode == SteeringMode.Budget) edits = Scaled(pack, features, recipe, edits);
        return new SteeringPlan { Name = name ?? Name(recipe, layer), Pack = pack.Pack.Source, Edits = edits, Targets = features.Targets, Recipe = recipe, SpanStart = features.SpanStart, SpanEnd = features.SpanEnd };
    }

    /// <summary><c>cumulative-exponential-L4-s8</c>: what tells the plans of one sweep apart.</summary>
    public static string Name(SteeringRecipe recipe, int layer)
    {
        var schedule = recipe.Method == EditMethod.Add ? $"-{recipe.Schedule.ToString().ToLowerInvariant()}" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{recipe.Mode.ToString().ToLowerInvariant()}{schedule}-L{layer}-{(recipe.Method == EditMethod.Add ? "s" : "r")}{recipe.Coefficient}{(recipe.Folded ? "-folded" : "")}");
    }

    /// <summary>
    /// How far a list of edits moves the hidden state, before anything is run: the L2 norms of what is done at the sites, summed. A rescaled feature counts
    /// with |r − 1| times the norm of its folded embedding, for how active it will be is not known.
    /// </summary>
    public static double PerturbationNorm(OpenedPack pack, IReadOnlyList<FeatureEdit> edits)
    {
        double total = 0;
        var engine = pack.Engine.Tensors;
        foreach (var site in edits.Where(e => !e.IsNothing).GroupBy(e => Place.Of(e.Feature)))
        {
            using var lease = pack.Lease(site.Key.Layer, site.Key.Site);
            var list = site.ToList();
            using var rows = new SaeSelection(lease.Sae, engine, [.. list.Select(e => e.Feature.Index)]);
            var scales = FoldedSae.Of(engine, lease.Sae).Scale_F;
            var width = rows.Decoder_UO.Shape[1];
            var values = rows.Decoder_UO.ToFloats(engine);
            var sum = new double[width];
            for (var i = 0; i < list.Count; i++)
            {
                var (edit, scale) = (list[i], scales[list[i].Feature.Index]);
                var row = values.AsSpan(i * width, width);
                if (edit.Method == EditMethod.Rescale)
                {
                    total += Math.Abs(edit.Coefficient - 1) * scale * Norm(row);
                    continue;
                }

                var factor = edit.Coefficient * (edit.Folded ? scale : 1);
                for (var d = 0; d < width; d++) sum[d] += factor * row[d];
            }

            total += Math.Sqrt(sum.Sum(x => x * x));
        }

        return total;
    }

    private static List<FeatureEdit> Edits(SteeringFeatures features, SteeringRecipe recipe, int layer)
    {
        return [.. features.Features.Where(f => Takes(f.Feature.Layer)).Select(Edit)];

        bool Takes(int l) => recipe.Mode switch
        {
            SteeringMode.Single => l == layer,
            SteeringMode.Span => l >= features.SpanStart && l <= features.SpanEnd,
            _ => l <= layer,
        };

        FeatureEdit Edit(SteeringFeature f)
        {
            var method = f.Method ?? recipe.Method;
            var own = f.Coefficient ?? recipe.Coefficient;
            if (method == EditMethod.Rescale) return new FeatureEdit(f.Feature, method, f.Antagonist ? 2 - own : own);
            var s = recipe.At(own, f.Feature.Layer, features.SpanStart, features.SpanEnd);
            return new FeatureEdit(f.Feature, method, f.Antagonist ? -s : s, recipe.Folded);
        }
    }

    // what Single would do at the layer with s as it is, or at the highest layer below it that has features
    private static List<FeatureEdit> Scaled(OpenedPack pack, SteeringFeatures features, SteeringRecipe recipe, List<FeatureEdit> edits)
    {
        var layer = edits.Max(e => e.Feature.Layer);
        var (budget, now) = (PerturbationNorm(pack, Edits(features, recipe with { Mode = SteeringMode.Single, Schedule = SteeringSchedule.Constant }, layer)), PerturbationNorm(pack, edits));
        var factor = now > 0 ? budget / now : 1;
        return [.. edits.Select(e => e with { Coefficient = e.Method == EditMethod.Add ? factor * e.Coefficient : 1 + factor * (e.Coefficient - 1) })];
    }

    private static double Norm(ReadOnlySpan<float> row)
    {
        double sum = 0;
        foreach (var x in row) sum += (double)x * x;
        return Math.Sqrt(sum);
    }
}
