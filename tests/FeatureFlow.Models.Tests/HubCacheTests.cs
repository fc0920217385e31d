using FeatureFlow.Testing;

namespace FeatureFlow.Models.Tests;

/// <summary>The cache of the Hugging Face clients, laid out as they do: snapshots of links into blobs.</summary>
public sealed class HubCacheTests : IDisposable
{
    private const string Repository = "google/gemma-scope-2b-pt-res";
    private readonly TempFolder _folder = new();
    private readonly HubCache _cache;

    public HubCacheTests()
    {
        _cache = new HubCache(_folder.File("hub"));
        Snapshot("aaa111", ("layer_0/params.npz", "old 0"), ("layer_1/params.npz", "old 1"));
        Snapshot("bbb222", ("layer_0/params.npz", "new 0"));
        Directory.CreateDirectory(Root("refs"));
        File.WriteAllText(Root("refs", "main"), "bbb222");
        Directory.SetLastWriteTimeUtc(Root("snapshots", "aaa111"), new DateTime(2024, 1, 1, 0, 0, 0, DateTimeKind.Utc));
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Main_comes_first_and_older_snapshots_help_out()
    {
        Assert.Equal("new 0", File.ReadAllText(Assert.Single(_cache.Find(Repository, "layer_0/params.npz"))));
        Assert.Equal("old 1", File.ReadAllText(Assert.Single(_cache.Find(Repository, "layer_1/params.npz"))));
        Assert.Equal("old 0", File.ReadAllText(Assert.Single(_cache.Find(Repository, "layer_0/params.npz", "aaa111"))));
        Assert.Equal(2, _cache.Find(Repository, "layer_*/params.npz", "aaa111").Count);
        Assert.Empty(_cache.TryFind(Repository, "layer_1/params.npz", "bbb222"));
        Assert.Equal(Root("snapshots", "bbb222"), _cache.TrySnapshot(Repository));
        Assert.Null(_cache.TrySnapshot("nobody/nothing"));
    }

    [Theory]
    [InlineData("layer_9/params.npz", null, "hf download google/gemma-scope-2b-pt-res 'layer_9/params.npz'")]
    [InlineData("layer_9/*/params.npz", null, "--include 'layer_9/*/params.npz'")]
    [InlineData("layer_9/", null, "--include 'layer_9/*'")]
    [InlineData("layer_1/params.npz", "bbb222", "--revision bbb222")]
    public void What_is_missing_is_named_with_the_command_that_gets_it(string pattern, string? revision, string says)
    {
        var error = Assert.Throws<FeatureFlowException>(() => _cache.Find(Repository, pattern, revision));
        Assert.Equal(("FF2051", FailureKind.Input), (error.Code, error.Kind));
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
        Assert.Contains(_cache.Folder, error.Message, StringComparison.Ordinal);
        Assert.Contains("HF_HOME", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../x")]
    [InlineData("a/b/c")]
    [InlineData("a--b/c")]
    [InlineData("/a")]
    [InlineData("a/..")]
    [InlineData("")]
    public void Ids_that_are_none_are_refused(string id)
    {
        Assert.False(HubCache.IsRepositoryId(id));
        Assert.Equal("FF2050", Assert.Throws<FeatureFlowException>(() => _cache.Find(id, "x")).Code);
    }

    [Theory]
    [InlineData("../../secret", null)]
    [InlineData("/etc/passwd", null)]
    [InlineData("layer_0/params.npz", "../../../x")]
    public void Nothing_leads_out_of_the_cache(string pattern, string? revision) =>
        Assert.Equal("FF2040", Assert.Throws<FeatureFlowException>(() => _cache.Find(Repository, pattern, revision)).Code);

    [Fact]
    public void Links_may_end_in_the_blobs_of_the_repository_but_nowhere_else()
    {
        File.WriteAllText(_folder.File("secret"), "");
        File.CreateSymbolicLink(Root("snapshots", "bbb222", "evil.npz"), _folder.File("secret"));
        Assert.Equal("FF2041", Assert.Throws<FeatureFlowException>(() => _cache.Find(Repository, "evil.npz")).Code);
    }

    [Fact]
    public void The_default_follows_the_clients_variables()
    {
        string[] names = ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"];
        var before = names.Select(Environment.GetEnvironmentVariable).ToArray();
        try
        {
            foreach (var name in names) Environment.SetEnvironmentVariable(name, null);
            Assert.EndsWith(Path.Combine(".cache", "huggingface", "hub"), HubCache.Default.Folder, StringComparison.Ordinal);
            Environment.SetEnvironmentVariable("XDG_CACHE_HOME", _folder.File("xdg"));
            Assert.Equal(_folder.File("xdg", "huggingface", "hub"), HubCache.Default.Folder);
            Environment.SetEnvironmentVariable("HF_HOME", _folder.File("home"));
            Assert.Equal(_folder.File("home", "hub"), HubCache.Default.Folder);
            Environment.SetEnvironmentVariable("HF_HUB_CACHE", _folder.File("here"));
            Assert.Equal(_folder.File("here"), HubCache.Default.Folder);
        }
        finally
        {
            for (var i = 0; i < names.Length; i++) Environment.SetEnvironmentVariable(names[i], before[i]);
        }
    }

    private string Root(params string[] parts) => Path.Combine([_cache.Folder, "models--google--gemma-scope-2b-pt-res", .. parts]);

    private void Snapshot(string commit, params (string Path, string Text)[] files)
    {
        foreach (var (path, text) in files)
        {
            var blob = Root("blobs", commit + path.Replace('/', '-'));
            Directory.CreateDirectory(Path.GetDirectoryName(blob)!);
            File.WriteAllText(blob, text);
            var link = Root(["snapshots", commit, .. path.Split('/')]);
            Directory.CreateDirectory(Path.GetDirectoryName(link)!);
            File.CreateSymbolicLink(link, Path.GetRelativePath(Path.GetDirectoryName(link)!, blob));
        }
    }
}
