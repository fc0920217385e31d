using System.CommandLine;
using System.Globalization;

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

    public static Option<string?> File() => new("--file") { Description = "A text file, UTF-8.", HelpName = "FILE" };

    /// <summary>Token ids as words, or with commas between.</summary>
    /// <exception cref="FeatureFlowException">FF6017: not a number.</exception>
    public static int[] Ids(IEnumerable<string> words) =>
        [.. words.SelectMany(w => w.Split(',', StringSplitOptions.RemoveEmptyEntries)).Select(w => int.TryParse(w, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : throw ToolErrors.TokenId(w))];
}
