using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace FeatureFlow.Experiments;

/// <summary>Interpolated text in the invariant culture, straight into a builder: what machines read must not depend on who writes it.</summary>
internal static class InvariantText
{
    /// <summary>Appends an interpolated string.</summary>
    public static StringBuilder Put(this StringBuilder text, [InterpolatedStringHandlerArgument(nameof(text))] ref Handler handler)
    {
        _ = handler;
        return text;
    }

    /// <summary>What the compiler turns <c>$"..."</c> into.</summary>
    [InterpolatedStringHandler]
    public ref struct Handler(int literals, int holes, StringBuilder text)
    {
        private StringBuilder.AppendInterpolatedStringHandler _inner = new(literals, holes, text, CultureInfo.InvariantCulture);

        public void AppendLiteral(string value) => _inner.AppendLiteral(value);

        public void AppendFormatted<T>(T value) => _inner.AppendFormatted(value);

        public void AppendFormatted<T>(T value, string? format) => _inner.AppendFormatted(value, format);
    }
}
