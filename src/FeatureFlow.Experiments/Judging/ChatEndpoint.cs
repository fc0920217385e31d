using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using OpenAI;
using OpenAI.Chat;

namespace FeatureFlow.Experiments.Judging;

/// <summary>One turn of a conversation with a judge.</summary>
/// <param name="Role">system, user or assistant.</param>
/// <param name="Content">What was said.</param>
internal sealed record ChatTurn(string Role, string Content);

/// <summary>
/// An OpenAI-compatible chat endpoint, asked through the official client, one question at a time: temperature 0, sent again on 429, 5xx, time-outs and
/// broken connections, every raw answer kept, nothing asked twice.
/// </summary>
/// <remarks>
/// The client's own retries are off, and its answers are read as they come off the wire: what we keep is what was sent, however broken, and one back-off
/// serves all questions.
/// </remarks>
internal sealed class ChatEndpoint : IDisposable
{
    private const int MostBytes = 4 << 20;
    private const int MostQuoted = 300;

    private readonly JudgeEndpoint _endpoint;
    private readonly JudgeSettings _settings;
    private readonly AnswerLog _log;
    private readonly TimeProvider _clock;
    private readonly BackOff _backOff;
    private readonly HttpClient _http;
    private readonly ChatClient _client;
    private volatile bool _plain; // the server knows no response_format

