using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Steering;

/// <summary>Sweeps: the tables they leave, whole, interrupted and in shares.</summary>
public sealed class SteeringSweepTests : IDisposable
{
    private static readonly string[] Tables = ["samples.csv", "plans.csv", "aggregate.csv", "best.csv", "comparisons.csv", "report.html", "figures/sea-best-per-layer.svg", "figures/sea-coefficients.svg", "figures/sea-best-per-coefficient.svg", "figures/wedding-layer-coefficient.svg"];
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static string Yaml(string more = "subjects: [sea, 'wedding: people marry']\njudge: {kind: storyworld}") => $"""
        version: 1
        kind: steering
        pack: {Repository.Example("storyworld").Replace('\\', '/')}
        features: 5/res/108
        coefficients: [4, 30]
        layers: 4-5
        modes: [single, cumulative, span, budget]
        schedules: [constant, linear]
        prompts: ['At the wedding,', 'Once']
        samples: 2
        max_tokens: 5
        {more}
        """;

    [Fact]
    public void Every_plan_prompt_sample_and_subject_has_its_row()
    {
        var report = Run("whole");

        // unsteered; single 2 layers x 2; cumulative and budget 2 schedules x 2 layers x 2; span 2 schedules x 2
        Assert.Equal(1 + 4 + 8 + 8 + 4, report.Units);
        var lines = File.ReadAllLines(_folder.File("whole", "samples.csv"));
        Assert.Equal(1 + 25 * 2 * 2 * 2, lines.Length);
        Assert.StartsWith("plan,method,mode,schedule,layer,coefficient,prompt,sample,seed,perturbation_norm,kl,perplexity,", lines[0], StringComparison.Ordinal);
        Assert.All(Tables, t => Assert.True(new FileInfo(_folder.File("whole", t)).Length > 200, t));
        Assert.Equal(lines.Length - 1, File.ReadAllLines(_folder.File("whole", "samples.csv")).Skip(1).Distinct().Count());

        // Fig. 16 has a bar for every way and layer; Fig. 9 a panel for every coefficient
        var bars = System.Xml.Linq.XDocument.Load(_folder.File("whole", "figures", "sea-best-per-layer.svg")).Descendants().Where(e => e.Name.LocalName == "title").Count(t => t.Value.Contains("coefficient ", StringComparison.Ordinal));
        Assert.Equal(File.ReadLines(_folder.File("whole", "best.csv")).Count(l => l.Contains(",sea,", StringComparison.Ordinal) && !l.StartsWith("unsteered", StringComparison.Ordinal)), bars);
        var panels = File.ReadAllText(_folder.File("whole", "figures", "sea-coefficients.svg"));
        Assert.All(new[] { 4, 30 }, c => Assert.Contains($">coefficient {c}<", panels, StringComparison.Ordinal));

        // the flow graph, coloured by what the best plan of each mode does: the single one at one node, others at more
        var page = File.ReadAllText(_folder.File("whole", "report.html"));
        var pictures = page.Split("Where the plan ")[1..].Select(p => p[..p.IndexOf("</svg>", StringComparison.Ordinal)]).ToList();
        Assert.Equal(2 * 4, pictures.Count); // subjects and modes
        Assert.Equal(["single", "cumulative", "span", "budget"], pictures.Take(4).Select(p => p.Split('-')[0]));
        Assert.Equal(1, pictures[0].Split("class=\"m q").Length - 1);
        Assert.All(pictures[1..4], p => Assert.True(p.Split("class=\"m q").Length > 2 && p.Contains(" off\"", StringComparison.Ordinal)));
    }

    [Fact]
    public void Interrupted_and_in_shares_the_tables_are_the_same()
    {
        Run("whole");
        var whole = Tables.Select(t => File.ReadAllText(_folder.File("whole", t))).ToList();

        using var cancel = new CancellationTokenSource();
        var units = _folder.File("stopped", "units");
        var watch = new Progress(() =>
        {
            if (Directory.Exists(units) && Directory.GetFiles(units).Length >= 7) cancel.Cancel();
        });
        Assert.ThrowsAny<OperationCanceledException>(() => ExperimentRunner.Run(Load(), new RunOptions { Output = _folder.File("stopped") }, watch, cancel.Token));
        Assert.True(Run("stopped").Computed < 25);
        Assert.Equal(whole, Tables.Select(t => File.ReadAllText(_folder.File("stopped", t))));

        for (var i = 0; i < 3; i++) ExperimentRunner.Run(Load(), new RunOptions { Output = _folder.File($"share{i}"), Shard = new Shard(i, 3) });
        ExperimentRunner.Merge([.. Enumerable.Range(0, 3).Select(i => _folder.File($"share{i}"))], _folder.File("merged"), []);
        Assert.Equal(whole, Tables.Select(t => File.ReadAllText(_folder.File("merged", t))));
    }

    [Fact]
    public void Resolved_settings_run_to_the_same_tables()
    {
        Run("whole");
        ExperimentRunner.Run(ExperimentFile.Load(_folder.File("whole", "resolved.yaml")), new RunOptions { Output = _folder.File("again") });
        Assert.All(Tables, t => Assert.Equal(File.ReadAllText(_folder.File("whole", t)), File.ReadAllText(_folder.File("again", t))));
    }

    [Theory]
    [InlineData("lineage: {features: [5/res/108]}", "FF5004")]
    [InlineData("aim: remove", "FF5004")]
    [InlineData("", "FF5004", "features: 5/res/108", "lineage: {features: [5/res/108], edges: ['4/res/77 5/res/108 0.8']}")] // the later feature comes first
    [InlineData("antagonists: 5/res/108", "FF4041")]
    [InlineData("subjects: dragons\njudge: {kind: storyworld}", "FF5201")]
    public void What_is_wrong_is_said(string more, string code, string old = "?", string wrong = "?")
    {
        var error = Assert.Throws<FeatureFlowException>(() => ExperimentRunner.Run(ExperimentFile.Parse(Yaml(more).Replace(old, wrong, StringComparison.Ordinal), _folder.File("e.yaml")), new RunOptions { Output = _folder.File("bad") }));
        Assert.Equal(code, error.Code);
    }

    private ExperimentFile Load() => ExperimentFile.Parse(Yaml(), _folder.File("e.yaml"));

    private RunReport Run(string folder) => ExperimentRunner.Run(Load(), new RunOptions { Output = _folder.File(folder) });

    private sealed class Progress(Action seen) : IProgress<Flow.FlowProgress>
    {
        public void Report(Flow.FlowProgress value) => seen();
    }
}
