using FeatureFlow.Testing;

namespace FeatureFlow.Models.Tests;

/// <summary>Paths that a pack or an archive names stay inside it, by name and through links.</summary>
public sealed class SafePathTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public SafePathTests()
    {
        Directory.CreateDirectory(_folder.File("pack", "saes"));
        File.WriteAllText(_folder.File("pack", "saes", "a.npz"), "a");
        File.WriteAllText(_folder.File("secret"), "s");
    }

    private string Pack => _folder.File("pack");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("..")]
    [InlineData("../secret")]
    [InlineData("saes/../../secret")]
    [InlineData("saes\\..\\..\\secret")]
    [InlineData("/etc/passwd")]
    [InlineData("\\\\server\\share")]
    [InlineData("C:\\x")]
    [InlineData("c:x")]
    [InlineData(".. /secret")]
    [InlineData("saes/a\0.npz")]
    [InlineData("")]
    public void Names_that_lead_out_are_refused(string relative)
    {
        Assert.True(SafePath.LeadsOut(relative));
        Assert.Equal("FF2040", Assert.Throws<FeatureFlowException>(() => SafePath.Resolve(Pack, relative)).Code);
        Assert.Equal("FF2040", Assert.Throws<FeatureFlowException>(() => PathGlob.Find(Pack, relative)).Code);
    }

    [Theory]
    [InlineData("saes/a.npz")]
    [InlineData("saes\\a.npz")]
    [InlineData("./saes/./a.npz")]
    [InlineData("saes//a.npz")]
    [InlineData("..saes/a..b/...")]
    public void Names_inside_resolve(string relative)
    {
        Assert.False(SafePath.LeadsOut(relative));
        Assert.True(SafePath.IsInside(Pack, SafePath.Resolve(Pack, relative)));
    }

    [Fact]
    public void A_sibling_with_the_same_beginning_is_outside()
    {
        Assert.False(SafePath.IsInside(Pack, Pack + "age/a"));
        Assert.True(SafePath.IsInside(Pack, Pack));
        Assert.True(SafePath.IsInside("/", "/a"));
    }

    [Fact]
    public void Links_must_end_inside()
    {
        File.CreateSymbolicLink(_folder.File("pack", "inside.npz"), "saes/a.npz");
        File.CreateSymbolicLink(_folder.File("pack", "outside.npz"), "../secret");
        Directory.CreateSymbolicLink(_folder.File("pack", "up"), "..");
        File.CreateSymbolicLink(_folder.File("pack", "twice.npz"), "up/pack/up/secret");
        File.CreateSymbolicLink(_folder.File("pack", "there-and-back.npz"), "../pack/saes/a.npz");
        Assert.Equal("a", File.ReadAllText(SafePath.Resolve(Pack, "inside.npz")));
        Assert.Equal("a", File.ReadAllText(SafePath.Resolve(Pack, "there-and-back.npz")));
        foreach (var name in new[] { "outside.npz", "up/secret", "twice.npz", "up" })
        {
            var error = Assert.Throws<FeatureFlowException>(() => SafePath.Resolve(Pack, name));
            Assert.Equal("FF2041", error.Code);
        }

        Assert.Equal("FF2041", Assert.Throws<FeatureFlowException>(() => PathGlob.Find(Pack, "*.npz")).Code);
    }

    [Fact]
    public void Links_in_a_circle_end()
    {
        File.CreateSymbolicLink(_folder.File("pack", "one"), "two");
        File.CreateSymbolicLink(_folder.File("pack", "two"), "one");
        Assert.Equal("FF2042", Assert.Throws<FeatureFlowException>(() => SafePath.Resolve(Pack, "one")).Code);
    }

    [Fact]
    public void A_root_that_is_itself_a_link_is_fine()
    {
        Directory.CreateSymbolicLink(_folder.File("alias"), "pack");
        Assert.Equal("a", File.ReadAllText(SafePath.Resolve(_folder.File("alias"), "saes/a.npz")));
    }

    [Fact]
    public void Patterns_find_in_order_and_stay_one_part_wide()
    {
        foreach (var name in new[] { "layer_10", "layer_2", "layer_1[x]" }) Directory.CreateDirectory(_folder.File("pack", name, "deep"));
        File.WriteAllText(_folder.File("pack", "layer_2", "deep", "b.npz"), "");
        Assert.Equal(["layer_10", "layer_1[x]", "layer_2"], PathGlob.Find(Pack, "layer_*").Select(Path.GetFileName));
        Assert.Equal(["layer_2"], PathGlob.Find(Pack, "layer_?").Select(Path.GetFileName));
        Assert.Equal(["layer_1[x]"], PathGlob.Find(Pack, "layer_1[x]").Select(Path.GetFileName));
        Assert.Equal([_folder.File("pack", "layer_2", "deep", "b.npz")], PathGlob.Find(Pack, "layer_*/*/*.npz"));
        Assert.Empty(PathGlob.Find(Pack, "*.npz"));
        Assert.Empty(PathGlob.Find(Pack, "nothing/*"));
        Assert.True(PathGlob.IsPattern("a?"));
        Assert.False(PathGlob.IsPattern("a[b]"));
    }
}
