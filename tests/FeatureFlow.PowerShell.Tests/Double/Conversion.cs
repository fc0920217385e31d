using System.Globalization;
using System.Management.Automation;

namespace FeatureFlow.PowerShell.Tests;

/// <summary>PowerShell's conversions, as far as the cmdlets' parameters need them: arrays from single values, Parse, constructors, enums, numbers.</summary>
internal static class Conversion
{
    public static object? To(Type type, object? value)
    {
        if (value is null)
        {
            // a null string becomes an empty one, a null number is no number
            if (type == typeof(string)) return "";
            return type.IsValueType && Nullable.GetUnderlyingType(type) is null ? throw Cannot(type, value) : null;
        }

        if (type.IsInstanceOfType(value)) return value;
        if (Nullable.GetUnderlyingType(type) is { } inner) return To(inner, value);
        if (type.IsArray) return Array(type.GetElementType()!, value as System.Array ?? new[] { value });
        try
        {
            return One(type, value);
        }
        catch (Exception e) when (e is FormatException or OverflowException or InvalidCastException or ArgumentException)
        {
            throw Cannot(type, value);
        }
    }

    private static object One(Type type, object value)
    {
        if (type == typeof(SwitchParameter)) return new SwitchParameter(Convert.ToBoolean(value, CultureInfo.InvariantCulture));
        if (type == typeof(string)) return Convert.ToString(value, CultureInfo.InvariantCulture)!;
        if (type.IsEnum) return Enum.Parse(type, value.ToString()!, ignoreCase: true);
        if (type.IsPrimitive) return Convert.ChangeType(value, type, CultureInfo.InvariantCulture);
        if (value is string text && type.GetMethod("Parse", [typeof(string)]) is { } parse) return Invoke(type, value, () => parse.Invoke(null, [text])!);
        if (type.GetConstructor([value.GetType()]) is { } constructor) return Invoke(type, value, () => constructor.Invoke([value]));
        throw Cannot(type, value);
    }

    private static object Invoke(Type type, object value, Func<object> call)
    {
        try
        {
            return call();
        }
        catch (System.Reflection.TargetInvocationException e)
        {
            throw new ParameterBindingException($"Cannot convert '{value}' to {type.Name}. {e.InnerException!.Message}");
        }
    }

    private static System.Array Array(Type element, System.Array values)
    {
        var array = System.Array.CreateInstance(element, values.Length);
        for (var i = 0; i < values.Length; i++) array.SetValue(To(element, values.GetValue(i)), i);
        return array;
    }

    private static ParameterBindingException Cannot(Type type, object? value) => new($"Cannot convert '{value}' to {type.Name}.");
}
