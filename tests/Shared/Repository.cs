using System.Reflection;

namespace FeatureFlow.Testing;

/// <summary>Where the repository, its fixtures and the optional outside data are.</summary>
public static class Repository
{
    /// <summary>The root of the checkout that the tests were built from.</summary>
    public static string Root { get; } = typeof(Repository).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>()
        .First(a => a.Key == "RepositoryRoot").Value!;

    /// <summary>A file or folder under tests/fixtures.</summary>
    public static string Fixture(params string[] parts) => Path.Combine([Root, "tests", "fixtures", .. parts]);

    /// <summary>A file or folder under examples.</summary>
    public static string Example(params string[] parts) => Path.Combine([Root, "examples", .. parts]);

    /// <summary>Outside data (models and texts of other people), or null: <c>FEATUREFLOW_TEST_DATA</c> names the folder.</summary>
    public static string? Data { get; } =
        Environment.GetEnvironmentVariable("FEATUREFLOW_TEST_DATA") is { Length: > 0 } d && Directory.Exists(d) ? d : null;
}

/// <summary>A test that needs <c>FEATUREFLOW_TEST_DATA</c>; without it the test reports itself as not run.</summary>
public sealed class DataFactAttribute : FactAttribute
{
    public DataFactAttribute()
    {
        if (Repository.Data is null) Skip = "not run: set FEATUREFLOW_TEST_DATA to the folder with the shared data";
    }
}
