using System.Diagnostics;
using System.Text.Json;
using FeatureFlow.Models;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Tools.Tests;

/// <summary><c>featureflow activations</c> and <c>featureflow generate</c>.</summary>
public sealed class ModelCommandTests : IDisposable
{
    private static readonly string Model = Repository.Fixture("models", "gemma2-window");

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Activations_are_those_of_the_fixture()
    {
        var expectedPath = Path.Combine(Model, "expected.safetensors");
        var run = ToolRun.Of("activations", "--model", Model, "--ids-file", expectedPath, "--tensor", "input_ids", "--sites", "res,mlp,att", "att_z", "res_pre,logits", "--layers", "0,2-3", "--out", _folder.File("a.safetensors")).Ok();
        Assert.Equal($"{_folder.File("a.safetensors")}: 16 tensors of [2,24,d]\n", run.Out);
        using SafetensorsFile found = SafetensorsFile.Open(_folder.File("a.safetensors")), expected = SafetensorsFile.Open(expectedPath);
        Assert.Equal(16, found.Entries.Count);
        Assert.Equal(["a.safetensors"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName));
        foreach (var (name, other) in new[] { ("res.0", "resid_post.0"), ("mlp.2", "mlp_out.2"), ("att.3", "attn_out.3"), ("att_z.0", "attn_z.0"), ("res_pre.3", "resid_pre.3"), ("logits", "logits") })
        {
            Assert.Equal(expected.Entry(other).Shape, found.Entry(name).Shape);
            float[] a = found.Get(name).AsSpan<float>().ToArray(), e = expected.Get(other).AsSpan<float>().ToArray();
            Assert.True(a.Zip(e, (x, y) => Math.Abs(x - y)).Max() <= 1e-4 * e.Max(MathF.Abs), name);
        }
    }

    [Fact]
    public void A_sweep_killed_at_any_moment_goes_on_to_the_same_file()
    {
        // tokens enough for a second or two, in many passes
        const int rows = 400, length = 128;
        using var ids = Tensor.Allocate(DType.I64, rows, length);
        var random = new Prng(3);
        foreach (ref var id in ids.AsSpan<long>()) id = random.Next(384);
        SafetensorsFile.Write(_folder.File("ids.safetensors"), null, [("ids", ids)]);
        string[] Sweep(string to) => ["activations", "--model", Model, "--ids-file", _folder.File("ids.safetensors"), "--tensor", "ids", "--sites", "res,mlp,att,logits", "--out", _folder.File(to)];
        ToolRun.Of(Sweep("whole.safetensors")).Ok();

        var killed = 0;
        for (var i = 0; i < 3 || (killed == 0 && i < 30); i++) // a busy machine may let one end before it is looked at
        {
            using var process = ToolRun.Start(_folder.Path, Sweep("killed.safetensors"));
            var wait = Stopwatch.StartNew();
            while (!process.HasExited && !File.Exists(_folder.File("killed.safetensors.part.json")) && wait.Elapsed < TimeSpan.FromSeconds(60)) process.WaitForExit(10);
            process.WaitForExit(200 * (i % 3));
            if (!process.HasExited) killed++;
            process.Kill();
            process.WaitForExit();
        }

        Assert.True(killed > 0, "no sweep was still at work when it was to be killed");
        ToolRun.Of(Sweep("killed.safetensors")).Ok();
        Assert.True(File.ReadAllBytes(_folder.File("whole.safetensors")).AsSpan().SequenceEqual(File.ReadAllBytes(_folder.File("killed.safetensors"))));
        Assert.Equal(["ids.safetensors", "killed.safetensors", "whole.safetensors"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Greedy_ids_are_those_of_the_fixture()
    {
        using var expected = SafetensorsFile.Open(Path.Combine(Model, "expected.safetensors"));
        var prompt = expected.Get("input_ids").AsSpan<long>()[..24].ToArray();
        var greedy = expected.Get("greedy_ids").AsSpan<long>()[..16].ToArray();
        string[] command = ["generate", "--model", Model, "--prompt-ids", string.Join(',', prompt), "--max-tokens", "16", "--greedy", "--ignore-eos"];
        Assert.Equal(string.Join(' ', greedy) + "\n", ToolRun.Of(command).Ok().Out);
        using var json = JsonDocument.Parse(ToolRun.Of([.. command, "--json"]).Ok().Out);
        Assert.Equal(greedy, json.RootElement.GetProperty("ids").EnumerateArray().Select(e => e.GetInt64()));
        Assert.Equal("length", json.RootElement.GetProperty("end").GetString());
    }

    [Fact]
    public void Samples_come_in_their_order_and_do_not_depend_on_how_many_there_are()
    {
        string[] command = ["generate", "--model", Model, "--prompt-ids", "5,6,7", "--max-tokens", "9", "--seed", "4", "--top-k", "50", "--temperature", "1.3"];
        var five = ToolRun.Of([.. command, "--samples", "5"]).Ok().Out.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(5, five.Length);
        Assert.Equal(five[..2], ToolRun.Of([.. command, "--samples", "2"]).Ok().Out.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(5, five.Distinct().Count());
    }

    [Theory]
    [InlineData(2, "FF6001", "Give one of --prompt and --prompt-ids", "generate", "--model", "M")]
    [InlineData(2, "FF6001", "--samples must be at least 1", "generate", "--model", "M", "--prompt-ids", "1", "--samples", "0")]
    [InlineData(2, "FF2301", "temperature", "generate", "--model", "M", "--prompt-ids", "1", "--temperature", "-1")]
    [InlineData(2, "FF2210", "There is no token 999", "generate", "--model", "M", "--prompt-ids", "999")]
    [InlineData(3, "FF2101", "tokenizer.json", "generate", "--model", "M", "--prompt", "text")]
    [InlineData(3, "FF2216", "hf download", "generate", "--model", "nowhere", "--prompt-ids", "1")]
    [InlineData(2, "FF6001", "Give one of", "activations", "--model", "M", "--out", "x")]
    [InlineData(2, "FF2070", "no site 'resid'", "activations", "--model", "M", "--ids-file", "IDS", "--tensor", "input_ids", "--sites", "resid", "--out", "x")]
    [InlineData(2, "FF2213", "no layer 4", "activations", "--model", "M", "--ids-file", "IDS", "--tensor", "input_ids", "--layers", "4", "--out", "x")]
    public void Errors(int exit, string code, string says, params string[] args)
    {
        var run = ToolRun.Of([.. args.Select(a => a switch { "M" => Model, "IDS" => Path.Combine(Model, "expected.safetensors"), "x" => _folder.File("x"), _ => a })]);
        Assert.Equal((exit, ""), (run.Code, run.Out));
        Assert.Contains($"error {code}: ", run.Error, StringComparison.Ordinal);
        Assert.Contains(says, run.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [DataFact]
    public void A_real_model_tells_a_story()
    {
        var model = Path.Combine(Repository.Data!, "stories260k", "model");
        Assert.StartsWith("Once upon a time, there was a little girl named Lily. She loved to play outside in the park.", ToolRun.Of("generate", "--model", model, "--prompt", "Once upon a time", "--greedy", "--max-tokens", "60").Ok().Out, StringComparison.Ordinal);
        var cut = ToolRun.Of("generate", "--model", model, "--prompt", "Once upon a time", "--greedy", "--max-tokens", "60", "--stop", " named").Ok().Out;
        Assert.Equal("Once upon a time, there was a little girl\n", cut);
    }
}
