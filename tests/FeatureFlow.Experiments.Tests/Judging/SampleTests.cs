using FeatureFlow.Experiments.Judging;
using FeatureFlow.Flow;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Judging;

/// <summary>Tables of samples in, tables of scores and of means out.</summary>
public sealed class SampleTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Scores_stand_beside_whatever_the_table_held()
    {
        var table = Table("run;TEXT;aim;layer;note\nr1;The anchor held.;activation;3;a,b\nr1;The soup held.;deactivate;3;\nr1;The tide held.;;04;\n");
        var judged = await new SampleJudging([new Subject("sea"), new Subject("law")]).Run(table, new Made());
        Assert.Equal(["run", "TEXT", "layer", "note"], judged.Names);
        var rows = Lines(judged.Columns(), judged.Samples);
        Assert.Equal("run,TEXT,layer,note,subject,aim,coherence,behavioral,total,judge,problem", rows[0]);
        Assert.Equal("r1,The anchor held.,3,\"a,b\",sea,activate,5,3,0.6,made up,", rows[1]); // 3/5 · 5/5
        Assert.Equal("r1,The anchor held.,3,\"a,b\",law,activate,5,0,0,made up,", rows[2]);
        Assert.Equal("r1,The soup held.,3,,sea,deactivate,,,,made up,too hot", rows[3]);
        Assert.Equal("r1,The tide held.,04,,sea,,5,3,,made up,", rows[5]); // 04 is a text: it stays as it is written
        Assert.Equal(2, judged.Unjudged);

        // judged again, as it came out
        var file = _folder.File("again.csv");
        judged.Columns().Write(file, judged.Samples);
        var again = await new SampleJudging([]).Run(SampleTable.Read(file), new Made());
        Assert.Equal(rows, Lines(again.Columns(), again.Samples));

        // and for another subject: each text once, though it has a row for each subject there
        var other = await new SampleJudging([new Subject("war")]).Run(SampleTable.Read(file), new Made());
        Assert.Equal(["war", "war", "war"], other.Samples.Select(s => s.Subject));
    }

    [Fact]
    public async Task Means_of_every_setting_with_intervals()
    {
        var table = Table("plan,layer,coefficient,text,subject,aim\n" + string.Concat(Enumerable.Range(0, 12).Select(i => $"p,{i / 6},2.5,{(i == 4 ? "soup" : new string('x', i % 6))},sea,activate\n")));
        var judged = await new SampleJudging([]).Run(table, new Made());
        var aggregate = AggregateTable.Of(judged, null, new Bootstrap(Resamples: 500));
        Assert.Equal(["plan", "layer", "coefficient", "subject", "aim"], aggregate.Names);
        var lines = Lines(aggregate.Columns(), aggregate.Rows);
        Assert.StartsWith("plan,layer,coefficient,subject,aim,samples,judged,coherence,coherence_low,coherence_high,behavioral,behavioral_low,behavioral_high,total,total_low,total_high", lines[0]);
        Assert.Equal(3, lines.Length);
        var first = aggregate.Rows[0];
        Assert.Equal((6, 5), (first.Count, first.Behavioral.Count)); // the soup has no scores and is left out of the means
        Assert.Equal((0 + 1 + 2 + 3 + 5) / 5.0, first.Behavioral.Value, 1e-12);
        Assert.Equal(new Bootstrap(Resamples: 500).Mean([0, 1, 2, 3, 5]), first.Behavioral);
        Assert.Equal(first.Behavioral.Value / 5, first.Total.Value, 1e-12);
        Assert.Equal(new Interval(5, 5, 5, 5), first.Coherence);

        Assert.Equal(["p"], AggregateTable.Of(judged, ["plan"]).Rows.Single().Values);
        Assert.Empty(AggregateTable.Of(judged, []).Rows.Single().Values);
        Assert.Equal("FF5331", Assert.Throws<FeatureFlowException>(() => AggregateTable.Of(judged, ["lair"])).Code);
    }

    [Theory]
    [InlineData("FF5330", null)]
    [InlineData("FF5023", "")]
    [InlineData("FF5334", "text,subject\n")]
    [InlineData("FF5023", "text,subject\na\n")]
    [InlineData("FF5331", "texts,subject\na,b\n")]
    [InlineData("FF5331", "text,theme\na,b\n")]
    [InlineData("FF5332", "text,subject\na,sea\nb,\n")]
    [InlineData("FF5333", "text,subject,direction\na,sea,upwards\n")]
    public async Task Tables_that_cannot_be_judged(string code, string? csv)
    {
        var error = await Assert.ThrowsAsync<FeatureFlowException>(() => new SampleJudging([]).Run(csv is null ? SampleTable.Read(_folder.Path) : Table(csv), new Made()));
        Assert.Equal(code, error.Code);
        Assert.Equal(FailureKind.Input, error.Kind);
    }

    [Fact]
    public async Task Pairs_of_descriptions_and_their_shares()
    {
        var table = Table("layer,index,description,target\n1,7,boats,ships\n1,8,boats,boats\n2,9,boats,law\n2,10,,law\n");
        var pairs = await PairTable.Judge(table, "description", "target", new Made());
        Assert.Equal(["layer,index,description,target,judged_similarity,forward,backward,judge,problem", "1,7,boats,ships,2.5,3,2,made up,", "1,8,boats,boats,3,3,3,made up,", "2,9,boats,law,1,1,1,made up,"], Lines(pairs.Columns(), pairs.Pairs));
        var (rows, columns) = pairs.Aggregate(["layer"], new Bootstrap());
        Assert.Equal("layer,pairs,judged,similarity,similarity_low,similarity_high,same,same_low,same_high,different,steady", Lines(columns, rows)[0]);
        Assert.Equal((2.75, 0.5, 0, 0.5), (rows[0].Similarity.Value, rows[0].Same.Value, rows[0].Different.Value, rows[0].Steady.Value));
        Assert.Equal((1, 0, 1), (rows[1].Similarity.Value, rows[1].Same.Value, rows[1].Different.Value));
        Assert.Equal("FF5331", (await Assert.ThrowsAsync<FeatureFlowException>(() => PairTable.Judge(table, "description", "to", new Made()))).Code);
    }

    [Fact]
    public void Which_judge_is_meant()
    {
        static string Name(JudgeSettings settings, params string[] subjects)
        {
            using var opened = Judges.Open(settings, subjects, null);
            return opened.Judge.Name;
        }

        Assert.Equal("storyworld grammar", Name(new JudgeSettings(), "sea", "wedding"));
        Assert.Equal("lexicon", Name(new JudgeSettings { Kind = JudgeKind.Lexicon }, "sea"));
        Assert.Equal("lexicon", Name(new JudgeSettings { Words = new Dictionary<string, IReadOnlyList<string>> { ["physics"] = ["quark"] } }, "physics", "sea"));
        Assert.Equal("lexicon + perplexity", Name(new JudgeSettings { Kind = JudgeKind.Lexicon, CoherenceModel = Repository.Example("storyworld", "model") }, "sea"));
        Assert.Equal("llama", Name(new JudgeSettings { Url = "http://127.0.0.1:9/v1", Model = "llama" }, "sea"));
        Assert.Equal("FF5311", Assert.Throws<FeatureFlowException>(() => Name(new JudgeSettings(), "sea", "physics")).Code);
        Assert.Equal("FF5320", Assert.Throws<FeatureFlowException>(() => Name(new JudgeSettings { Kind = JudgeKind.Lexicon }, "physics")).Code);
    }

    [Fact]
    public void A_judge_in_yaml()
    {
        var file = _folder.File("judge.yaml");
        File.WriteAllText(file, "kind: openai\nurl: http://localhost:8000/v1\nmodel: qwen\nkey_file: secret/key\nconcurrency: 3\ntimeout: 2.5\nwords:\n  sea: [ship, sail*]\ncoherence_model: some/model\n");
        var settings = JudgeFile.Load(file);
        Assert.Equal((JudgeKind.OpenAi, "http://localhost:8000/v1", "qwen", 3, TimeSpan.FromSeconds(2.5), 8, "some/model"), (settings.Kind, settings.Url, settings.Model, settings.Concurrency, settings.Timeout, settings.Attempts, settings.CoherenceModel));
        Assert.Equal(_folder.File("secret/key"), settings.KeyFile);
        Assert.Equal(["ship", "sail*"], settings.Words["sea"]);
        File.WriteAllText(file, "key: sk-123\n");
        var error = Assert.Throws<FeatureFlowException>(() => JudgeFile.Load(file));
        Assert.Equal("FF5002", error.Code);
        Assert.DoesNotContain("sk-123", error.Message);
    }

    private SampleTable Table(string csv)
    {
        File.WriteAllText(_folder.File("samples.csv"), csv);
        return SampleTable.Read(_folder.Path);
    }

    private static string[] Lines<T>(TableColumns<T> columns, IEnumerable<T> rows)
    {
        using var text = new StringWriter();
        columns.Write(text, rows);
        return text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>Coherence 5 always; of the sea the number of x, or 3; no opinion on soup.</summary>
    private sealed class Made : IJudge
    {
        public string Name => "made up";

        public Task<IReadOnlyList<TextAnswer>> ScoreAsync(IReadOnlyList<TextQuestion> texts, IProgress<double>? progress = null, CancellationToken cancel = default) =>
            Task.FromResult<IReadOnlyList<TextAnswer>>([.. texts.Select(t => t.Text.Contains("soup", StringComparison.Ordinal)
                ? TextAnswer.None(t.Subjects.Count, "too hot")
                : new TextAnswer(5, [.. t.Subjects.Select(s => (double?)(s.Name != "sea" ? 0 : t.Text.Trim('x').Length == 0 ? t.Text.Length : 3))]))]);

        public Task<IReadOnlyList<PairAnswer>> CompareAsync(IReadOnlyList<PairQuestion> pairs, IProgress<double>? progress = null, CancellationToken cancel = default) =>
            Task.FromResult<IReadOnlyList<PairAnswer>>([.. pairs.Select(p => p.First == p.Second ? new PairAnswer(3, 3, 3) : p.Second == "ships" ? new PairAnswer(2.5, 3, 2) : new PairAnswer(1, 1, 1))]);
    }
}
