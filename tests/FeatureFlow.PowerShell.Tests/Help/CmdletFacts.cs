using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Reflection;

namespace FeatureFlow.PowerShell.Tests.Help;

/// <summary>A parameter as help tells of it, read from the attributes.</summary>
internal sealed record ParameterFacts(
    string Name, Type Type, int? Position, bool IsMandatory, bool ByValue, bool ByName, bool Globbing, bool IsHidden, string? Default, IReadOnlyList<string> Aliases)
{
    public bool IsSwitch => Type == typeof(SwitchParameter);

    public string TypeName => CmdletFacts.NameOf(Type);

    /// <summary>The line under the parameter's heading.</summary>
    public string Line => "> " + string.Join(" · ", Parts());

    private IEnumerable<string> Parts()
    {
        yield return IsSwitch ? "switch" : $"`{TypeName}`";
        if (IsMandatory) yield return "required";
        if (Position is { } position) yield return string.Create(CultureInfo.InvariantCulture, $"position {position}");
        if (ByValue) yield return "from the pipeline";
        if (ByName) yield return "from the pipeline by name";
        if (Globbing) yield return "wildcards";
        if (Default is not null) yield return $"default `{Default}`";
        if (Aliases.Count > 0) yield return $"alias {string.Join(", ", Aliases.Select(a => $"`{a}`"))}";
    }
}

/// <summary>What help needs to know of a cmdlet and its source alone knows.</summary>
internal sealed class CmdletFacts
{
    private readonly PropertyInfo[] _properties;
    private readonly object _instance;
    private readonly CmdletAttribute _cmdlet;

    public CmdletFacts(Type type)
    {
        _cmdlet = type.GetCustomAttribute<CmdletAttribute>()!;
        _instance = Activator.CreateInstance(type)!;
        _properties = [.. ContractTests.Parameters(type)];
    }

    public string Verb => _cmdlet.Verb;

    public string Noun => _cmdlet.Noun;

    public string Name => $"{Verb}-{Noun}";

    /// <summary>Every parameter, those that ShouldProcess brings too.</summary>
    public IReadOnlyList<ParameterFacts> All => [.. _properties.Select(p => Facts(p, null)), .. Common];

    /// <summary>Parameter sets, the default first.</summary>
    public IReadOnlyList<IReadOnlyList<ParameterFacts>> Sets
    {
        get
        {
            var names = _properties.SelectMany(Roles).Select(r => r.ParameterSetName).OfType<string>().Distinct().OrderByDescending(n => n == _cmdlet.DefaultParameterSetName).ToList();
            return names.Count == 0 ? [Set(null)] : [.. names.Select(Set)];
        }
    }

    /// <summary>The lines of the syntax, parameters in the order of the page.</summary>
    public IEnumerable<string> Syntax(IReadOnlyList<string> order) =>
        Sets.Select(set => string.Join(' ', [Name, .. Ordered(set, order).Select(Written), "[<CommonParameters>]"]));

    public static IEnumerable<ParameterFacts> Ordered(IEnumerable<ParameterFacts> set, IReadOnlyList<string> order) =>
        set.Where(p => !p.IsHidden).OrderBy(p => p.Position ?? int.MaxValue).ThenBy(p => order.ToList().IndexOf(p.Name));

    public static string NameOf(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is { } inner) return NameOf(inner);
        if (type.IsArray) return NameOf(type.GetElementType()!) + "[]";
        return type == typeof(string) ? "string" : type == typeof(int) ? "int" : type == typeof(double) ? "double" : type == typeof(Hashtable) ? "hashtable" : type.Name;
    }

    private IEnumerable<ParameterFacts> Common => _cmdlet.SupportsShouldProcess
        ? new[] { ("WhatIf", "wi"), ("Confirm", "cf") }.Select(c => new ParameterFacts(c.Item1, typeof(SwitchParameter), null, false, false, false, false, false, null, [c.Item2]))
        : [];

    private IReadOnlyList<ParameterFacts> Set(string? set) =>
        [.. _properties.Where(p => Roles(p).Any(r => r.ParameterSetName is null || r.ParameterSetName == set)).Select(p => Facts(p, set)), .. Common];

    private ParameterFacts Facts(PropertyInfo property, string? set)
    {
        var roles = Roles(property).Where(r => set is null || r.ParameterSetName is null || r.ParameterSetName == set).ToList();
        var value = property.GetValue(_instance);
        return new ParameterFacts(
            property.Name,
            property.PropertyType,
            roles.Select(r => r.Position).FirstOrDefault(p => p >= 0, -1) is >= 0 and var position ? position : null,
            roles.Any(r => r.Mandatory),
            roles.Any(r => r.ValueFromPipeline),
            roles.Any(r => r.ValueFromPipelineByPropertyName),
            property.IsDefined(typeof(SupportsWildcardsAttribute)),
            roles.Any(r => r.DontShow),
            value is int or double or Enum ? Convert.ToString(value, CultureInfo.InvariantCulture) : null,
            property.GetCustomAttribute<AliasAttribute>()?.Names ?? []);
    }

    private static IEnumerable<ParameterAttribute> Roles(PropertyInfo property) => property.GetCustomAttributes<ParameterAttribute>();

    private static string Written(ParameterFacts p)
    {
        var name = p.Position is null ? $"-{p.Name}" : $"[-{p.Name}]";
        var text = p.IsSwitch ? name : $"{name} <{p.TypeName}>";
        return p.IsMandatory ? text : $"[{text}]";
    }
}
