namespace FeatureFlow.Experiments.Judging;

/// <summary>
/// Where an OpenAI-compatible judge is asked, found from settings and the environment. The key comes from a variable or a file, never from the
/// settings themselves, so that no file of a run can hold it.
/// </summary>
/// <remarks>
/// Address: <c>url</c>, FEATUREFLOW_JUDGE_URL, OPENAI_BASE_URL, OpenAI's own. Model: <c>model</c>, FEATUREFLOW_JUDGE_MODEL; at OpenAI gpt-4o-mini, the papers' judge.
/// Key: <c>key_env</c>, <c>key_file</c>, FEATUREFLOW_JUDGE_KEY; OPENAI_API_KEY only where the address too is OpenAI's or from OPENAI_BASE_URL, so that no key goes to strangers.
/// </remarks>
internal sealed record JudgeEndpoint(Uri Url, string Model, JudgeSecret Key)
{
    public const string UrlVariable = "FEATUREFLOW_JUDGE_URL";
    public const string ModelVariable = "FEATUREFLOW_JUDGE_MODEL";
    public const string KeyVariable = "FEATUREFLOW_JUDGE_KEY";
    private const string OpenAiUrl = "https://api.openai.com/v1";
    private const string PapersModel = "gpt-4o-mini";

    /// <summary>Whether the environment names an endpoint, so that it is meant to be used unless told otherwise.</summary>
    public static bool InEnvironment(Func<string, string?>? environment = null) => Filled((environment ?? Environment.GetEnvironmentVariable)(UrlVariable)) is not null;

    /// <summary>The same, and where it names OpenAI's own or a key for it: for what only a language model does well.</summary>
    public static bool Named(Func<string, string?>? environment = null)
    {
        var read = environment ?? Environment.GetEnvironmentVariable;
        return InEnvironment(read) || Filled(read("OPENAI_BASE_URL")) is not null || Filled(read("OPENAI_API_KEY")) is not null;
    }

    /// <summary>Finds it.</summary>
    /// <exception cref="FeatureFlowException">FF5301 ... FF5304: no model named, an address that is none, a key that is not where it is said to be.</exception>
    public static JudgeEndpoint Find(JudgeSettings settings, Func<string, string?>? environment = null)
    {
        var read = environment ?? Environment.GetEnvironmentVariable;
        string? Variable(string name) => Filled(read(name));

        var own = settings.Url ?? Variable(UrlVariable);
        var url = own ?? Variable("OPENAI_BASE_URL") ?? OpenAiUrl;
        if (!Uri.TryCreate(url.TrimEnd('/'), UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https")) throw ExperimentErrors.JudgeUrl(WithoutUser(url));
        if (address.UserInfo.Length > 0) throw ExperimentErrors.JudgeUrl(WithoutUser(url));
        var openAi = own is null || address.Host == new Uri(OpenAiUrl).Host;
        var model = settings.Model ?? Variable(ModelVariable) ?? (url == OpenAiUrl ? PapersModel : throw ExperimentErrors.NoJudgeModel(ModelVariable));
        return new JudgeEndpoint(address, model, FindKey(settings, Variable, openAi));
    }

    private static JudgeSecret FindKey(JudgeSettings settings, Func<string, string?> variable, bool openAi)
    {
        if (settings.KeyEnv is { } name) return new JudgeSecret(variable(name) ?? throw ExperimentErrors.NoJudgeKey($"the variable {name} is not set"), name);
        if (settings.KeyFile is { } file)
        {
            try
            {
                return new JudgeSecret(Filled(File.ReadAllText(file)) ?? throw ExperimentErrors.NoJudgeKey($"the file {file} is empty"), file);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw ExperimentErrors.NoJudgeKey($"the file {file} cannot be read");
            }
        }

        if (variable(KeyVariable) is { } own) return new JudgeSecret(own, KeyVariable);
        return openAi && variable("OPENAI_API_KEY") is { } key ? new JudgeSecret(key, "OPENAI_API_KEY") : new JudgeSecret(null, KeyVariable);
    }

    private static string? Filled(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();

    // an address may carry a password before its host; an error is no place for it
    private static string WithoutUser(string url) => url.LastIndexOf('@') is var at and > 0 ? url[(at + 1)..] : url;
}
