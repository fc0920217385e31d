using FeatureFlow.Testing;

namespace FeatureFlow.Models.Tests;

/// <summary>Configurations in JSON: typed questions, errors with key, line and column.</summary>
public sealed class JsonConfigTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Values_are_asked_for_by_type_and_null_counts_as_absent()
    {
        var config = Read("\uFEFF{\"a\":1,\"b\":8.0,\"c\":0.5,\"d\":true,\"e\":\"x\",\"f\":null,\"g\":{\"h\":2}}");
        Assert.Equal((1, 8, 0.5, true, "x"), (config.Int("a"), config.Int("b"), config.Number("c"), config.Flag("d"), config.Text("e")));
        Assert.Equal(2, config.Object("g")!.Int("h"));
        Assert.Equal(["a", "b", "c", "d", "e", "g"], config.Keys);
        Assert.False(config.Has("f"));
        Assert.Null(config.Int("f"));
        Assert.Null(config.Object("zz"));
        Assert.Equal(("FF2061", "The key 'g.k' is missing."), Failure(() => config.Object("g")!.Need((int?)null, "k")));
        foreach (var act in new Action[] { () => config.Int("c"), () => config.Flag("a"), () => config.Text("a"), () => config.Object("a"), () => config.Number("e") })
        {
            Assert.Equal("FF2062", Failure(act).Code);
        }
    }

    [Theory]
    [InlineData("{\n  \"a\": 1,\n  \"b\": oops\n}", 3, 8)]
    [InlineData("{\"a\":1", 1, 7)]
    [InlineData("[1]", 1, 1)]
    [InlineData("{\"a\":1,\"a\":2}", 1, 1)]
    public void Mistakes_are_placed(string json, int line, int column)
    {
        var error = Assert.Throws<FeatureFlowException>(() => Read(json));
        Assert.Equal(("FF2060", line), (error.Code, error.Line));
        Assert.InRange(error.Column, 1, column + 1);
    }

    [Fact]
    public void Bytes_that_are_no_text_and_empty_files_are_refused()
    {
        File.WriteAllBytes(_folder.File("c.json"), [(byte)'{', (byte)'"', 0xC3, 0x28, (byte)'"', (byte)'}']);
        Assert.Equal("FF2060", Failure(() => JsonConfig.Open(_folder.File("c.json"))).Code);
        Assert.Equal("FF2004", Failure(() => Read("")).Code);
        Assert.Equal("FF2001", Failure(() => JsonConfig.Open(_folder.File("none"))).Code);
        Assert.Equal("FF2060", Failure(() => Read(string.Concat(Enumerable.Repeat("{\"a\":", 200)))).Code);
    }

    private static (string Code, string Message) Failure(Action act)
    {
        var error = Assert.Throws<FeatureFlowException>(act);
        return (error.Code, error.Message);
    }

    private JsonConfig Read(string json)
    {
        File.WriteAllText(_folder.File("c.json"), json);
        return JsonConfig.Open(_folder.File("c.json"));
    }
}
