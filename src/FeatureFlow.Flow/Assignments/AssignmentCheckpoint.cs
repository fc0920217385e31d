using System.Diagnostics;
using System.Globalization;
using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Flow;

/// <summary>
/// The state of an unfinished assignment in a file: prices, values, matches and candidates. Each writing is whole or not there. A file of another
/// problem, or a damaged one, is as good as none.
/// </summary>
internal sealed class AssignmentCheckpoint(string path, string identity, double seconds)
{
    private const string Schema = "featureflow-assignment/2";

    private long _last = Stopwatch.GetTimestamp();

    /// <summary>Writes when the last writing is long enough ago, or always.</summary>
    public void Save(AssignmentState state, CandidateLists lists, bool always = false)
    {
        if (!always && Stopwatch.GetElapsedTime(_last).TotalSeconds < seconds) return;
        var counts = new int[state.Rows];
        for (var i = 0; i < counts.Length; i++) counts[i] = lists.Count(i);
        var total = counts.Sum();
        var (columns, reduced, costs) = (new int[total], new double[total], new double[total]);
        var at = 0;
        for (var i = 0; i < counts.Length; i++)
        {
            foreach (var c in lists.Of(i)) (reduced[at], costs[at], columns[at++]) = c;
        }

        SafetensorsFile.Write(path, new Dictionary<string, string> { ["schema"] = Schema, ["problem"] = identity, ["rows"] = state.Rows.ToString(CultureInfo.InvariantCulture) }, [
            ("price", Of(state.Price)), ("value", Of(state.Value)), ("match", Of(state.ColumnOf)), ("asked", Of(lists.Asked)),
            ("count", Of(counts)), ("column", Of(columns)), ("reduced", Of(reduced)), ("cost", Of(costs)), ("line", Of(lists.Line)),
        ]);
        _last = Stopwatch.GetTimestamp();
    }

    /// <summary>Takes up what is there; false when that is nothing of this problem.</summary>
    public bool TryLoad(AssignmentState state, CandidateLists lists)
    {
        if (!File.Exists(path)) return false;
        try
        {
            using var file = SafetensorsFile.Open(path);
            if (file.Metadata.GetValueOrDefault("schema") != Schema || file.Metadata.GetValueOrDefault("problem") != identity) return false;
            file.Get("price").AsSpan<double>().CopyTo(state.Price);
            file.Get("value").AsSpan<double>().CopyTo(state.Value);
            var match = file.Get("match").AsSpan<int>();
            for (var i = 0; i < match.Length; i++)
            {
                if (match[i] >= 0) state.Match(i, match[i]);
            }

            Span<int> asked = file.Get("asked").AsSpan<int>(), count = file.Get("count").AsSpan<int>(), column = file.Get("column").AsSpan<int>();
            Span<double> reduced = file.Get("reduced").AsSpan<double>(), cost = file.Get("cost").AsSpan<double>(), line = file.Get("line").AsSpan<double>();
            var at = 0;
            for (var i = 0; i < count.Length; i++)
            {
                var list = new NearColumn[count[i]];
                for (var e = 0; e < list.Length; e++, at++) list[e] = new NearColumn(reduced[at], cost[at], column[at]);
                lists.Restore(i, asked[i], list, line[i]);
            }

            return true;
        }
        catch (FeatureFlowException)
        {
            return false;
        }
    }

    public void Delete() => File.Delete(path);

    private static Tensor Of(double[] values)
    {
        var tensor = Tensor.Allocate(DType.F64, values.Length);
        values.CopyTo(tensor.AsSpan<double>());
        return tensor;
    }

    private static Tensor Of(int[] values)
    {
        var tensor = Tensor.Allocate(DType.I32, values.Length);
        values.CopyTo(tensor.AsSpan<int>());
        return tensor;
    }
}
