using FeatureFlow.Testing;

namespace FeatureFlow.Saes.Tests;

/// <summary>Every folder of fixtures/saes: one SAE as each project writes it, with what that project computes.</summary>
public sealed class FixtureTests
{
    [Theory]
    [InlineData("gemmascope-npz")]
    [InlineData("gemmascope-npz-compressed")]
    public void Encodes_and_decodes_as_the_project_does(string folder)
    {
        using var sae = Sae.Open(Repository.Fixture("saes", folder));
        Parity.Check(sae, Repository.Fixture("saes", folder, "expected.safetensors"));
    }
}
