using System.Diagnostics;
using System.Text.Json;
using FeatureFlow.Testing;

namespace FeatureFlow.Tools.Tests;

/// <summary><c>featureflow tokens</c>: text to ids and back.</summary>
public sealed class TokensTests : IDisposable
{
    private static readonly string Model = Repository.Fixture("tokenizers", "words");

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void As_people_see_it() => Golden.Check("FeatureFlow.Tools/tokens.txt", ToolRun.Of("tokens", "--model", Model, "--text", "once upon a time\n🦙 é").Ok().Out);

    [Theory]
    [InlineData("once upon a time")]
    [InlineData(" two  spaces\n\tand é 日本 🦙 ")]
    [InlineData("typed <|begin|><|end|> too")]
    [InlineData("")]
    public void Decoding_reverses(string text)
    {
        foreach (var special in new[] { true, false })
        {
            string[] flags = special ? [] : ["--no-special"];
            File.WriteAllText(_folder.File("t.txt"), text);
            using var json = JsonDocument.Parse(ToolRun.Of(["tokens", "--model", Model, "--file", _folder.File("t.txt"), "--json", .. flags]).Ok().Out);
            var ids = json.RootElement.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32()).ToList();
            var pieces = json.RootElement.GetProperty("pieces").EnumerateArray().Select(p => p.GetString()!).ToList();
            Assert.Equal(ids.Count, pieces.Count);
            Assert.Equal(special, pieces.FirstOrDefault() == "<|begin|>");
            if (ids.Count == 0) continue;
            Assert.Equal(text, ToolRun.Of(["tokens", "--model", Model, "--decode", .. ids.Select(i => $"{i}")]).Ok().Out[..^1]);
        }
    }

    [Theory]
    [InlineData("@hello")]
    [InlineData("--json")]
    [InlineData("-1 x")]
    [InlineData("a=b")]
    [InlineData("\n")]
    [InlineData("")]
    public void Any_text_is_a_text(string text)
    {
        using var json = JsonDocument.Parse(ToolRun.Of("tokens", "--model", Model, "--text", text, "--no-special", "--json").Ok().Out);
        Assert.Equal(text, string.Concat(json.RootElement.GetProperty("pieces").EnumerateArray().Select(p => p.GetString())));
    }

    [Fact]
    public void Ids_may_stand_with_commas_and_special_tokens_may_be_left_out()
    {
        Assert.Equal("once upon\n", ToolRun.Of("tokens", "--model", Model, "--decode", "496,266,294", "320").Ok().Out);
        Assert.Equal("on<|end|>ce\n", ToolRun.Of("tokens", "--model", Model, "--decode", "266,497,294").Ok().Out);
        Assert.Equal("once\n", ToolRun.Of("tokens", "--model", Model, "--decode", "266,497,294", "--no-special").Ok().Out);
        using var json = JsonDocument.Parse(ToolRun.Of("tokens", "--model", Model, "--decode", "496", "195", "--json").Ok().Out);
        Assert.Equal("{\"ids\":[496,195],\"pieces\":[\"<|begin|>\",\"<0xC3>\"],\"text\":\"\uFFFD\"}", json.RootElement.GetRawText());
    }

    [Theory]
    [InlineData(2, "FF6001", "Give one of --text, --file and --decode")]
    [InlineData(2, "FF6001", "Give one of", "--text", "a", "--file", "b")]
    [InlineData(2, "FF6017", "'x' is not a token id", "--decode", "1", "x")]
    [InlineData(2, "FF2106", "There is no token 498; this tokenizer has 0 to 497", "--decode", "498")]
    [InlineData(3, "FF5101", "There is no such file", "--file", "nowhere.txt")]
    public void Errors(int exit, string code, string says, params string[] args)
    {
        var run = ToolRun.Of(["tokens", "--model", Model, .. args]);
        Assert.Equal((exit, ""), (run.Code, run.Out));
        Assert.Contains($"error {code}: ", run.Error, StringComparison.Ordinal);
        Assert.Contains(says, run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_minus_reads_standard_input()
    {
        var start = new ProcessStartInfo("dotnet", [typeof(ToolApp).Assembly.Location, "tokens", "--model", Model, "--file", "-", "--json"]) { RedirectStandardInput = true, RedirectStandardOutput = true, UseShellExecute = false };
        using var process = Process.Start(start)!;
        process.StandardInput.Write("once");
        process.StandardInput.Close();
        Assert.Equal("{\"ids\":[496,266,294],\"pieces\":[\"<|begin|>\",\"on\",\"ce\"]}\n", process.StandardOutput.ReadToEnd().ReplaceLineEndings("\n"));
    }

    // without Unicode data .NET does not normalize and does not say so: wrong ids would follow
    [Fact]
    public void Missing_unicode_data_is_an_error()
    {
        File.WriteAllText(_folder.File("tokenizer.json"), File.ReadAllText(Path.Combine(Model, "tokenizer.json")).Replace("\"normalizer\":null", "\"normalizer\":{\"type\":\"NFC\"}", StringComparison.Ordinal));
        Assert.Contains("496", Run("plain").Ok().Out, StringComparison.Ordinal);
        var run = Run("e\u0301");
        Assert.Equal((2, ""), (run.Code, run.Out));
        Assert.Contains("error FF2105: ", run.Error, StringComparison.Ordinal);

        ToolRun Run(string text)
        {
            var start = new ProcessStartInfo("dotnet", [typeof(ToolApp).Assembly.Location, "tokens", "--model", _folder.Path, "--text", text]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
            start.Environment["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1";
            using var process = Process.Start(start)!;
            var (output, error) = (process.StandardOutput.ReadToEnd(), process.StandardError.ReadToEnd());
            process.WaitForExit();
            return new ToolRun(process.ExitCode, output, error);
        }
    }

    [Fact]
    public void A_file_that_is_no_text_is_refused()
    {
        File.WriteAllBytes(_folder.File("latin.txt"), [0x63, 0x61, 0x66, 0xE9]);
        Assert.Contains("error FF5102: This is not UTF-8 text", ToolRun.Of("tokens", "--model", Model, "--file", _folder.File("latin.txt")).Error, StringComparison.Ordinal);
    }
}
