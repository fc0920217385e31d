namespace FeatureFlow.Experiments.Tests.Yaml;

/// <summary>The strict reader: every way of being wrong has its place and its hint.</summary>
public sealed class YamlTests
{
    private static readonly YamlRecord Form = new(
        "form",
        "For tests.",
        new YamlField("version", YamlType.Integer(1, 1), "Version.", Required: true),
        new YamlField("direction", YamlType.Choice("backward", "forward"), "Direction."),
        new YamlField("layers", YamlType.Layers, "Layers."),
        new YamlField("rate", YamlType.Number(0, 1), "Rate."),
        new YamlField("names", YamlType.OneOrMany(YamlType.Text), "Names."),
        new YamlField("flag", YamlType.Boolean, "Flag."),
        new YamlField("inner", new YamlRecord("inner", "Inner.", new YamlField("x", YamlType.Integer(0, 9), "X.")), "Inner."),
        new YamlField("by_layer", YamlType.Map("a layer", "^\\d+$", YamlType.Number(-1, 1)), "By layer."));

    [Fact]
    public void Reads_every_type()
    {
        var values = Read("version: 1\ndirection: forward\nlayers: 0-2,5\nrate: 2.5e-1\nnames: one\nflag: true\ninner: {x: 3}\nby_layer: {3: 0.5}\n");
        Assert.Equal(1, values.Integer("version"));
        Assert.Equal("forward", values.Text("direction"));
        Assert.Equal([0, 1, 2, 5], values.Layers("layers")!);
        Assert.Equal(0.25, values.Number("rate"));
        Assert.Equal(["one"], values.Texts("names"));
        Assert.True(values.Flag("flag"));
        Assert.Equal(3, values.Record("inner")!.Integer("x"));
        Assert.Equal(0.5, values.Map("by_layer")["3"]);
        Assert.False(Read("version: 1\nflag:\n").Has("flag"));
    }

    [Theory]
    [InlineData("version: 1\nlayres: 3\n", "FF5002", 2, 1, "did you mean 'layers'")]
    [InlineData("version: 1\nzzzzzz: 3\n", "FF5002", 2, 1, "known keys: version, direction")]
    [InlineData("direction: forward\n", "FF5003", 1, 1, "'version' is missing")]
    [InlineData("version: 1\nversion: 1\n", "FF5001", 2, 1, "given twice")]
    [InlineData("version: 2\n", "FF5004", 1, 10, "expected a whole number from 1 to 1")]
    [InlineData("version: '1'\n", "FF5004", 1, 10, "expected a whole number")]
    [InlineData("version: 1\ndirection: foward\n", "FF5004", 2, 12, "did you mean 'forward'")]
    [InlineData("version: 1\nrate: 0,5\n", "FF5004", 2, 7, "did you mean '0.5'")]
    [InlineData("version: 1\nrate: .nan\n", "FF5004", 2, 7, "expected a number")]
    [InlineData("version: 1\nrate: 1.5\n", "FF5004", 2, 7, "from 0 to 1")]
    [InlineData("version: 1\nlayers: 5-3\n", "FF5004", 2, 9, "expected layers")]
    [InlineData("version: 1\nflag: yes\n", "FF5004", 2, 7, "expected true or false")]
    [InlineData("version: 1\ninner:\n  y: 1\n", "FF5002", 3, 3, "unknown key 'y'")]
    [InlineData("version: 1\nby_layer: {x: 1}\n", "FF5004", 2, 12, "'x' is not a layer")]
    [InlineData("version: 1\nnames: {a: b}\n", "FF5004", 2, 8, "found a mapping")]
    [InlineData("", "FF5001", 1, 1, "empty")]
    [InlineData("- a\n", "FF5004", 1, 1, "found a list")]
    [InlineData("version: &a 1\n", "FF5001", 1, 10, "anchors")]
    [InlineData("version: !x 1\n", "FF5001", 1, 10, "tags")]
    [InlineData("version: 1\n---\nversion: 1\n", "FF5001", 2, 1, "second document")]
    [InlineData("version: [1\n", "FF5001", 2, 1, "not YAML")]
    public void Wrong_files_are_told_where_and_how(string text, string code, int line, int column, string says)
    {
        var e = Assert.Throws<FeatureFlowException>(() => Read(text));
        Assert.Contains(says, e.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Equal((code, line, column, "form.yaml"), (e.Code, e.Line, e.Column, e.File));
        Assert.Equal(FailureKind.Usage, e.Kind);
    }

    [Fact]
    public void All_errors_are_told_at_once_in_the_order_of_the_file()
    {
        var e = Assert.Throws<FeatureFlowException>(() => Read("rate: 7\ndirection: up\nfoo: 1\n"));
        Assert.Equal([1, 1, 2, 3], e.Others.Prepend(e).Select(o => o.Line));
    }

    [Theory]
    [InlineData("rate=0.5", 0.5)]
    [InlineData("rate=1", 1.0)]
    public void Overrides_obey_the_same_rules(string setting, double rate) =>
        Assert.Equal(rate, Form.ReadDocument(YamlOverrides.Apply(YamlTree.Read("version: 1\nrate: 0.1\n", "form.yaml"), setting)).Number("rate"));

    [Theory]
    [InlineData("rate=7", "FF5004", "from 0 to 1")]
    [InlineData("ratte=0.5", "FF5002", "unknown key 'ratte'")]
    [InlineData("rate", "FF5005", "key=value")]
    [InlineData("names.5=x", "FF5005", "not an item")]
    [InlineData("rate.x=1", "FF5005", "single value")]
    public void Wrong_overrides_are_told(string setting, string code, string says)
    {
        var e = Assert.Throws<FeatureFlowException>(() => Form.ReadDocument(YamlOverrides.Apply(YamlTree.Read("version: 1\nrate: 0.1\nnames: [a]\n", "form.yaml"), setting)));
        Assert.Equal(code, e.Code);
        Assert.Contains(says, e.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Overrides_reach_into_lists_and_make_mappings()
    {
        var tree = YamlTree.Read("version: 1\nnames: [a, b]\n", "form.yaml");
        var values = Form.ReadDocument(YamlOverrides.Apply(YamlOverrides.Apply(tree, "names.1=c"), "inner.x=4"));
        Assert.Equal(["a", "c"], values.Texts("names"));
        Assert.Equal(4, values.Record("inner")!.Integer("x"));
    }

    [Fact]
    public void Depth_is_bounded()
    {
        var e = Assert.Throws<FeatureFlowException>(() => YamlTree.Read(new string('[', 200) + new string(']', 200), "deep.yaml"));
        Assert.Contains("deep", e.Message, StringComparison.Ordinal);
    }

    private static YamlValues Read(string text) => Form.ReadDocument(YamlTree.Read(text, "form.yaml"));
}
