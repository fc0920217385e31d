using System.Text.Json;
using System.Text.RegularExpressions;

namespace FeatureFlow.Experiments.Judging;

/// <summary>
/// Reads what a judge replied, strictly: one JSON object with whole numbers in range. A code fence around it and a leading block of thoughts are taken off, for
/// they leave no doubt; anything else is a reason to ask again.
/// </summary>
internal static partial class JudgeReplies
{
    private const int MostQuoted = 60;

    /// <summary>Coherence, and the grades of the labels in their order; or what is wrong.</summary>
    public static (int Coherence, int[] Subjects)? Score(string reply, int subjects, out string problem)
    {
        using var json = Object(reply, out problem);
        if (json is null || Grade(json.RootElement, "coherence", 0, 5, ref problem) is not { } coherence) return null;
        if (subjects == 0) return (coherence, []);
        if (!json.RootElement.TryGetProperty("subjects", out var list) || list.ValueKind != JsonValueKind.Object)
        {
            problem = "\"subjects\" is missing";
            return null;
        }

        var grades = new int[subjects];
        for (var s = 0; s < subjects; s++)
        {
            if (Grade(list, JudgePrompts.Label(s), 0, 5, ref problem) is not { } grade) return null;
            grades[s] = grade;
        }

        return (coherence, grades);
    }

    /// <summary>The rating of a pair; or what is wrong.</summary>
    public static int? Similarity(string reply, out string problem)
    {
        using var json = Object(reply, out problem);
        return json is null ? null : Grade(json.RootElement, "similarity", 1, 3, ref problem);
    }

    private static JsonDocument? Object(string reply, out string problem)
    {
        problem = "";
        var text = Fence().Match(Thoughts().Replace(reply, "").Trim()) is { Success: true } fenced ? fenced.Groups[1].Value : Thoughts().Replace(reply, "").Trim();
        if (text.Length == 0)
        {
            problem = "it is empty";
            return null;
        }

        try
        {
            var json = JsonDocument.Parse(text, new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (json.RootElement.ValueKind == JsonValueKind.Object) return json;
            json.Dispose();
            problem = "it is no JSON object";
        }
        catch (JsonException)
        {
            problem = text[0] == '{' ? "it is no valid JSON" : "there are words around the JSON object";
        }

        return null;
    }

    private static int? Grade(JsonElement map, string name, int least, int most, ref string problem)
    {
        if (!map.TryGetProperty(name, out var value))
        {
            problem = $"\"{name}\" is missing";
            return null;
        }

        // 4.0 is a whole number too
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number >= least && number <= most && number == Math.Floor(number)) return (int)number;
        var quoted = value.GetRawText();
        problem = $"\"{name}\" is {(quoted.Length > MostQuoted ? quoted[..MostQuoted] + "…" : quoted)}, and must be a whole number from {least} to {most}";
        return null;
    }

    [GeneratedRegex(@"\A```[A-Za-z]*[ \t]*\r?\n(.*?)\r?\n?```\z", RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"\A\s*<think>.*?</think>", RegexOptions.Singleline)]
    private static partial Regex Thoughts();
}
