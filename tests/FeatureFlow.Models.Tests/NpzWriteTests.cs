using System.Diagnostics;
using System.IO.Compression;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Models.Tests;

public sealed class NpzWriteTests : IDisposable
{
    private static readonly byte[] s_magic = [0x93, (byte)'N', (byte)'U', (byte)'M'];
    private readonly TempFolder _folder = new();

    private string Path => _folder.File("x.npz");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_is_written_is_read_back()
    {
        var half = Tensor.Allocate(DType.F16, 5);
        half.AsSpan<Half>().Fill((Half)0.5);
        var ids = Tensor.Allocate(DType.I64, 2, 1, 3);
        ids.AsSpan<long>()[4] = long.MaxValue;
        var matrix = Tensor.From([1, 2, 3, 4, 5, 6], 2, 3);
        NpzFile.Write(Path, [("a", matrix), ("turned", matrix.Transpose()), ("half", half), ("ids", ids), ("empty", Tensor.Allocate(DType.F32, 0, 4)), ("number", Tensor.From([7f]))]);
        using var file = NpzFile.Open(Path);
        Assert.Equal(["F32[2,3]", "F32[3,2]", "F16[5]", "I64[2,1,3]", "F32[0,4]", "F32[]"], file.Entries.Select(e => e.ToString()));
        Assert.Equal([1, 2, 3, 4, 5, 6], file.Get("a").AsSpan<float>().ToArray());
        Assert.Equal([1, 4, 2, 5, 3, 6], file.Get("turned").AsSpan<float>().ToArray());
        Assert.Equal(half.AsSpan<Half>().ToArray(), file.Get("half").AsSpan<Half>().ToArray());
        Assert.Equal(ids.AsSpan<long>().ToArray(), file.Get("ids").AsSpan<long>().ToArray());
        Assert.Equal([7], file.Get("number").AsSpan<float>().ToArray());
    }

    [Fact]
    public void Other_zip_readers_agree_and_arrays_lie_on_multiples_of_64()
    {
        NpzFile.Write(Path, [("a", Tensor.From([1f, 2f], 2)), ("long_name_of_an_array", Tensor.From([3f, 4f, 5f], 3))]);
        using (var zip = ZipFile.OpenRead(Path))
        {
            Assert.Equal(["a.npy", "long_name_of_an_array.npy"], zip.Entries.Select(e => e.FullName));
            using var stream = zip.Entries[1].Open();
            using var copy = new MemoryStream();
            stream.CopyTo(copy); // checks the CRC
            Assert.Equal(64 + 64 + 12, copy.Length);
            Assert.Equal([3f, 4f, 5f], System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(copy.ToArray().AsSpan(128)).ToArray());
        }

        using var file = NpzFile.Open(Path);
        Assert.All(file.Entries, e => Assert.Equal(0, file.Get(e.Name).ByteOffset % 64));
        var bytes = File.ReadAllBytes(Path);
        var place = bytes.AsSpan().IndexOf(s_magic);
        Assert.Equal(0, place % 64);
        Assert.Equal(0, (place + 1 + bytes.AsSpan(place + 1).IndexOf(s_magic)) % 64);
    }

    [Fact]
    public void The_same_arrays_give_the_same_file()
    {
        NpzFile.Write(Path, [("a", Tensor.From([1f, 2f], 2))]);
        var once = File.ReadAllBytes(Path);
        NpzFile.Write(Path, [("a", Tensor.From([1f, 2f], 2))]);
        Assert.Equal(once, File.ReadAllBytes(Path));
    }

    [Fact]
    public void What_numpy_cannot_hold_is_refused_and_nothing_is_written()
    {
        Assert.Equal("FF2033", Assert.Throws<FeatureFlowException>(() => NpzFile.Write(Path, [("a", Tensor.Allocate(DType.BF16, 2))])).Code);
        Assert.Equal("FF2031", Assert.Throws<FeatureFlowException>(() => NpzFile.Write(Path, [("a", Tensor.From([1f], 1)), ("a", Tensor.From([1f], 1))])).Code);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Numpy_reads_it()
    {
        NpzFile.Write(Path, [("a", Tensor.From([1f, 2f, 3f, 4f, 5f, 6f], 2, 3).Transpose()), ("b", Tensor.From([0.25f], 1))]);
        var answer = Python($"import numpy; f = numpy.load(r'{Path}'); print(f['a'].tolist(), f['b'].tolist(), f['a'].dtype)");
        if (answer is null) return; // no numpy here
        Assert.Equal("[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]] [0.25] float32", answer.Trim());
    }

    private static string? Python(string script)
    {
        foreach (var program in new[] { "python3", "/usr/bin/python3" })
        {
            try
            {
                using var process = Process.Start(new ProcessStartInfo(program, ["-c", script]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
                var errors = process.StandardError.ReadToEndAsync();
                var text = process.StandardOutput.ReadToEnd();
                process.WaitForExit();
                if (process.ExitCode == 0) return text;
                if (!errors.Result.Contains("No module named", StringComparison.Ordinal)) Assert.Fail(errors.Result);
            }
            catch (System.ComponentModel.Win32Exception)
            {
                // no such program
            }
        }

        return null;
    }
}
