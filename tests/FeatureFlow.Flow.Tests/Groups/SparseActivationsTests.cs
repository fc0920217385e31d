using FeatureFlow.Tensors;

namespace FeatureFlow.Flow.Tests.Groups;

/// <summary>Sparse activations in memory and in the file.</summary>
public sealed class SparseActivationsTests
{
    [Theory, InlineData(0), InlineData(40_000), InlineData(long.MaxValue)]
    public void What_went_to_the_file_reads_as_what_stayed(long budget)
    {
        const int features = 97, rows = 3000;
        using var spill = new ActivationSpill(budget);
        var sparse = new SparseActivations(features, spill);
        var dense = new float[rows * features];
        var random = new Prng(3);
        for (var i = 0; i < dense.Length; i++) dense[i] = random.Next(7) == 0 ? 1 + random.Next(1000) : 0;
        for (var start = 0; start < rows; start += 500)
        {
            using var block = Tensor.Allocate(DType.F32, 500, features);
            dense.AsSpan(start * features, 500 * features).CopyTo(block.AsSpan<float>());
            sparse.Append(block);
        }

        Assert.Equal(rows, sparse.Rows);
        Assert.Equal(budget < long.MaxValue, spill.Bytes > 0);
        for (var row = 0; row < rows; row++)
        {
            var expected = Enumerable.Range(0, features).Where(f => dense[(row * features) + f] != 0).ToArray();
            Assert.Equal(expected, sparse.Indices(row).ToArray());
            Assert.Equal(expected.Select(f => dense[(row * features) + f]), sparse.Values(row).ToArray());
            Assert.Equal(dense[row * features], sparse.At(row, 0));
        }
    }

    [Fact]
    public void The_file_goes_when_it_is_closed()
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            using (var spill = new ActivationSpill(0, folder.FullName))
            {
                spill.Takes([1, 2, 3], [4f, 5f, 6f]);
                Assert.Equal([4f, 5f], spill.Read<float>(12, 2).ToArray());
                Assert.Single(folder.GetFiles());
            }

            Assert.Empty(folder.GetFiles());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
