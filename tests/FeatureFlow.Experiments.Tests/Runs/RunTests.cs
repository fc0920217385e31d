using System.Text.Json;
using FeatureFlow.Flow;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Runs;

public sealed class RunTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static string Yaml(string more = "") => $$"""
        version: 1
        kind: flow-graph
        pack: {{Repository.Example("stories260k").Replace('\\', '/')}}
        seeds: {layers: 3-4, count: 3, seed: 7}
        direction: both
        predecessors: 2
        classes: true
        formats: [html, json, csv, svg, dot, mmd, graphml, attribution]
        {{more}}
        """;

    [Fact]
    public void The_example_of_the_repository_runs()
    {
        var report = Run(ExperimentFile.Load(Repository.Example("flow-graph.yaml")), "out");
        Assert.Equal(6, report.Units); // five seeds and the classes
        Assert.Equal(6, report.Computed);
        Assert.Equal(["summary.csv", "predecessors.csv", "classes.csv", "report.html", "graphs.json", "edges.csv"], report.Files.Take(6));
        Assert.All(report.Files, f => Assert.True(new FileInfo(_folder.File(["out", .. f.Split('/')])).Length > 0));
        Assert.Equal(5, GraphJson.ReadAll(_folder.File("out", "graphs.json")).Count);
    }

    [Fact]
    public void Classes_are_those_of_the_reference()
    {
        Run(Load(Yaml("thresholds: {res: 0.5, mlp: 0.5, att: 0.5}")), "out");
        Assert.Equal(File.ReadAllText(Repository.Fixture("golden", "stories260k", "classes.csv")).ReplaceLineEndings("\n"), File.ReadAllText(_folder.File("out", "classes.csv")));
    }

    [Fact]
    public void A_second_run_computes_nothing_and_changes_nothing()
    {
        Run(Load(Yaml()), "out");
        var before = Contents("out");
        Assert.Equal(0, Run(Load(Yaml()), "out").Computed);
        Assert.Equal(before, Contents("out"));
    }

    [Fact]
    public void A_run_stopped_after_any_unit_goes_on_to_the_same_results()
    {
        Run(Load(Yaml()), "whole");
        var whole = Contents("whole");
        for (var stop = 1; stop <= 3; stop++)
        {
            using var cancel = new CancellationTokenSource();
            var seen = 0;
            var folder = $"stopped{stop}";
            var units = _folder.File(folder, "units");
            var watch = new Watch(() =>
            {
                if (Directory.Exists(units)) seen = Directory.GetFiles(units).Length;
                if (seen >= stop) cancel.Cancel();
            });
            try
            {
                ExperimentRunner.Run(Load(Yaml()), new RunOptions { Output = _folder.File(folder) }, watch, cancel.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.False(File.Exists(_folder.File(folder, "manifest.json")));
            }

            Run(Load(Yaml()), folder);
            Assert.Equal(whole, Contents(folder));
        }
    }

    [Fact]
    public void Damaged_and_unfinished_files_are_made_again()
    {
        Run(Load(Yaml()), "out");
        var before = Contents("out");
        var units = Directory.GetFiles(_folder.File("out", "units"));
        File.WriteAllText(units[0], File.ReadAllText(units[0])[..20]);
        File.Delete(units[1]);
        File.WriteAllText(_folder.File("out", "units", ".x.tmp"), "half");
        Assert.Equal(2, Run(Load(Yaml()), "out").Computed);
        File.Delete(_folder.File("out", "units", ".x.tmp"));
        Assert.Equal(before, Contents("out"));
    }

    [Theory]
    [InlineData(".resolved.yaml.0123.tmp")]
    [InlineData("resolved.yaml")]
    [InlineData("resolved.yaml", "inputs.json")]
    [InlineData("resolved.yaml", "inputs.json", "summary.csv")]
    public void Whatever_a_kill_leaves_a_rerun_goes_on(params string[] left)
    {
        Run(Load(Yaml()), "whole");
        Directory.CreateDirectory(_folder.File("killed"));
        foreach (var file in left)
        {
            if (file.EndsWith(".tmp", StringComparison.Ordinal)) File.WriteAllText(_folder.File("killed", file), "half");
            else File.Copy(_folder.File("whole", file), _folder.File("killed", file));
        }

        Run(Load(Yaml()), "killed");
        Assert.Equal(Contents("whole"), Contents("killed").Where(f => !f.Key.EndsWith(".tmp", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_another_build_began_is_computed_anew_and_said(bool named)
    {
        Run(Load(Yaml()), "whole");
        Run(Load(Yaml()), "old");

        // as another build, or one that wrote no builds yet, would have left it
        var inputs = _folder.File("old", "inputs.json");
        var text = File.ReadAllText(inputs);
        var other = System.Text.RegularExpressions.Regex.Replace(text, "(\"featureflow\": \")[^\"]*", "${1}0.0.9");
        Assert.NotEqual(text, other);
        File.WriteAllText(inputs, named ? other : "{}");
        foreach (var unit in Directory.GetFiles(_folder.File("old", "units")))
            File.WriteAllText(unit, System.Text.RegularExpressions.Regex.Replace(File.ReadAllText(unit), "\"inputs\":\"[0-9a-f]+\"", "\"inputs\":\"" + new string('0', 64) + "\""));
        File.Delete(_folder.File("old", "manifest.json"));
        File.Delete(Directory.GetFiles(_folder.File("old", "units"))[0]);

        var report = Run(Load(Yaml()), "old");
        Assert.Equal(report.Units, report.Computed);
        Assert.Contains(report.Notes, n => n.Contains(named ? "another build of FeatureFlow (0.0.9;" : "another build of FeatureFlow (an older one", StringComparison.Ordinal));
        Assert.Equal(Contents("whole"), Contents("old"));
        Assert.DoesNotContain(Run(Load(Yaml()), "old").Notes, n => n.Contains("another build", StringComparison.Ordinal));

        // shares of two builds are not joined
        File.WriteAllText(inputs, other);
        Assert.Equal("FF5033", Assert.Throws<FeatureFlowException>(() => ExperimentRunner.Merge([_folder.File("whole"), _folder.File("old")], _folder.File("merged"), [])).Code);
    }

    [Theory]
    [InlineData(2, false)]
    [InlineData(3, true)]
    public void Shares_merge_to_the_same_results(int count, bool oneFolder)
    {
        Run(Load(Yaml()), "whole");
        var folders = new List<string>();
        for (var i = 0; i < count; i++)
        {
            var name = oneFolder ? "shared" : $"share{i}";
            folders.Add(_folder.File(name));
            var report = ExperimentRunner.Run(Load(Yaml()), new RunOptions { Output = _folder.File(name), Shard = new Shard(i, count) });
            Assert.Empty(report.Files);
            Assert.Equal($"{i}/{count}", report.Shard);
            if (i < count - 1) Assert.Equal("FF5032", Assert.Throws<FeatureFlowException>(() => ExperimentRunner.Merge([.. folders.Distinct()], null, [])).Code);
        }

        ExperimentRunner.Merge([.. folders.Distinct()], _folder.File("merged"), []);
        Assert.Equal(Contents("whole").Where(f => !f.Key.StartsWith("units", StringComparison.Ordinal)), Contents("merged"));
    }

    [Fact]
    public void Shares_of_different_runs_are_refused()
    {
        ExperimentRunner.Run(Load(Yaml()), new RunOptions { Output = _folder.File("a"), Shard = new Shard(0, 2) });
        ExperimentRunner.Run(Load(Yaml("top: 2")), new RunOptions { Output = _folder.File("b"), Shard = new Shard(1, 2) });
        Assert.Equal("FF5033", Assert.Throws<FeatureFlowException>(() => ExperimentRunner.Merge([_folder.File("a"), _folder.File("b")], null, [])).Code);
        Assert.Equal("FF5033", Assert.Throws<FeatureFlowException>(() => ExperimentRunner.Merge([_folder.File("nothing")], null, [])).Code);
    }

    [Fact]
    public void A_folder_of_something_else_is_refused_unless_forced()
    {
        Run(Load(Yaml()), "out");
        var e = Assert.Throws<FeatureFlowException>(() => Run(Load(Yaml("top: 3")), "out"));
        Assert.Equal("FF5030", e.Code);
        Assert.Contains("'top: 3' now", e.Message, StringComparison.Ordinal);
        Assert.Equal(7, ExperimentRunner.Run(Load(Yaml("top: 3")), new RunOptions { Output = _folder.File("out"), Force = true }).Computed);

        Directory.CreateDirectory(_folder.File("mine"));
        File.WriteAllText(_folder.File("mine", "notes.txt"), "x");
        Assert.Equal("FF5030", Assert.Throws<FeatureFlowException>(() => Run(Load(Yaml()), "mine")).Code);
        Assert.Equal("x", File.ReadAllText(_folder.File("mine", "notes.txt")));
    }

    [Fact]
    public void The_resolved_settings_are_an_experiment_with_the_same_results()
    {
        Run(Load(Yaml()), "out");
        var again = ExperimentFile.Load(_folder.File("out", "resolved.yaml"));
        ExperimentRunner.Run(again, new RunOptions { Output = _folder.File("again") });
        Assert.Equal(Results("out"), Results("again"));
    }

    [Fact]
    public void The_manifest_names_every_result_with_its_hash()
    {
        var report = Run(Load(Yaml()), "out");
        using var manifest = JsonDocument.Parse(File.ReadAllBytes(_folder.File("out", "manifest.json")));
        var outputs = manifest.RootElement.GetProperty("outputs").EnumerateArray().ToDictionary(o => o.GetProperty("file").GetString()!, o => o.GetProperty("sha256").GetString());
        Assert.Equal([.. report.Files.Prepend("resolved.yaml").Order(StringComparer.Ordinal)], outputs.Keys.Order(StringComparer.Ordinal));
        foreach (var (file, hash) in outputs) Assert.Equal(hash, Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(_folder.File(["out", .. file.Split('/')])))));
        Assert.DoesNotContain(_folder.Path, manifest.RootElement.GetRawText(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("version: 1\n", "FF5003", 1, 1, "'kind' is missing: one of flow-graph")]
    [InlineData("version: 1\nkind: flow-grph\n", "FF5004", 2, 7, "did you mean 'flow-graph'")]
    [InlineData("version: 1\nkind: flow-graph\npack: x\nseeds: [4/rez/1]\n", "FF5004", 4, 9, "a feature, as in")]
    [InlineData("version: 1\nkind: flow-graph\npack: x\nseeds: {layer: 3}\n", "FF5002", 4, 9, "did you mean 'layers'")]
    public void Wrong_experiments_are_told_where(string yaml, string code, int line, int column, string says)
    {
        var e = Assert.Throws<FeatureFlowException>(() => Load(yaml));
        Assert.Contains(says, e.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Equal((code, line, column), (e.Code, e.Line, e.Column));
    }

    [Fact]
    public void A_missing_pack_and_a_missing_feature_are_told()
    {
        var missing = Assert.Throws<FeatureFlowException>(() => Run(Load("version: 1\nkind: flow-graph\npack: nowhere\nseeds: 4/res/1\n"), "out"));
        Assert.Equal(("FF5004", 3, 7), (missing.Code, missing.Line, missing.Column));
        var e = Assert.Throws<FeatureFlowException>(() => Run(Load(Yaml().Replace("{layers: 3-4, count: 3, seed: 7}", "4/res/9999", StringComparison.Ordinal)), "out"));
        Assert.Equal("FF4002", e.Code);
        Assert.False(Directory.Exists(_folder.File("out")));
    }

    [Theory]
    [InlineData("0/4", 0, 4)]
    [InlineData("3/4", 3, 4)]
    public void Shards_are_read(string text, int index, int count) => Assert.Equal(new Shard(index, count), Shard.Parse(text));

    [Theory]
    [InlineData("4/4")]
    [InlineData("-1/4")]
    [InlineData("1")]
    [InlineData("1/0")]
    [InlineData("a/b")]
    public void Wrong_shards_are_told(string text) => Assert.Equal("FF5031", Assert.Throws<FeatureFlowException>(() => Shard.Parse(text)).Code);

    private RunReport Run(ExperimentFile file, string folder) => ExperimentRunner.Run(file, new RunOptions { Output = _folder.File(folder) });

    private ExperimentFile Load(string yaml)
    {
        File.WriteAllText(_folder.File("experiment.yaml"), yaml);
        return ExperimentFile.Load(_folder.File("experiment.yaml"));
    }

    // everything but the manifest, which has times, by relative name
    private SortedDictionary<string, string> Contents(string folder) => new(
        Directory.EnumerateFiles(_folder.File(folder), "*", SearchOption.AllDirectories)
            .Where(f => Path.GetFileName(f) != "manifest.json")
            .ToDictionary(f => Path.GetRelativePath(_folder.File(folder), f).Replace('\\', '/'), File.ReadAllText), StringComparer.Ordinal);

    private IEnumerable<KeyValuePair<string, string>> Results(string folder) => Contents(folder).Where(f => !f.Key.StartsWith("units", StringComparison.Ordinal) && f.Key != "resolved.yaml");

    private sealed class Watch(Action look) : IProgress<FlowProgress>
    {
        public void Report(FlowProgress value) => look();
    }
}
