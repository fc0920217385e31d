using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Models.Tests;

/// <summary>Npz files made here: every layout that numpy writes, and what no numpy writes.</summary>
public sealed class NpzTests : IDisposable
{
    private static readonly float[] s_values = [1, 2, 3, 4, 5, 6];
    private readonly TempFolder _folder = new();

    private string Path => _folder.File("x.npz");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(CompressionLevel.NoCompression, 1)]
    [InlineData(CompressionLevel.Optimal, 1)]
    [InlineData(CompressionLevel.NoCompression, 2)]
    [InlineData(CompressionLevel.NoCompression, 3)]
    public void Stored_and_deflated_members_give_the_same(CompressionLevel level, int version)
    {
        Zip(level, ("x.npy", Npy("<f4", "(2, 3)", Floats(s_values), version: version)), ("readme.txt", [1, 2]));
        using var file = NpzFile.Open(Path);
        Assert.Equal("F32[2,3]", Assert.Single(file.Entries).ToString());
        Assert.Equal(s_values, file.Get("x").AsSpan<float>().ToArray());
        Assert.Same(file.Get("x"), file.Get("x"));
    }

    [Fact]
    public unsafe void Stored_members_lie_in_memory_as_far_apart_as_in_the_file()
    {
        byte[] first = [.. Enumerable.Range(1, 64).Select(i => (byte)i)], second = [.. Enumerable.Range(101, 64).Select(i => (byte)i)];
        Zip(CompressionLevel.NoCompression, ("x.npy", Npy("|u1", "(64,)", first)), ("y.npy", Npy("|u1", "(64,)", second)));
        var bytes = File.ReadAllBytes(Path);
        using var file = NpzFile.Open(Path);
        using var x = file.Get("x").Pin();
        using var y = file.Get("y").Pin();
        Assert.Equal(bytes.AsSpan().IndexOf(second) - bytes.AsSpan().IndexOf(first), y.Pointer + file.Get("y").ByteOffset - (x.Pointer + file.Get("x").ByteOffset));
    }

    [Fact]
    public void Fortran_order_is_a_view()
    {
        Zip(CompressionLevel.NoCompression, ("x.npy", Npy("<f4", "(2, 3)", Floats([1, 4, 2, 5, 3, 6]), fortran: true)), ("v.npy", Npy("<f4", "(1, 6)", Floats(s_values), fortran: true)), ("cube.npy", Npy("<f4", "(1, 2, 3)", Floats(s_values), fortran: true)));
        using var file = NpzFile.Open(Path);
        var x = file.Get("x");
        Assert.Equal([2, 3], x.Shape.ToArray());
        Assert.Equal([1, 2], x.Strides.ToArray());
        Assert.Equal(s_values, file.Get("v").Transpose().Reshape(6).AsSpan<float>().ToArray());
        Assert.Equal("FF2006", Assert.Throws<FeatureFlowException>(() => file.Get("cube")).Code);
    }

    [Fact]
    public void Every_type_is_read_and_big_endian_turned()
    {
        var big = new byte[8];
        BinaryPrimitives.WriteSingleBigEndian(big, 1.5f);
        BinaryPrimitives.WriteSingleBigEndian(big.AsSpan(4), float.NaN);
        var wide = new byte[8];
        BinaryPrimitives.WriteDoubleBigEndian(wide, -2.25);
        Zip(
            CompressionLevel.NoCompression,
            ("b4.npy", Npy(">f4", "(2,)", big)),
            ("b8.npy", Npy(">f8", "()", wide)),
            ("u1.npy", Npy("|u1", "(2,)", [7, 8])),
            ("i8.npy", Npy("<i8", "(1,)", [1, 0, 0, 0, 0, 0, 0, 0])),
            ("f2.npy", Npy("<f2", "(1,)", [0, 0x3C])),
            ("b1.npy", Npy("|b1", "(1,)", [1])),
            ("text.npy", Npy("<U3", "(1,)", new byte[12])),
            ("object.npy", Npy("|O", "(1,)", [0x80, 2, 75, 1, 46])),
            ("fields.npy", Npy("[('a', '<f4'), ('b', 'O')]", "(1,)", [0x80, 2, 75, 1, 46], quoted: false)));
        using var file = NpzFile.Open(Path);
        Assert.Equal([1.5f, float.NaN], file.Get("b4").AsSpan<float>().ToArray());
        Assert.Equal(new TensorScan(1, 1), file.Scan("b4"));
        Assert.Equal((0, -2.25), (file.Entry("b8").Shape.Length, file.Get("b8").AsSpan<double>()[0]));
        Assert.Equal([7, 8], file.Get("u1").AsSpan<byte>().ToArray());
        Assert.Equal(1, file.Get("i8").AsSpan<long>()[0]);
        Assert.Equal((Half)1, file.Get("f2").AsSpan<Half>()[0]);
        Assert.Equal(["b1", "text", "object", "fields"], file.Unreadable);
        Assert.Equal(["FF2006", "FF2006", "FF2028", "FF2028"], file.Unreadable.Select(n => Assert.Throws<FeatureFlowException>(() => file.Get(n)).Code));
    }

    [Theory]
    [InlineData("<f4", "(2, 4)", "needs 32 bytes")]
    [InlineData("<f4", "(2147483647, 2147483647, 2147483647)", "more bytes than any file")]
    [InlineData("<f4", "(99999999999,)", "extent")]
    [InlineData("<f4", "(-2, 3)", "header cannot be read")]
    [InlineData("<f4", "2, 3", "header cannot be read")]
    [InlineData("<f4", "(2, 3), 'shape': (6,)", "repeated key 'shape'")]
    [InlineData("<f4", "(2, 3), 'eval': exec", "unknown or repeated key 'eval'")]
    [InlineData("<f4", "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,6)", "axes")]
    public void Headers_that_do_not_fit_are_refused(string descr, string shape, string says)
    {
        Zip(CompressionLevel.NoCompression, ("x.npy", Npy(descr, shape, Floats(s_values))));
        var error = Assert.Throws<FeatureFlowException>(() => NpzFile.Open(Path));
        Assert.Equal("FF2024", error.Code);
        Assert.Contains("'x'", error.Message, StringComparison.Ordinal);
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../x.npy")]
    [InlineData("a/../../x.npy")]
    [InlineData("/x.npy")]
    [InlineData("..\\x.npy")]
    [InlineData("C:\\x.npy")]
    public void Names_that_lead_out_are_refused(string name)
    {
        Zip(CompressionLevel.NoCompression, (name, Npy("<f4", "(6,)", Floats(s_values))));
        Assert.Equal("FF2023", Assert.Throws<FeatureFlowException>(() => NpzFile.Open(Path)).Code);
    }

    [Fact]
    public void Damage_is_found_on_first_use_and_named()
    {
        foreach (var level in new[] { CompressionLevel.NoCompression, CompressionLevel.Optimal })
        {
            Zip(level, ("good.npy", Npy("<f4", "(6,)", Floats(s_values))), ("x.npy", Npy("<f4", "(600,)", Floats([.. Enumerable.Range(0, 600).Select(i => i * 1.1f)]))));
            var bytes = File.ReadAllBytes(Path);
            bytes[bytes.Length / 2] ^= 0x10;
            File.WriteAllBytes(Path, bytes);
            using var file = NpzFile.Open(Path);
            Assert.Equal(s_values, file.Get("good").AsSpan<float>().ToArray());
            for (var again = 0; again < 2; again++)
            {
                var error = Assert.Throws<FeatureFlowException>(() => file.Get("x"));
                Assert.Contains(error.Code, new[] { "FF2024", "FF2026" });
                Assert.Contains("'x'", error.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void A_member_that_claims_more_than_deflate_can_hold_is_refused_before_memory_is_taken()
    {
        Zip(CompressionLevel.Optimal, ("x.npy", Npy("<f4", "(6,)", Floats(s_values))));
        var bytes = File.ReadAllBytes(Path);
        var central = bytes.AsSpan().LastIndexOf("PK\u0001\u0002"u8);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(central + 24), 0x7FFF_FFF0);
        File.WriteAllBytes(Path, bytes);
        var error = Assert.Throws<FeatureFlowException>(() => NpzFile.Open(Path));
        Assert.Equal("FF2021", error.Code);
        Assert.Contains("claims", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(8, 1, "FF2022", "encrypted")]
    [InlineData(10, 12, "FF2022", "compression method 12")]
    [InlineData(42, 0x7F, "FF2021", "is not at byte")]
    [InlineData(20, 0x7F, "FF2021", "")]
    public void Directories_that_lie_are_refused(int at, byte value, string code, string says)
    {
        Zip(CompressionLevel.NoCompression, ("x.npy", Npy("<f4", "(6,)", Floats(s_values))));
        var bytes = File.ReadAllBytes(Path);
        bytes[bytes.AsSpan().LastIndexOf("PK\u0001\u0002"u8) + at] = value;
        File.WriteAllBytes(Path, bytes);
        var error = Assert.Throws<FeatureFlowException>(() => NpzFile.Open(Path));
        Assert.Equal(code, error.Code);
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_members_of_one_name_are_refused()
    {
        Zip(CompressionLevel.NoCompression, ("x.npy", Npy("<f4", "(6,)", Floats(s_values))), ("x.npy", Npy("<f4", "(6,)", Floats(s_values))));
        Assert.Contains("two members", Assert.Throws<FeatureFlowException>(() => NpzFile.Open(Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_archive_may_end_in_a_comment_and_hold_nothing_else_than_arrays()
    {
        Zip(CompressionLevel.NoCompression, ("x.npy", Npy("<f4", "(6,)", Floats(s_values))));
        using (var zip = ZipFile.Open(Path, ZipArchiveMode.Update)) zip.Comment = new string('c', 3000);
        using (var file = TensorFile.Open(Path)) Assert.Equal(s_values, Assert.IsType<NpzFile>(file).Get("x").AsSpan<float>().ToArray());
        Zip(CompressionLevel.NoCompression, ("data.pkl", [1]));
        Assert.Equal("FF2027", Assert.Throws<FeatureFlowException>(() => NpzFile.Open(Path)).Code);
        Zip(CompressionLevel.NoCompression, ("a.txt", [1]));
        Assert.Contains("no .npy array", Assert.Throws<FeatureFlowException>(() => NpzFile.Open(Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Random_damage_gives_our_error_or_arrays()
    {
        var random = new Random(17);
        Zip(CompressionLevel.Optimal, ("x.npy", Npy("<f4", "(6,)", Floats(s_values))), ("y.npy", Npy("<f2", "(2, 2)", new byte[8], fortran: true)));
        var whole = File.ReadAllBytes(Path);
        for (var attempt = 0; attempt < 400; attempt++)
        {
            byte[] bytes = random.Next(4) == 0 ? whole[..random.Next(whole.Length)] : [.. whole];
            for (var i = random.Next(4); i > 0 && bytes.Length > 0; i--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(Path, bytes);
            try
            {
                using var file = NpzFile.Open(Path);
                foreach (var entry in file.Entries) file.Get(entry.Name);
            }
            catch (FeatureFlowException e)
            {
                Assert.Equal(FailureKind.Input, e.Kind);
            }
        }
    }

    private void Zip(CompressionLevel level, params (string Name, byte[] Bytes)[] members)
    {
        using var zip = new ZipArchive(File.Create(Path), ZipArchiveMode.Create);
        foreach (var (name, bytes) in members)
        {
            using var stream = zip.CreateEntry(name, level).Open();
            stream.Write(bytes);
        }
    }

    private static byte[] Npy(string descr, string shape, byte[] data, bool fortran = false, int version = 1, bool quoted = true)
    {
        var header = $"{{'descr': {(quoted ? $"'{descr}'" : descr)}, 'fortran_order': {(fortran ? "True" : "False")}, 'shape': {shape}, }}";
        header = header.PadRight(118 - 1) + "\n";
        byte[] length = version == 1 ? [(byte)header.Length, (byte)(header.Length >> 8)] : [(byte)header.Length, (byte)(header.Length >> 8), 0, 0];
        return [0x93, .. "NUMPY"u8, (byte)version, 0, .. length, .. Encoding.Latin1.GetBytes(header), .. data];
    }

    private static byte[] Floats(float[] values)
    {
        var bytes = new byte[values.Length * 4];
        for (var i = 0; i < values.Length; i++) BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * 4), values[i]);
        return bytes;
    }
}
