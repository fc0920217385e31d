using FeatureFlow.Models;
using FeatureFlow.Models.Tokenizers;
using FeatureFlow.Saes;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Training;

/// <summary>kind: sae-training on a small random model with a tokenizer made here.</summary>
public sealed class SaeTrainingTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public SaeTrainingTests()
    {
        Directory.CreateDirectory(_folder.File("model"));
        foreach (var name in new[] { "config.json", "model.safetensors" }) File.Copy(Repository.Fixture("models", "llama31-headdim-tied", name), _folder.File("model", name));
        var prng = new Prng(1);
        string[] words = ["wind", "sea", "ship", "sail", "storm", "calm", "harbour", "the", "a", "goes", "comes"];
        var text = string.Join("\n\n", Enumerable.Range(0, 60).Select(_ => string.Join(' ', Enumerable.Range(0, 40).Select(_ => words[prng.Next(words.Length)]))));
        File.WriteAllText(_folder.File("texts.txt"), text);
        var trainer = new BpeTrainer();
        trainer.Add(text);
        trainer.Train(300).Save(_folder.File("model"), 512);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void It_trains_writes_a_pack_and_measures()
    {
        var report = Run("out");
        Assert.Equal(3, report.Units);
        Assert.Equal(["metrics.csv", "pack.yaml"], report.Files.TakeLast(2));
        var pack = PackFile.Load(_folder.File("out"));
        Assert.Equal(["0/Res", "1/Res", "1/Mlp"], pack.Saes.Select(s => $"{s.Layer}/{s.Site}"));
        Assert.Equal(_folder.File("model"), pack.Model);
        foreach (var place in pack.Saes)
        {
            using var sae = Sae.Open(place.Path, place.Site, place.Layer);
            Assert.Equal((32, place.Site == Site.Mlp ? SaeArchitecture.TopK : SaeArchitecture.JumpRelu), (sae.Info.FeatureCount, sae.Info.Architecture));
        }

        var rows = File.ReadAllLines(_folder.File("out", "metrics.csv"));
        Assert.Equal("layer,site,mean_l0,explained_variance,delta_ce,dead_share,base_ce,explained_variance_uncentred,mean_squared_error,features,kind,trained_l0,tokens,path", rows[0]);
        Assert.Equal(["0", "res"], rows[1].Split(',')[..2]);
        Assert.All(rows[1..], r => Assert.True(double.TryParse(r.Split(',')[4], System.Globalization.CultureInfo.InvariantCulture, out _)));
        Assert.Empty(Directory.GetFiles(_folder.File("out"), "checkpoint-*"));
        Assert.Equal(0, Run("out").Computed);
    }

    [Fact]
    public void Stopped_and_taken_up_it_ends_the_same()
    {
        Run("whole");
        using (var cancel = new CancellationTokenSource())
        {
            // the buffer is full and training begins: Stop is honoured at the next step
            Assert.Throws<OperationCanceledException>(() => Run("stopped", cancel: cancel, stop: cancel.Cancel));
        }

        Assert.Single(Directory.GetFiles(_folder.File("stopped"), "checkpoint-*"));
        Run("stopped");
        Same("whole", "stopped");
    }

    [Fact]
    public void Shares_in_one_folder_give_the_whole()
    {
        Run("whole");
        for (var i = 0; i < 2; i++) ExperimentRunner.Run(Load(), new RunOptions { Output = _folder.File("shares"), Shard = Shard.Parse($"{i}/2") });
        ExperimentRunner.Merge([_folder.File("shares")], null, []);
        Same("whole", "shares");
    }

    [Theory]
    [InlineData("saes: {site: res, features: 8, kind: topk}", "'l0' is missing")]
    [InlineData("saes: {site: res, layers: 0-1, features: 8, l0: [1, 2, 3]}", "3 numbers for 2 layers")]
    [InlineData("saes: {site: res, layers: 7, features: 8}", "no layer 7;")]
    [InlineData("saes: [{site: res, layers: 0, features: 8}, {site: res, layers: 0, features: 8}]", "is there twice")]
    public void What_makes_no_sense_is_told_where(string saes, string says)
    {
        File.WriteAllText(_folder.File("e.yaml"), $"version: 1\nkind: sae-training\nmodel: model\ntexts: texts.txt\nsteps: 3\n{saes}\n");
        var e = Assert.Throws<FeatureFlowException>(() => ExperimentRunner.Run(ExperimentFile.Load(_folder.File("e.yaml")), new RunOptions { Output = _folder.File("out") }));
        Assert.Contains(says, e.Message, StringComparison.Ordinal);
        Assert.Equal(("FF5004", 6), (e.Code, e.Line));
        Assert.False(Directory.Exists(_folder.File("out")));
    }

    private ExperimentFile Load()
    {
        File.WriteAllText(_folder.File("e.yaml"), """
            version: 1
            kind: sae-training
            model: model
            texts: {path: texts.txt, separator: "\n\n"}
            held_out: 0.2
            saes:
              - {site: res, layers: 0-1, features: 32, l0: [6, 8]}
              - {site: mlp, layers: 1, features: 32, kind: topk, l0: 5}
            steps: 30
            batch: 64
            buffer: 512
            """);
        return ExperimentFile.Load(_folder.File("e.yaml"));
    }

    private RunReport Run(string output, CancellationTokenSource? cancel = null, Action? stop = null) =>
        ExperimentRunner.Run(Load(), new RunOptions { Output = _folder.File(output) }, stop is null ? null : new Stop(stop), cancel?.Token ?? default);

    private void Same(string one, string other)
    {
        string[] Files(string folder) => [.. Directory.GetFiles(_folder.File(folder), "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(_folder.File(folder), f)).Where(f => f != "manifest.json").Order(StringComparer.Ordinal)];
        Assert.Equal(Files(one), Files(other));
        foreach (var file in Files(one)) Assert.True(File.ReadAllBytes(_folder.File(one, file)).AsSpan().SequenceEqual(File.ReadAllBytes(_folder.File(other, file))), file);
    }

    private sealed class Stop(Action stop) : IProgress<Flow.FlowProgress>
    {
        public void Report(Flow.FlowProgress value)
        {
            if (value.Stage.StartsWith("step", StringComparison.Ordinal)) stop();
        }
    }
}
