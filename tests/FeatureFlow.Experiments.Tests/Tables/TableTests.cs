using System.Globalization;
using FeatureFlow.Flow;
using FeatureFlow.Saes;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests;

public sealed class TableTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly CultureInfo _before = CultureInfo.CurrentCulture;

    // a decimal comma must not reach any file
    public TableTests() => CultureInfo.CurrentCulture = new CultureInfo("de-DE");

    public void Dispose()
    {
        CultureInfo.CurrentCulture = _before;
        _folder.Dispose();
    }

    private static TableColumns<(string? Text, double? Number, int Whole)> Columns { get; } = new(("text", r => r.Text), ("number", r => r.Number), ("whole", r => r.Whole));

    [Fact]
    public void Csv_is_invariant_shortest_and_quoted()
    {
        Columns.Write(_folder.File("t.csv"), [("a,b", 0.1, 1), ("say \"x\"\nnow", -1.5e-7, -2), (null, null, 3), ("=1+1", double.NaN, 4)]);
        Assert.Equal("text,number,whole\n\"a,b\",0.1,1\n\"say \"\"x\"\"\nnow\",-1.5E-07,-2\n,,3\n=1+1,NaN,4\n", File.ReadAllText(_folder.File("t.csv")));
        Assert.Equal((byte)'t', File.ReadAllBytes(_folder.File("t.csv"))[0]);
    }

    [Fact]
    public void Excel_gets_a_byte_order_mark_and_no_formulas()
    {
        Columns.Write(_folder.File("t.csv"), [("=1+1", -0.5, -2)], excel: true);
        var bytes = File.ReadAllBytes(_folder.File("t.csv"));
        Assert.Equal([0xEF, 0xBB, 0xBF], bytes[..3]);
        Assert.EndsWith("\n\"'=1+1\",-0.5,-2\n", File.ReadAllText(_folder.File("t.csv")), StringComparison.Ordinal);
    }

    [Fact]
    public void Json_has_the_same_names_and_nulls()
    {
        using var text = new StringWriter { NewLine = "\n" };
        Columns.WriteJson(text, [("ä", 0.25, 1), (null, null, 2)]);
        Assert.Equal("[\n  {\"text\":\"ä\",\"number\":0.25,\"whole\":1},\n  {\"text\":null,\"number\":null,\"whole\":2}\n]\n", text.ToString());
    }

    [Fact]
    public void A_failure_while_rows_are_made_leaves_the_old_file()
    {
        File.WriteAllText(_folder.File("t.csv"), "old");
        Assert.Throws<InvalidOperationException>(() => Columns.Write(_folder.File("t.csv"), Failing()));
        Assert.Equal("old", File.ReadAllText(_folder.File("t.csv")));
        Assert.Single(Directory.EnumerateFiles(_folder.Path));

        static IEnumerable<(string?, double?, int)> Failing()
        {
            yield return ("a", 1, 1);
            throw new InvalidOperationException();
        }
    }

    [Fact]
    public void Columns_are_those_of_the_contract()
    {
        Assert.Equal(["layer", "site", "index", "source_layer", "source_site", "source_index", "rank", "similarity"], Tables.Matches.Names);
        Assert.Equal([.. Tables.Matches.Names, "description", "source_description"], Tables.DescribedMatches.Names);
        Assert.Equal(["layer", "class", "count"], Tables.Classes.Names);
    }

    [Fact]
    public void Predecessors_of_the_example_are_those_of_the_reference()
    {
        var pack = Session.Open(Repository.Example("stories260k"));
        var golden = Rows(Repository.Fixture("golden", "stories260k", "predecessors.csv"));
        var targets = golden.Select(r => new FeatureId(int.Parse(r["layer"], null), Site.Res, int.Parse(r["index"], null))).Distinct().ToList();
        Tables.Matches.Write(_folder.File("p.csv"), PredecessorSearch.Find(pack, targets, 5));

        var ours = Rows(_folder.File("p.csv")).ToDictionary(r => (r["layer"], r["index"], r["source_site"], r["rank"]));
        Assert.Equal(golden.Count, ours.Count);
        foreach (var row in golden)
        {
            var match = ours[(row["layer"], row["index"], row["site"], row["rank"])];
            Assert.Equal(row["source_index"], match["source_index"]);
            Assert.Equal(double.Parse(row["cosine"], CultureInfo.InvariantCulture), double.Parse(match["similarity"], CultureInfo.InvariantCulture), 1e-6);
        }
    }

    private static List<Dictionary<string, string>> Rows(string path)
    {
        using var reader = new StreamReader(path);
        var table = CsvTable.Read(path, reader);
        return [.. table.Rows.Select(r => table.Header.Zip(r.Fields).ToDictionary(p => p.First, p => p.Second))];
    }
}
