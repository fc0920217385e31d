using System.Collections;
using System.Management.Automation.Language;
using System.Text.RegularExpressions;

#pragma warning disable IDE0130 // the namespace of what it stands for
#pragma warning disable SA1403 // two namespaces, both tiny
namespace System.Management.Automation
{
    public interface IArgumentCompleter
    {
        IEnumerable<CompletionResult> CompleteArgument(string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters);
    }

    public enum CompletionResultType
    {
        ParameterValue,
        ProviderContainer,
        ProviderItem,
    }

    public sealed record CompletionResult(string CompletionText, string ListItemText, CompletionResultType ResultType, string ToolTip);

    public static class CompletionCompleters
    {
        public static IEnumerable<CompletionResult> CompleteFilename(string word) =>
            from entry in Directory.EnumerateFileSystemEntries(PowerShell.Folder, word + "*")
            let name = Path.GetFileName(entry)
            orderby name
            select new CompletionResult(name, name, Directory.Exists(entry) ? CompletionResultType.ProviderContainer : CompletionResultType.ProviderItem, entry);
    }

    [Flags]
    public enum WildcardOptions
    {
        None = 0,
        IgnoreCase = 2,
    }

    public sealed class WildcardPattern
    {
        private readonly Regex _regex;

        private WildcardPattern(string pattern) =>
            _regex = new Regex("^" + Regex.Escape(pattern).Replace("\\*", ".*").Replace("\\?", ".") + "$", RegexOptions.IgnoreCase | RegexOptions.Singleline);

        public static WildcardPattern Get(string pattern, WildcardOptions options) => new(pattern);

        public static bool ContainsWildcardCharacters(string pattern) => pattern.AsSpan().IndexOfAny("*?[") >= 0;

        public bool IsMatch(string text) => _regex.IsMatch(text);
    }

    public enum RunspaceMode
    {
        CurrentRunspace,
    }

    /// <summary>Knows one script: where a path leads from the current folder.</summary>
    public sealed class PowerShell : IDisposable
    {
        private string _path = "";

        public static string Folder { get; set; } = "";

        public static PowerShell Create(RunspaceMode mode) => new();

        public PowerShell AddScript(string script, bool useLocalScope) => this;

        public PowerShell AddArgument(object value)
        {
            _path = (string)value;
            return this;
        }

        public IEnumerable<T> Invoke<T>() => [(T)(object)Path.GetFullPath(_path, Folder)];

        public void Dispose()
        {
        }
    }
}

namespace System.Management.Automation.Language
{
    public sealed class CommandAst;
}
