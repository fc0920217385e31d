using System.CommandLine;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;
using FeatureFlow.Saes;

namespace FeatureFlow.Tools;

/// <summary>Options that several commands share, so that they are spelt and checked in one way.</summary>
internal static class PackOptions
{
    public static Option<string> Pack()
    {
        var option = new Option<string>("--pack", "-p") { Description = "Pack: a pack.yaml, a folder of SAEs, or a preset (featureflow pack list).", HelpName = "PACK", Required = true };
        option.CompletionSources.Add(_ => PackFile.Presets.Select(p => new System.CommandLine.Completions.CompletionItem(p)));
        return option;
    }

    public static Option<FeatureId[]> Features() => new("--feature", "-f")
    {
        Description = "Feature, as layer/site/index; may be given several times, or as @FILE with one per line.",
        HelpName = "L/SITE/I",
        Required = true,
        AllowMultipleArgumentsPerToken = true,
        CustomParser = r => [.. r.Tokens.SelectMany(t => Parse(r, () => FeatureId.Parse(t.Value)))],
    };

    public static Option<Site> Site(string description) => Parsed(new Option<Site>("--site") { Description = description, HelpName = "SITE" }, Sites.Parse);

    public static Option<Site[]> SiteList(string description)
    {
        var option = new Option<Site[]>("--sites")
        {
            Description = description,
            HelpName = "SITE,...",
            AllowMultipleArgumentsPerToken = true,
            CustomParser = r => [.. r.Tokens.SelectMany(t => t.Value.Split(',')).SelectMany(s => Parse(r, () => Sites.Parse(s)))],
        };
        option.CompletionSources.Add(_ => Sites.Names.Select(n => new System.CommandLine.Completions.CompletionItem(n)));
        return option;
    }

    public static Option<int[]> Layers(string description, bool required = false) => new("--layer", "--layers", "-l")
    {
        Description = description,
        HelpName = "L|L-M,...",
        Required = required,
        AllowMultipleArgumentsPerToken = true,
        CustomParser = r => [.. r.Tokens.SelectMany(t => Ranges(r, t.Value)).Distinct().Order()],
    };

    public static Option<int[]> Indices() => new("--index", "-i")
    {
        Description = "Index of a feature, or a range; all unless given.",
        HelpName = "I|I-J,...",
        AllowMultipleArgumentsPerToken = true,
        CustomParser = r => [.. r.Tokens.SelectMany(t => Ranges(r, t.Value))],
    };

    public static Option<int> Top(int otherwise) => new("--top", "-k") { Description = "Matches per site.", HelpName = "K", DefaultValueFactory = _ => otherwise };

    public static Option<double> Threshold(string name, string description, double otherwise) => new(name) { Description = description, HelpName = "X", DefaultValueFactory = _ => otherwise };

    /// <summary>One of the names of an enumeration, in lower case as everywhere on the command line.</summary>
    public static Option<string> Choice<T>(string name, string[] aliases, string description, T otherwise)
        where T : struct, Enum
    {
        var names = Enum.GetNames<T>().Select(n => n.ToLowerInvariant()).ToArray();
        var option = new Option<string>(name, aliases) { Description = description, HelpName = string.Join('|', names), DefaultValueFactory = _ => otherwise.ToString().ToLowerInvariant() };
        return option.AcceptOnlyFromAmong(names);
    }

    public static Option<string?> Csv() => new("--csv") { Description = "Write a CSV file.", HelpName = "FILE" };

    public static Option<bool> Excel() => new("--excel") { Description = "CSV for a spreadsheet: with a byte order mark, and text that looks like a formula defused." };

    public static Option<string> Out(string description) => new("--out", "-o") { Description = description, HelpName = "FILE", Required = true };

    private static Option<T> Parsed<T>(Option<T> option, Func<string, T> parse)
    {
        option.CustomParser = r => Parse(r, () => parse(r.Tokens[0].Value)).FirstOrDefault()!;
        return option;
    }

    private static IEnumerable<int> Ranges(System.CommandLine.Parsing.ArgumentResult result, string text)
    {
        foreach (var part in text.Split(','))
        {
            var ends = part.Split('-');
            if (ends.Length <= 2 && int.TryParse(ends[0], System.Globalization.NumberStyles.None, null, out var low) && int.TryParse(ends[^1], System.Globalization.NumberStyles.None, null, out var high) && low <= high && high < int.MaxValue)
            {
                for (var i = low; i <= high; i++) yield return i;
            }
            else
            {
                result.AddError($"'{part}' is neither a number nor a range such as 0-4.");
            }
        }
    }

    private static T[] Parse<T>(System.CommandLine.Parsing.ArgumentResult result, Func<T> parse)
    {
        try
        {
            return [parse()];
        }
        catch (FeatureFlowException e)
        {
            result.AddError(e.Message);
            return [];
        }
    }
}

/// <summary>The thresholds of flow graphs and classes.</summary>
internal sealed class ThresholdOptions(double res, double module)
{
    public Option<double> Res { get; } = PackOptions.Threshold("--t-res", "Least cosine with the residual stream one layer below.", res);

    public Option<double> Mlp { get; } = PackOptions.Threshold("--t-mlp", "Least cosine with MLP features.", module);

    public Option<double> Att { get; } = PackOptions.Threshold("--t-att", "Least cosine with attention features.", module);

    public void AddTo(Command command)
    {
        command.Options.Add(Res);
        command.Options.Add(Mlp);
        command.Options.Add(Att);
    }

    public Thresholds Read(ParseResult options) => new(options.GetValue(Res), options.GetValue(Mlp), options.GetValue(Att));
}
