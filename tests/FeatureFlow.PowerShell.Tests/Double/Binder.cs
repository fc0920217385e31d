using System.Collections;
using System.Management.Automation;
using System.Reflection;

namespace FeatureFlow.PowerShell.Tests;

/// <summary>
/// Binds arguments and pipeline objects to a cmdlet as PowerShell does: named arguments with conversion; of a pipeline object first its
/// value as it is, then its properties as they are, then both converted; parameters from the pipeline are reset for every object.
/// </summary>
internal sealed class Binder(PSCmdlet cmdlet)
{
    private readonly PropertyInfo[] _parameters = [.. cmdlet.GetType().GetProperties().Where(p => p.IsDefined(typeof(ParameterAttribute)))];
    private readonly string? _default = cmdlet.GetType().GetCustomAttribute<CmdletAttribute>()!.DefaultParameterSetName;
    private readonly HashSet<string> _named = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<PropertyInfo, object?> _defaults = [];

    private IEnumerable<string> Sets => _parameters.SelectMany(p => p.GetCustomAttributes<ParameterAttribute>()).Select(a => a.ParameterSetName).OfType<string>().Distinct();

    public void BindNamed(IEnumerable<(string Name, object? Value)> arguments)
    {
        foreach (var (name, value) in arguments)
        {
            var parameter = _parameters.SingleOrDefault(p => Names(p).Contains(name, StringComparer.OrdinalIgnoreCase)) ?? throw new ParameterBindingException($"no parameter '{name}'");
            Set(parameter, value);
            _named.Add(parameter.Name);
        }

        cmdlet.ParameterSetName = Choose([.. _named]);
    }

    /// <summary>Binds a pipeline object; null when there is no pipeline.</summary>
    public void BindInput(object? input)
    {
        foreach (var (parameter, value) in _defaults) parameter.SetValue(cmdlet, value);
        foreach (var parameter in _defaults.Keys) cmdlet.MyInvocation.BoundParameters.Remove(parameter.Name);
        _defaults.Clear();
        var bound = new HashSet<string>(_named, StringComparer.OrdinalIgnoreCase);
        foreach (var convert in input is null ? Array.Empty<bool>() : [false, true])
        {
            ByValue(input!, bound, convert);
            ByProperty(input!, bound, convert);
        }

        cmdlet.ParameterSetName = Choose(bound);
        var missing = _parameters.FirstOrDefault(p => Roles(p).Any(a => a.Mandatory && Fits(a, cmdlet.ParameterSetName)) && !bound.Contains(p.Name));
        if (missing is not null) throw new ParameterBindingException($"missing mandatory parameter '{missing.Name}'");
    }

    private void ByValue(object input, HashSet<string> bound, bool convert)
    {
        foreach (var parameter in Open(bound).Where(p => Roles(p).Any(a => a.ValueFromPipeline)))
        {
            if (!convert && !Accepts(parameter, input)) continue;
            try
            {
                FromPipeline(parameter, input);
            }
            catch (ParameterBindingException) when (convert)
            {
                continue;
            }

            bound.Add(parameter.Name);
            return;
        }
    }

    private void ByProperty(object input, HashSet<string> bound, bool convert)
    {
        foreach (var parameter in Open(bound).Where(p => Roles(p).Any(a => a.ValueFromPipelineByPropertyName)).ToArray())
        {
            if (Open(bound).Contains(parameter)) TryProperty(parameter, input, bound, convert);
        }
    }

    private void TryProperty(PropertyInfo parameter, object input, HashSet<string> bound, bool convert)
    {
        foreach (var name in Names(parameter))
        {
            object? value;
            if (input is IDictionary row)
            {
                var key = row.Keys.Cast<string>().FirstOrDefault(k => string.Equals(k, name, StringComparison.OrdinalIgnoreCase));
                if (key is null) continue;
                value = row[key];
            }
            else
            {
                var property = input.GetType().GetProperty(name, BindingFlags.Public | BindingFlags.Instance | BindingFlags.IgnoreCase);
                if (property is null) continue;
                value = property.GetValue(input);
            }

            if (!convert && !Accepts(parameter, value)) return;
            FromPipeline(parameter, value);
            bound.Add(parameter.Name);
            return;
        }
    }

    private static bool Accepts(PropertyInfo parameter, object? value) =>
        parameter.PropertyType.IsInstanceOfType(value) || (parameter.PropertyType.IsArray && parameter.PropertyType.GetElementType()!.IsInstanceOfType(value));

    private void FromPipeline(PropertyInfo parameter, object? value)
    {
        var before = parameter.GetValue(cmdlet);
        Set(parameter, value);
        _defaults[parameter] = before;
    }

    private void Set(PropertyInfo parameter, object? value)
    {
        var converted = Conversion.To(parameter.PropertyType, value);
        if (parameter.GetCustomAttributes<ValidateAttribute>().FirstOrDefault(v => !v.Allows(converted)) is { } broken)
        {
            throw new ParameterBindingException($"{parameter.Name}: {broken.GetType().Name} refuses '{value}'");
        }

        parameter.SetValue(cmdlet, converted);
        cmdlet.MyInvocation.BoundParameters[parameter.Name] = converted;
    }

    // parameters that are free, and in a set that all bound ones allow
    private IEnumerable<PropertyInfo> Open(HashSet<string> bound)
    {
        var set = Candidates(bound).ToArray();
        return _parameters.Where(p => !bound.Contains(p.Name) && Roles(p).Any(a => a.ParameterSetName is null || set.Contains(a.ParameterSetName)));
    }

    private IEnumerable<string> Candidates(HashSet<string> bound) =>
        Sets.Where(s => _parameters.Where(p => bound.Contains(p.Name)).All(p => Roles(p).Any(a => Fits(a, s)))).OrderByDescending(s => s == _default);

    private string Choose(HashSet<string> bound)
    {
        if (!Sets.Any()) return "__AllParameterSets";
        var all = Candidates(bound).ToArray();
        return all.Length > 0 ? all[0] : throw new ParameterBindingException("no parameter set has all of " + string.Join(", ", bound));
    }

    private static bool Fits(ParameterAttribute role, string set) => role.ParameterSetName is null || role.ParameterSetName == set;

    private static IEnumerable<ParameterAttribute> Roles(PropertyInfo parameter) => parameter.GetCustomAttributes<ParameterAttribute>();

    private static IEnumerable<string> Names(PropertyInfo parameter) => [parameter.Name, .. parameter.GetCustomAttribute<AliasAttribute>()?.Names ?? []];
}
