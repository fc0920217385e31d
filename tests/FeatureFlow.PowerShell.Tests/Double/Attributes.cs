#pragma warning disable IDE0130 // the namespace of what it stands for
namespace System.Management.Automation;

// A double of the few PowerShell types that the cmdlets use, so that their sources run in real pipelines where no PowerShell is
// installed. It follows PowerShell where the cmdlets can tell the difference, and has nothing else.

[AttributeUsage(AttributeTargets.Class)]
public sealed class CmdletAttribute(string verb, string noun) : Attribute
{
    public string Verb { get; } = verb;

    public string Noun { get; } = noun;

    public string? DefaultParameterSetName { get; set; }

    public bool SupportsShouldProcess { get; set; }
}

[AttributeUsage(AttributeTargets.Class, AllowMultiple = true)]
public sealed class OutputTypeAttribute(params Type[] types) : Attribute
{
    public Type[] Types { get; } = types;
}

[AttributeUsage(AttributeTargets.Property, AllowMultiple = true)]
public sealed class ParameterAttribute : Attribute
{
    public string? ParameterSetName { get; set; }

    public bool Mandatory { get; set; }

    public int Position { get; set; } = int.MinValue;

    public bool ValueFromPipeline { get; set; }

    public bool ValueFromPipelineByPropertyName { get; set; }

    public bool DontShow { get; set; }

    public string? HelpMessage { get; set; }
}

[AttributeUsage(AttributeTargets.Property)]
public sealed class AliasAttribute(params string[] names) : Attribute
{
    public string[] Names { get; } = names;
}

[AttributeUsage(AttributeTargets.Property)]
public sealed class ArgumentCompleterAttribute(Type type) : Attribute
{
    public Type Type { get; } = type;
}

[AttributeUsage(AttributeTargets.Property)]
public sealed class SupportsWildcardsAttribute : Attribute;

public abstract class ValidateAttribute : Attribute
{
    public abstract bool Allows(object? value);
}

[AttributeUsage(AttributeTargets.Property)]
public sealed class ValidateNotNullOrEmptyAttribute : ValidateAttribute
{
    public override bool Allows(object? value) => value is not (null or "" or Array { Length: 0 });
}

[AttributeUsage(AttributeTargets.Property)]
public sealed class AllowEmptyStringAttribute : Attribute;

[AttributeUsage(AttributeTargets.Property)]
public sealed class ValidateNotNullAttribute : ValidateAttribute
{
    public override bool Allows(object? value) => value is not null;
}

[AttributeUsage(AttributeTargets.Property)]
public sealed class ValidateRangeAttribute(object least, object most) : ValidateAttribute
{
    public override bool Allows(object? value) =>
        value is null || (Convert.ToDouble(value, null) >= Convert.ToDouble(least, null) && Convert.ToDouble(value, null) <= Convert.ToDouble(most, null));
}

[AttributeUsage(AttributeTargets.Property)]
public sealed class ValidateSetAttribute(params string[] values) : ValidateAttribute
{
    public string[] Values { get; } = values;

    public override bool Allows(object? value) => value is null || Values.Contains(value.ToString(), StringComparer.OrdinalIgnoreCase);
}

public static class VerbsCommon
{
    public const string Join = "Join";

    public const string Get = "Get";
    public const string New = "New";
    public const string Find = "Find";
    public const string Clear = "Clear";
    public const string Set = "Set";
}

public static class VerbsLifecycle
{
    public const string Invoke = "Invoke";
}

public static class VerbsData
{
    public const string Export = "Export";
}

public static class VerbsDiagnostic
{
    public const string Measure = "Measure";
}

public interface IModuleAssemblyInitializer
{
    void OnImport();
}
