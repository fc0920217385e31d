using System.Buffers.Binary;
using System.Text;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Models.Tests;

/// <summary>Safetensors files: what is written is read again, byte for byte as the format says; what the format forbids is refused.</summary>
public sealed class SafetensorsTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_is_written_is_read()
    {
        var path = _folder.File("a.safetensors");
        using var f32 = Tensor.From([1, -2, 3.5f, float.NaN, 5, 6], 2, 3);
        using var bytes = Tensor.Allocate(DType.U8, 3);
        ((ReadOnlySpan<byte>)[7, 8, 9]).CopyTo(bytes.AsSpan<byte>());
        using var wide = Tensor.Allocate(DType.I64, 1);
        wide.AsSpan<long>()[0] = long.MinValue;
        using var half = Tensor.Allocate(DType.F16, 2);
        half.AsSpan<Half>()[1] = (Half)0.5;
        using var scalar = Tensor.From([42]);
        using var none = Tensor.Allocate(DType.F32, 0, 4);
        SafetensorsFile.Write(path, new Dictionary<string, string> { ["b"] = "größe", ["a"] = "1" }, [("bytes", bytes), ("f32", f32), ("flipped", f32.Transpose()), ("wide", wide), ("half", half), ("scalar", scalar), ("none", none)]);
        using var file = SafetensorsFile.Open(path);
        Assert.Equal(["wide", "f32", "flipped", "scalar", "none", "half", "bytes"], file.Entries.Select(e => e.Name));
        Assert.Equal(new Dictionary<string, string> { ["a"] = "1", ["b"] = "größe" }, file.Metadata);
        Assert.Equal([1, -2, 3.5f, float.NaN, 5, 6], file.Get("f32").AsSpan<float>().ToArray());
        Assert.Equal("F32[3,2]", file.Entry("flipped").ToString());
        Assert.Equal([1, float.NaN, -2, 5, 3.5f, 6], file.Get("flipped").AsSpan<float>().ToArray());
        Assert.Equal(long.MinValue, file.Get("wide").AsSpan<long>()[0]);
        Assert.Equal((Half)0.5, file.Get("half").AsSpan<Half>()[1]);
        Assert.Equal((0, 42f), (file.Entry("scalar").Shape.Length, file.Get("scalar").AsSpan<float>()[0]));
        Assert.Equal(0, file.Get("none").Count);
        Assert.Equal([7, 8, 9], file.Get("bytes").AsSpan<byte>().ToArray());
        Assert.Equal(new TensorScan(1, 3), file.Scan("f32"));
        Assert.Equal(new TensorScan(0, -1), file.Scan("wide"));
    }

    [Fact]
    public void The_bytes_are_those_of_the_format()
    {
        var path = _folder.File("a.safetensors");
        using var x = Tensor.From([1, 2], 2);
        SafetensorsFile.Write(path, null, [("x", x)]);
        var header = """{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  """;
        Assert.Equal(0, header.Length % 8);
        var expected = new byte[8 + header.Length + 8];
        BinaryPrimitives.WriteInt64LittleEndian(expected, header.Length);
        Encoding.UTF8.GetBytes(header, expected.AsSpan(8));
        BinaryPrimitives.WriteSingleLittleEndian(expected.AsSpan(8 + header.Length), 1);
        BinaryPrimitives.WriteSingleLittleEndian(expected.AsSpan(12 + header.Length), 2);
        Assert.Equal(expected, File.ReadAllBytes(path));
    }

    [Fact]
    public void Random_tensors_come_back_whatever_their_strides()
    {
        var random = new Random(5);
        for (var attempt = 0; attempt < 20; attempt++)
        {
            var (rows, columns) = (random.Next(1, 300), random.Next(1, 3000));
            float[] values = [.. Enumerable.Range(0, rows * columns).Select(_ => random.NextSingle())];
            using var tensor = Tensor.From(values, rows, columns);
            var path = _folder.File($"{attempt}.safetensors");
            SafetensorsFile.Write(path, null, [("t", tensor.Transpose())]);
            using var file = SafetensorsFile.Open(path);
            Assert.Equal(Enumerable.Range(0, rows * columns).Select(i => values[(i % rows * columns) + (i / rows)]), file.Get("t").AsSpan<float>().ToArray());
        }
    }

    [Fact]
    public void Names_twice_and_the_reserved_one_are_refused_and_leave_nothing()
    {
        using var x = Tensor.From([1], 1);
        foreach (var names in new[] { ["a", "a"], new[] { "__metadata__" } })
        {
            Assert.Equal("FF2031", Assert.Throws<FeatureFlowException>(() => SafetensorsFile.Write(_folder.File("a.safetensors"), null, names.Select(n => (n, x)))).Code);
        }

        Assert.Throws<InvalidOperationException>(() => SafetensorsFile.Write(_folder.File("a.safetensors"), null, [new TensorSource("a", DType.F32, [2], s => s.WriteByte(1))]));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Types_that_are_not_read_say_so_when_asked_for_only()
    {
        Write("""{"x":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]},"y":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}""", [1, 2, 3]);
        using var file = SafetensorsFile.Open(_folder.File("x"));
        Assert.Equal(["x"], file.Unreadable);
        Assert.True(file.Contains("x"));
        Assert.Equal([3], file.Get("y").AsSpan<byte>().ToArray());
        var error = Assert.Throws<FeatureFlowException>(() => file.Entry("x"));
        Assert.Equal("FF2006", error.Code);
        Assert.Contains("F8_E4M3", error.Message, StringComparison.Ordinal);
        Assert.Equal("FF2005", Assert.Throws<FeatureFlowException>(() => file.Get("z")).Code);
    }

    [Fact]
    public void Arrays_of_a_closed_file_are_not_touched()
    {
        Write("""{"y":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", [3]);
        var file = SafetensorsFile.Open(_folder.File("x"));
        var tensor = file.Get("y");
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Get("y"));
        Assert.Throws<ObjectDisposedException>(() => tensor.Pin().Dispose());
    }

    [Theory]
    [InlineData("""{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}""", "JSON")]
    [InlineData("""{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}} x""", "JSON")]
    [InlineData("""[]""", "'{'")]
    [InlineData(""" {"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}""", "'{'")]
    [InlineData("""{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"x":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}}""", "twice")]
    [InlineData("""{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2],"dtype":"U8"}}""", "twice")]
    [InlineData("""{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2],"more":1}}""", "unknown key 'more'")]
    [InlineData("""{"x":{"dtype":"Q8","shape":[2],"data_offsets":[0,2]}}""", "unknown dtype 'Q8'")]
    [InlineData("""{"x":{"dtype":"U8","shape":[-2],"data_offsets":[0,2]}}""", "whole number")]
    [InlineData("""{"x":{"dtype":"U8","shape":[2.5],"data_offsets":[0,2]}}""", "whole number")]
    [InlineData("""{"x":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}}""", "'x'")]
    [InlineData("""{"x":{"dtype":"U8","shape":[2],"data_offsets":[0]}}""", "data_offsets")]
    [InlineData("""{"x":{"dtype":"F64","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,2]}}""", "more bytes than any file")]
    [InlineData("""{"x":{"dtype":"U8","shape":[9999999999],"data_offsets":[0,2]}}""", "extent")]
    [InlineData("""{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", "belong to no array")]
    [InlineData("""{"x":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""", "belong to no array")]
    [InlineData("""{"x":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}""", "cut")]
    [InlineData("""{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"y":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}""", "overlap")]
    [InlineData("""{"x":7}""", "not an object")]
    [InlineData("""{"__metadata__":{"a":1}}""", "not a text")]
    [InlineData("""{"__metadata__":{"a":"1","a":"2"}}""", "twice")]
    [InlineData("""{"\ud800":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}""", "surrogate")]
    public void What_the_format_forbids_is_refused(string header, string says)
    {
        Write(header, [1, 2]);
        var error = Assert.Throws<FeatureFlowException>(() => SafetensorsFile.Open(_folder.File("x")));
        Assert.Equal(("FF2010", _folder.File("x")), (error.Code, error.File));
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Files_that_cannot_be_opened_say_why()
    {
        Assert.Equal("FF2001", Code(_folder.File("missing")));
        Assert.Equal("FF2003", Code(_folder.Path));
        File.WriteAllBytes(_folder.File("empty"), []);
        Assert.Equal("FF2004", Code(_folder.File("empty")));
        File.WriteAllBytes(_folder.File("short"), [1, 2, 3]);
        Assert.Equal("FF2010", Code(_folder.File("short")));

        static string Code(string path) => Assert.Throws<FeatureFlowException>(() => SafetensorsFile.Open(path)).Code;
    }

    private void Write(string header, byte[] data)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        File.WriteAllBytes(_folder.File("x"), [.. length, .. json, .. data]);
    }
}
