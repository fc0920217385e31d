using FeatureFlow.Tensors;
using FeatureFlow.Testing;

namespace FeatureFlow.Saes.Tests;

/// <summary>Files that are damaged at random: opened, used, or refused with our error; never anything else, and never much memory.</summary>
public sealed class FuzzTests : IDisposable
{
    private const int Tries = 40;
    private const long Allowance = 64 << 20;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, int> Fixtures
    {
        get
        {
            var data = new TheoryData<string, int>();
            foreach (var folder in Directory.GetDirectories(Repository.Fixture("saes")).Order(StringComparer.Ordinal)) data.Add(Path.GetFileName(folder), data.Count + 1);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Fixtures))]
    public void Damaged_files_are_refused_or_read(string fixture, int seed)
    {
        var random = new Random(seed);
        var source = Repository.Fixture("saes", fixture);
        var files = Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories).Where(f => !f.EndsWith("expected.safetensors", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToArray();
        var refused = 0;
        for (var attempt = 0; attempt < Tries; attempt++)
        {
            var folder = _folder.File($"{attempt}");
            var victim = random.Next(files.Length);
            for (var i = 0; i < files.Length; i++)
            {
                var copy = Path.Combine(folder, Path.GetRelativePath(source, files[i]));
                Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
                var bytes = File.ReadAllBytes(files[i]);
                File.WriteAllBytes(copy, i == victim ? Damage(bytes, random) : bytes);
            }

            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                using var sae = Sae.Open(folder);
                Parity.Run(sae, Tensor.Allocate(DType.F32, 3, sae.Info.InputWidth));
                Assert.NotNull(sae.Check(CpuEngine.Shared));
            }
            catch (FeatureFlowException e)
            {
                refused++;
                Assert.True(e.Kind is FailureKind.Input, $"{e.Code} {e.Message}");
            }

            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, Allowance);
            Directory.Delete(folder, recursive: true);
        }

        Assert.InRange(refused, 5, Tries);
    }

    private static byte[] Damage(byte[] bytes, Random random)
    {
        switch (random.Next(5))
        {
            case 0: return bytes[..random.Next(bytes.Length)];
            case 1:
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                return bytes;
            case 2: // headers and directories lie at both ends
                for (var i = 0; i < 4; i++) bytes[random.Next(Math.Min(bytes.Length, 200))] = (byte)random.Next(256);
                return bytes;
            case 3:
                for (var i = 0; i < 4; i++) bytes[bytes.Length - 1 - random.Next(Math.Min(bytes.Length, 200))] = (byte)random.Next(256);
                return bytes;
            default:
                var at = random.Next(bytes.Length);
                return [.. bytes[..at], .. bytes[Math.Min(bytes.Length, at + random.Next(1, 64))..]];
        }
    }
}
