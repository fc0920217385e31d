using System.Text.Json;
using System.Text.Json.Nodes;
using FeatureFlow.Testing;

namespace FeatureFlow.Tools.Tests;

public sealed class JudgeTests : IDisposable
{
    private const string Key = "sk-tool-secret-42";

    private readonly TempFolder _folder = new();

    private static string Samples { get; } = Repository.Fixture("judging", "samples.csv");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Means_by_the_grammar_read_well()
    {
        var run = ToolRun.Of("judge", Samples, "--judge", "storyworld", "--out", _folder.Path).Ok();
        Golden.Check("FeatureFlow.Tools/judge.txt", run.Out);
        Golden.Check("FeatureFlow.Tools/judged.csv", File.ReadAllText(_folder.File("judged.csv")));
        Golden.Check("FeatureFlow.Tools/aggregate.csv", File.ReadAllText(_folder.File("aggregate.csv")));
        Assert.False(File.Exists(_folder.File("answers.jsonl"))); // nobody was asked
    }

    [Fact]
    public void A_page_shows_scores_by_layer_and_texts()
    {
        ToolRun.Of("judge", Samples, "--judge", "storyworld", "--report", "--out", _folder.Path).Ok();
        var page = File.ReadAllText(_folder.File("report.html"));
        Assert.Contains("<figcaption>Best score of every layer, sea</figcaption>", page, StringComparison.Ordinal);
        Assert.Contains("add cumulative constant", page, StringComparison.Ordinal);
        Assert.Equal(12, page.Split("<th scope=\"row\">").Length - 1); // pairs of texts
        Assert.DoesNotContain("http://", page.Replace("http://www.w3.org/", "", StringComparison.Ordinal), StringComparison.Ordinal);

        // without layers: settings
        ToolRun.Of("judge", Samples, "--judge", "storyworld", "--report", "--by", "aim", "subject", "--out", _folder.Path).Ok();
        Assert.Contains("<figcaption>Scores of every setting, sea</figcaption>", File.ReadAllText(_folder.File("report.html")), StringComparison.Ordinal);
        Assert.Equal(2, ToolRun.Of("judge", Samples, "--compare", "text,prompt", "--report").Code);
    }

    [Fact]
    public void A_folder_is_judged_in_place_and_an_endpoint_is_asked_once()
    {
        using var server = new MisbehavingServer((heard, n) => n switch
        {
            2 => Deed.Reply(200, "not json at all"),
            3 => Deed.Say("I would say 4."),
            _ => Deed.Say("""{"coherence": 4, "subjects": {"S1": 1}}"""),
        });
        Directory.CreateDirectory(_folder.File("run"));
        File.Copy(Samples, _folder.File("run", "samples.csv"));
        File.WriteAllText(_folder.File("key.txt"), Key + "\n");
        File.WriteAllText(_folder.File("judge.yaml"), $"url: {server.Url}\nmodel: small\nkey_file: key.txt\nconcurrency: 1\n");
        string[] command = ["judge", _folder.File("run"), "--judge-file", _folder.File("judge.yaml"), "--by", "aim", "--json"];
        var first = ToolRun.Of(command).Ok();
        var asked = server.Requests.Count;
        Assert.Equal(26, asked); // 24 texts; one answer was none, one had to be asked for again
        Assert.Equal($"Bearer {Key}", server.Requests.First().Headers["Authorization"]);

        var means = JsonNode.Parse(first.Out)!.AsArray();
        Assert.Equal(["activate", "deactivate"], means.Select(m => (string)m!["aim"]!));
        Assert.Equal(0.16, (double)means[0]!["total"]!, 1e-12); // 1/5 · 4/5
        Assert.Equal(0.64, (double)means[1]!["total"]!, 1e-12);

        var files = Directory.GetFiles(_folder.File("run")).ToDictionary(f => Path.GetFileName(f), File.ReadAllText);
        Assert.Equal(["aggregate.csv", "answers.jsonl", "judged.csv", "samples.csv"], files.Keys.Order());
        Assert.Equal(26, files["answers.jsonl"].Split('\n', StringSplitOptions.RemoveEmptyEntries).Count(l => JsonDocument.Parse(l) is not null));
        Assert.All([.. files.Values, first.Out, first.Error], text => Assert.DoesNotContain("tool-secret", text));

        var again = ToolRun.Of(command).Ok();
        Assert.Equal(asked, server.Requests.Count);
        Assert.Equal(first.Out, again.Out);
        Assert.Equal(files["judged.csv"], File.ReadAllText(_folder.File("run", "judged.csv")));
    }

    [Fact]
    public void The_folder_of_an_experiment_keeps_its_own_tables()
    {
        File.Copy(Samples, _folder.File("samples.csv"));
        File.WriteAllText(_folder.File("resolved.yaml"), "version: 1\n");
        File.WriteAllText(_folder.File("aggregate.csv"), "theirs\n");
        ToolRun.Of("judge", _folder.Path, "--judge", "storyworld", "--subject", "wedding").Ok();
        Assert.Equal("theirs\n", File.ReadAllText(_folder.File("aggregate.csv")));
        Assert.Equal(25, File.ReadAllLines(_folder.File("judged", "judged.csv")).Length);
    }

    [Fact]
    public void Descriptions_are_compared()
    {
        using var server = new MisbehavingServer((heard, _) => Deed.Say($"{{\"similarity\": {(heard.Last.Contains("boats", StringComparison.Ordinal) ? 3 : 1)}}}"));
        File.WriteAllText(_folder.File("map.csv"), "source,target,similarity,a,b\n1,2,0.9,boats,ships\n2,3,0.5,law,\n3,3,0.1,law,rain\n");
        var run = ToolRun.Of("judge", _folder.File("map.csv"), "--compare", "a,b", "--judge-url", server.Url, "--judge-model", "m", "--json").Ok();
        Assert.Equal(2, (double)JsonNode.Parse(run.Out)![0]!["similarity"]!);
        Assert.Equal(["source,target,similarity,a,b,judged_similarity,forward,backward,judge,problem", "1,2,0.9,boats,ships,3,3,3,m,", "3,3,0.1,law,rain,1,1,1,m,"], File.ReadAllLines(_folder.File("judged.csv")));
        Assert.Equal(4, server.Requests.Count);
    }

    [Fact]
    public void Refusals()
    {
        Assert.Equal(2, ToolRun.Of("judge", Samples, "--judge", "lexicon", "--words", "sea", "--out", _folder.Path).Code);
        Assert.Equal(2, ToolRun.Of("judge", Samples, "--level", "95", "--out", _folder.Path).Code);
        Assert.Equal(2, ToolRun.Of("judge", Samples, "--judge", "lexicon", "--subject", "physics", "--out", _folder.Path).Code);
        Assert.Equal(3, ToolRun.Of("judge", _folder.Path).Code);
        using var server = new MisbehavingServer(Deed.Say("never"));
        var run = ToolRun.Of("judge", Samples, "--judge-url", server.Url, "--judge-model", "m", "--out", _folder.Path);
        Assert.Equal(4, run.Code);
        Assert.Contains("FF6030", run.Error);
        Assert.Contains("words around", File.ReadAllText(_folder.File("judged.csv")));
    }
}
