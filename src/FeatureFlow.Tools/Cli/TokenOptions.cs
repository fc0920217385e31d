using System.CommandLine;
using System.Globalization;
using System.Text;
using FeatureFlow.Experiments.Texts;

namespace FeatureFlow.Tools;

/// <summary>Options about models, texts and tokens that several commands share.</summary>
internal static class TokenOptions
{
    public static Option<string> Model() => new("--model", "-m")
    {
        Description = "Model: the folder of a Hugging Face checkpoint, or a hub id that the local cache has.",
        HelpName = "DIR",
        Required = true,
    };

    public static Option<string?> Text() => new("--text") { Description = "A text.", HelpName = "TEXT" };

    public static Option<string?> File() => new("--file") { Description = "A text file, UTF-8; '-' reads standard input.", HelpName = "FILE" };

    /// <summary>The text of a file, or of standard input.</summary>
    /// <exception cref="FeatureFlowException">FF5101, FF5102, FF5006: not there, not UTF-8, not readable.</exception>
    public static string Read(string file)
    {
        if (file != "-") return TextFile.Read(file);
        using var reader = new StreamReader(Console.OpenStandardInput(), new UTF8Encoding(false, throwOnInvalidBytes: true));
        return TextFile.Read("standard input", reader);
    }

    /// <summary>Token ids as words, or with commas between.</summary>
    /// <exception cref="FeatureFlowException">FF6017: not a number.</exception>
    public static int[] Ids(IEnumerable<string> words) =>
        [.. words.SelectMany(w => w.Split(',', StringSplitOptions.RemoveEmptyEntries)).Select(w => int.TryParse(w, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : throw ToolErrors.TokenId(w))];
}
