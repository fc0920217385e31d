using System.Globalization;
using CsvHelper;
using FeatureFlow.Flow;

namespace FeatureFlow.Experiments;

/// <summary>Graphs as rows, one an edge, named as in <c>predecessors.csv</c>: the feature, then where it comes from (source).</summary>
internal static class GraphCsv
{
    private static readonly string[] Columns =
    [
        "seed", "layer", "site", "index", "source_layer", "source_site", "source_index", "kind", "similarity",
        "class", "source_class", "threshold", "source_threshold", "norm", "source_norm", "description", "source_description",
    ];

    // of verified graphs
    private static readonly string[] EvidenceColumns = ["n", "success", "success_low", "success_high", "change", "change_low", "change_high"];

    public static string Render(IReadOnlyList<FlowGraph> graphs)
    {
        var verified = graphs.Any(g => g.Verified);
        using var text = new StringWriter(CultureInfo.InvariantCulture);
        using (var csv = CsvWriter.Create(text, new CsvWriterOptions { NewLine = "\n" }))
        {
            csv.WriteRecord(verified ? [.. Columns, .. EvidenceColumns] : Columns);
            foreach (var graph in graphs)
            {
                var nodes = graph.Nodes.ToDictionary(n => n.Id, StringComparer.Ordinal);
                foreach (var edge in graph.Edges) csv.WriteRecord([.. Row(graph.Seed, edge, nodes[edge.Target], nodes[edge.Predecessor]), .. verified ? Evidence(edge.Evidence) : []]);
            }
        }

        return text.ToString();
    }

    private static string[] Row(string seed, FlowEdge edge, FlowNode target, FlowNode source) =>
    [
        seed, Whole(target.Layer), target.Site, Whole(target.Index), Whole(source.Layer), source.Site, Whole(source.Index), edge.Kind, Real(edge.Similarity),
        $"{target.Class}", $"{source.Class}", Real(target.Threshold), Real(source.Threshold), Real(target.Norm), Real(source.Norm), target.Description ?? "", source.Description ?? "",
    ];

    private static string[] Evidence(EdgeEvidence? evidence) => [evidence is { } e ? Whole(e.Count) : "", .. Ends(evidence?.Success), .. Ends(evidence?.Change)];

    private static string[] Ends(Interval? interval) => interval is { } i ? [Real(i.Value), i.Known ? Real(i.Low) : "", i.Known ? Real(i.High) : ""] : ["", "", ""];

    private static string Whole(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Real(double? value) => value is { } v ? GraphText.Number(v) : "";
}
