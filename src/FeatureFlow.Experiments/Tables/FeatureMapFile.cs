using System.Globalization;
using System.Text;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Experiments;

/// <summary>
/// Feature maps as files: CSV with the columns <c>source,target,cost,similarity,weight</c>, and NumPy arrays for exchange (<c>P_{l}_{l+1}.npy</c>): int64 [sources], the value
/// being the target, −1 for none. Chosen by the extension. A map folded by a substitute for thresholds names it in two more columns, <c>source_fold,target_fold</c>.
/// </summary>
public static class FeatureMapFile
{
    private static readonly TableColumns<FeaturePair> Columns = new(
        ("source", p => p.Source),
        ("target", p => p.Target),
        ("cost", p => p.Cost),
        ("similarity", p => p.Similarity));

    private static readonly TableColumns<FeaturePair> Weighted = Columns.With(("weight", p => p.Weight));

    /// <summary>Pairs, one a row, in the columns that maps are written with.</summary>
    public static TableColumns<FeaturePair> Pairs => Columns;

    /// <summary>Writes a map, whole or not at all.</summary>
    /// <exception cref="FeatureFlowException">FF5150: neither .csv nor .npy; FF2030: it cannot be written.</exception>
    public static void Write(FeatureMap map, string path)
    {
        switch (Path.GetExtension(path).ToLowerInvariant())
        {
            case ".csv":
                var columns = map.Pairs.Any(p => p.Weight != 1) ? Weighted : Columns;
                if (IsSubstitute(map.SourceFold) || IsSubstitute(map.TargetFold)) columns = columns.With(("source_fold", _ => map.SourceFold), ("target_fold", _ => map.TargetFold));
                columns.Write(path, map.Pairs);
                break;
            case ".npy":
                var targets = Tensor.Allocate(DType.I64, map.SourceCount);
                var values = targets.AsSpan<long>();
                var of = map.Targets();
                for (var i = 0; i < of.Length; i++) values[i] = of[i];
                NpyFile.Write(path, targets);
                break;
            default:
                throw ExperimentErrors.MapFormat(path);
        }
    }

    /// <summary>Reads a map that <see cref="Write"/> wrote, or another program; the number of features is the largest index named, plus one.</summary>
    /// <exception cref="FeatureFlowException">FF5150: neither .csv nor .npy; FF5006, FF5151: not a map.</exception>
    public static FeatureMap Read(string path)
    {
        switch (Path.GetExtension(path).ToLowerInvariant())
        {
            case ".csv": return Of(path, ReadCsv(path), 0);
            case ".npy":
                using (var array = NpyFile.Read(path))
                {
                    if (array.DType is not (DType.I64 or DType.I32) || array.Rank != 1) throw ExperimentErrors.NotAMap(path, 1, $"it is {array}; a permutation is int64 [features].");
                    int[] targets = array.DType == DType.I32 ? array.AsSpan<int>().ToArray() : Array.ConvertAll(array.AsSpan<long>().ToArray(), t => t is >= -1 and < int.MaxValue ? (int)t : throw ExperimentErrors.NotAMap(path, 1, $"{t} is no feature."));
                    return Of(path, [.. targets.Select((t, i) => new FeaturePair(i, t, null, null)).Where(p => p.Target >= 0)], targets.Length);
                }

            default: throw ExperimentErrors.MapFormat(path);
        }
    }

    private static bool IsSubstitute(string? fold) => fold is not (null or "none" or "threshold");

    private static FeatureMap Of(string path, FeaturePair[] pairs, int sources)
    {
        if (pairs.Length == 0) throw ExperimentErrors.NotAMap(path, 1, "it has no pairs.");
        return new FeatureMap
        {
            Method = pairs.Select(p => p.Source).Distinct().Count() == pairs.Length ? MapMethod.Assignment : MapMethod.Cosine,
            SourceCount = Math.Max(sources, pairs.Max(p => p.Source) + 1),
            TargetCount = pairs.Max(p => p.Target) + 1,
            Pairs = pairs,
            TotalCost = pairs.All(p => p.Cost is not null) ? pairs.Sum(p => p.Cost!.Value) : null,
        };
    }

    private static FeaturePair[] ReadCsv(string path)
    {
        using var reader = Texts.TextFile.Open(path);
        var table = CsvTable.Read(path, reader);
        int source = Named("source"), target = Named("target"), cost = table.Column("cost"), similarity = table.Column("similarity"), weight = table.Column("weight");
        return [.. table.Rows.Select(r => new FeaturePair(Index(r, source), Index(r, target), Number(r, cost), Number(r, similarity), Number(r, weight) ?? 1))];

        int Named(string name) => table.Column(name) is >= 0 and { } at ? at : throw ExperimentErrors.NotAMap(path, 1, $"there is no column '{name}'; a map has source,target,cost,similarity.");

        int Index((int Line, string[] Fields) row, int column) =>
            column < row.Fields.Length && int.TryParse(row.Fields[column], NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index : throw ExperimentErrors.NotAMap(path, row.Line, $"'{row.Fields.ElementAtOrDefault(column)}' is no feature.");

        double? Number((int Line, string[] Fields) row, int column) =>
            column < 0 || column >= row.Fields.Length || row.Fields[column].Length == 0
                ? null
                : double.TryParse(row.Fields[column], NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : throw ExperimentErrors.NotAMap(path, row.Line, $"'{row.Fields[column]}' is no number.");
    }
}