    public ChatEndpoint(JudgeEndpoint endpoint, JudgeSettings settings, AnswerLog log, TimeProvider? clock = null)
    {
        (_endpoint, _settings, _log) = (endpoint, settings, log);
        _clock = clock ?? TimeProvider.System;
        _backOff = new BackOff(_clock);
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, MaxConnectionsPerServer = settings.Concurrency };
        if (endpoint.Url.IsLoopback) handler.UseProxy = false;
        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        _client = new ChatClient(endpoint.Model, new ApiKeyCredential(endpoint.Key.Reveal()), new OpenAIClientOptions
        {
            Endpoint = endpoint.Url,
            Transport = new HttpClientPipelineTransport(_http),
            RetryPolicy = new ClientRetryPolicy(0),
            NetworkTimeout = Timeout.InfiniteTimeSpan, // ours covers the whole answer, drip by drip
            ClientLoggingOptions = new ClientLoggingOptions { EnableLogging = false },
            EnableDistributedTracing = false,
        });
    }

    /// <summary>Who is asked.</summary>
    public string Model => _endpoint.Model;

    /// <summary>What the judge says next in a conversation; empty when it says nothing.</summary>
    /// <exception cref="FeatureFlowException">FF5306 ... FF5309: refused, or out of reach for now.</exception>
    public async Task<string> Ask(IReadOnlyList<ChatTurn> turns, CancellationToken cancel)
    {
        var key = AnswerLog.KeyOf([$"{_endpoint.Url}", Model, "0", .. turns.SelectMany(t => new[] { t.Role, t.Content })]);
        if (_log.Find(key) is { } known) return Content(known)!;
        for (var attempt = 1; ; attempt++)
        {
            await _backOff.Gate(cancel).ConfigureAwait(false);
            var plain = _plain;
            var answer = await Send(turns, plain, cancel).ConfigureAwait(false);
            var content = answer.Status == 200 && answer.Whole ? Content(answer.Body) : null;
            _log.Add(key, turns[^1].Content, Model, answer.Status, answer.Body, final: content is not null);
            if (content is not null) return content;
            if (answer.Status == 400 && !plain && answer.Body.Contains("response_format", StringComparison.Ordinal))
            {
                _plain = true;
                continue;
            }

            Refused(answer);
            var told = answer.Wait;
            var why = answer.Status == 200 ? $"it answers with what is no chat completion ('{Quote(answer.Body)}')" : answer.Status == 0 ? answer.Body : $"it answers {answer.Status} ('{Quote(answer.Body)}')";
            if (attempt >= _settings.Attempts) throw ExperimentErrors.JudgeOutOfReach(Shown, $"{why}, {attempt} times");
            if (told > BackOff.Longest) throw ExperimentErrors.JudgeOutOfReach(Shown, $"{why} and asks to wait {told.Value.TotalMinutes:0} minutes");
            await _backOff.Wait(attempt, told, cancel).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private string Shown => $"{_endpoint.Url}";

    // what no waiting will change
    private void Refused(Answer answer)
    {
        switch (answer.Status)
        {
            case 401 or 403:
                throw ExperimentErrors.JudgeKeyRefused(Shown, answer.Status, _endpoint.Key.Given ? "the key" : "a request without a key", Quote(answer.Body));
            case 429 when answer.Body.Contains("insufficient_quota", StringComparison.Ordinal):
                throw ExperimentErrors.JudgeRefused(Shown, answer.Status, Quote(answer.Body));
            case 408 or 409 or 425 or 429:
                return;
            case >= 300 and < 500:
                throw ExperimentErrors.JudgeRefused(Shown, answer.Status, Quote(answer.Body));
        }
    }

    private async Task<Answer> Send(IReadOnlyList<ChatTurn> turns, bool plain, CancellationToken cancel)
    {
        using var limit = new CancellationTokenSource(_settings.Timeout, _clock);
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancel, limit.Token);
        try
        {
            using var content = BinaryContent.Create(BinaryData.FromString(Request(turns, plain)));
            var options = new RequestOptions { CancellationToken = late.Token, ErrorOptions = ClientErrorBehaviors.NoThrow, BufferResponse = false };
            var result = await _client.CompleteChatAsync(content, options).ConfigureAwait(false);
            using var response = result.GetRawResponse();
            string? Header(string name) => response.Headers.TryGetValue(name, out var value) ? value : null;
            var (body, whole) = await Read(response.ContentStream, late.Token).ConfigureAwait(false);
            var place = response.Status is >= 300 and < 400 ? Header("Location") : null;
            return new Answer(response.Status, _endpoint.Key.Redact(place is null ? body : $"it is at {place}"), _backOff.Told(Header("retry-after-ms"), Header("Retry-After")), whole);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return new Answer(0, $"no answer within {_settings.Timeout.TotalSeconds:0.###} seconds", null, false);
        }
        catch (Exception e) when (e is ClientResultException or HttpRequestException or IOException or AggregateException)
        {
            return new Answer(0, Innermost(e), null, false);
        }
    }

    private string Request(IReadOnlyList<ChatTurn> turns, bool plain)
    {
        var body = new JsonObject
        {
            ["model"] = Model,
            ["temperature"] = 0,
            ["messages"] = new JsonArray([.. turns.Select(t => new JsonObject { ["role"] = t.Role, ["content"] = t.Content })]),
        };
        if (!plain) body["response_format"] = new JsonObject { ["type"] = "json_object" };
        return body.ToJsonString();
    }

    // an answer is a few hundred bytes; whatever sends megabytes is no judge
    private static async Task<(string Body, bool Whole)> Read(Stream? stream, CancellationToken cancel)
    {
        if (stream is null) return ("", true);
        using var body = new MemoryStream();
        var buffer = new byte[1 << 14];
        int n;
        while ((n = await stream.ReadAsync(buffer, cancel).ConfigureAwait(false)) > 0)
        {
            body.Write(buffer, 0, n);
            if (body.Length > MostBytes) return ($"more than {MostBytes >> 20} MiB", false);
        }

        return (Encoding.UTF8.GetString(body.ToArray()), true);
    }

    // choices[0].message.content; "" for a refusal or nothing, null for what is no chat completion
    private static string? Content(string body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            var message = json.RootElement.GetProperty("choices")[0].GetProperty("message");
            return message.TryGetProperty("content", out var content) && content.ValueKind == JsonValueKind.String ? content.GetString() : "";
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException)
        {
            return null;
        }
    }

    private static string Quote(string body)
    {
        var line = string.Join(' ', body.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        return line.Length > MostQuoted ? line[..MostQuoted] + "…" : line;
    }

    private static string Innermost(Exception e)
    {
        while (e.InnerException is { } inner) e = inner;
        return e.Message.TrimEnd('.');
    }

    /// <param name="Status">HTTP status, 0 where nothing came back.</param>
    /// <param name="Body">What came back, or what went wrong.</param>
    /// <param name="Wait">What the server asks to wait.</param>
    /// <param name="Whole">Whether all of the body is there.</param>
    private sealed record Answer(int Status, string Body, TimeSpan? Wait, bool Whole);
}
