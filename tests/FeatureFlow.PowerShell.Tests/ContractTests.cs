using System.Management.Automation;
using System.Reflection;
using System.Text.RegularExpressions;
using FeatureFlow.Experiments;
using FeatureFlow.Testing;

namespace FeatureFlow.PowerShell.Tests;

/// <summary>What every cmdlet owes its users, read from the cmdlets themselves.</summary>
public sealed partial class ContractTests
{
    internal static IReadOnlyList<Type> Cmdlets { get; } =
        [.. typeof(EngineCmdlet).Assembly.GetTypes().Where(t => t.IsDefined(typeof(CmdletAttribute)) && !t.IsAbstract).OrderBy(Name, StringComparer.Ordinal)];

    public static TheoryData<string> Names => [.. Cmdlets.Select(Name)];

    internal static string Name(Type type) => type.GetCustomAttribute<CmdletAttribute>() is { } c ? $"{c.Verb}-{c.Noun}" : "";

    internal static IEnumerable<PropertyInfo> Parameters(Type type) => type.GetProperties().Where(p => p.IsDefined(typeof(ParameterAttribute))).OrderBy(p => p.Name, StringComparer.Ordinal);

    [Fact]
    public void TheManifestExportsThemAll()
    {
        var manifest = File.ReadAllText(Path.Combine(Repository.Root, "modules", "FeatureFlow", "FeatureFlow.psd1"));
        var exported = Exports().Match(manifest).Groups[1].Value.Split('\n').Select(l => l.Trim().Trim('\'')).Where(l => l.Length > 0);
        Assert.Equal(Cmdlets.Select(Name), exported);
        var version = Version().Match(File.ReadAllText(Path.Combine(Repository.Root, "Directory.Build.props"))).Groups[1].Value;
        Assert.Contains($"ModuleVersion        = '{version}'", manifest, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void ItSaysWhatItGivesAndTakes(string name)
    {
        var type = Cmdlets.Single(t => Name(t) == name);
        Assert.True(type.IsSealed && type.IsPublic);
        Assert.Equal(name.Replace("-", "", StringComparison.Ordinal) + "Command", type.Name);
        Assert.NotEmpty(type.GetCustomAttributes<OutputTypeAttribute>());
        foreach (var parameter in Parameters(type))
        {
            Assert.False(parameter.PropertyType == typeof(bool), $"{parameter.Name} is a switch");
            Assert.All(parameter.GetCustomAttributes<ParameterAttribute>(), a => Assert.False(string.IsNullOrWhiteSpace(a.HelpMessage), parameter.Name));
        }
    }

    [Fact]
    public void TheSameParameterIsTheSameEverywhere()
    {
        foreach (var same in Cmdlets.SelectMany(Parameters).Where(p => p.Name != "Path").GroupBy(p => p.Name))
        {
            Assert.Single(same.Select(p => p.PropertyType).Distinct());
            Assert.Single(same.Select(p => p.GetCustomAttribute<ArgumentCompleterAttribute>()?.Type).Distinct());
        }
    }

    [Fact]
    public void WhatOneWritesTheNextTakes()
    {
        var taken = Parameters(typeof(NewFlowGraphCommand)).Where(p => p.GetCustomAttributes<ParameterAttribute>().Any(a => a.ValueFromPipelineByPropertyName)).Select(p => p.Name);
        foreach (var type in new[] { typeof(Flow.FeatureMatch), typeof(Flow.SaeFeature), typeof(SaeSummary) })
        {
            Assert.Superset(new HashSet<string>(["Pack", "Layer", "Site"]), type.GetProperties().Select(p => p.Name).Intersect(taken).ToHashSet());
        }
    }

    [Fact]
    public void EveryFormatCanBeAskedFor() =>
        Assert.Equal(Enum.GetNames<GraphFormat>(), typeof(ExportFlowGraphCommand).GetProperty("Format")!.GetCustomAttribute<ValidateSetAttribute>()!.Values);

    // a field whose type lies in the private context would need it before the module could say where it is
    [Fact]
    public void NoTypeOfTheModuleHoldsAPrivateOne()
    {
        var ours = typeof(EngineCmdlet).Assembly.GetTypes().Where(t => t.Namespace == "FeatureFlow.PowerShell" || t.DeclaringType?.Namespace == "FeatureFlow.PowerShell");
        const BindingFlags All = BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
        Assert.DoesNotContain(ours.SelectMany(t => t.GetFields(All)), f => f.FieldType.Assembly == typeof(PackFile).Assembly);
    }

    [GeneratedRegex(@"CmdletsToExport\s+= @\(([^)]*)\)")]
    private static partial Regex Exports();

    [GeneratedRegex("<Version>(.*)</Version>")]
    private static partial Regex Version();
}
