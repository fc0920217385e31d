using FeatureFlow.Testing;

namespace FeatureFlow.Models.Tests;

/// <summary>Outputs are written whole or not at all.</summary>
public sealed class AtomicFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Text_is_utf8_without_mark_and_folders_are_made()
    {
        var path = _folder.File("new", "deep", "a.txt");
        AtomicFile.WriteText(path, "ä\nb\n");
        Assert.Equal([0xC3, 0xA4, (byte)'\n', (byte)'b', (byte)'\n'], File.ReadAllBytes(path));
        AtomicFile.WriteText(path, "c");
        Assert.Equal("c", File.ReadAllText(path));
        Assert.Equal([path], Directory.EnumerateFiles(_folder.Path, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public void A_failure_leaves_what_was_there_and_nothing_else()
    {
        var path = _folder.File("a.txt");
        AtomicFile.WriteText(path, "old");
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(path, stream =>
        {
            stream.Write("half of the n"u8);
            Assert.Equal(2, Directory.GetFiles(_folder.Path).Length);
            Assert.Equal("old", File.ReadAllText(path));
            throw new InvalidOperationException();
        }));
        Assert.Throws<OperationCanceledException>(() => AtomicFile.Write(_folder.File("b.txt"), _ => throw new OperationCanceledException()));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void A_reader_keeps_the_old_file_while_it_is_replaced()
    {
        var path = _folder.File("a.txt");
        AtomicFile.WriteText(path, "old");
        using var reader = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        AtomicFile.WriteText(path, "new and longer");
        using var text = new StreamReader(reader);
        Assert.Equal("old", text.ReadToEnd());
        Assert.Equal("new and longer", File.ReadAllText(path));
    }

    [Fact]
    public void What_cannot_be_written_says_so()
    {
        Directory.CreateDirectory(_folder.File("taken"));
        File.WriteAllText(_folder.File("file"), "");
        foreach (var path in new[] { _folder.File("taken"), _folder.File("file", "below.txt") })
        {
            var error = Assert.Throws<FeatureFlowException>(() => AtomicFile.WriteText(path, "x"));
            Assert.Equal(("FF2030", path), (error.Code, error.File));
        }

        Assert.Equal(2, Directory.GetFileSystemEntries(_folder.Path).Length);
    }
}
