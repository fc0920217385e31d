using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using FeatureFlow.Experiments.Judging;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Judging;

/// <summary>The judge over the network, against a server on the loopback that does everything that servers do.</summary>
public sealed class ChatJudgeTests : IDisposable
{
    private const string Secret = "sk-very-secret-0123456789";
    private const string Good = """{"coherence": 4, "subjects": {"S1": 2}}""";

    private readonly TempFolder _folder = new();
    private readonly InstantClock _clock = new(new JudgeSettings().Timeout);

    private string Answers => _folder.File("answers.jsonl");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_question_is_asked_as_the_papers_do_and_answered()
    {
        using var server = new MisbehavingServer(Deed.Say(Good));
        var answer = await Score(server, new TextQuestion("The \"ship\" sailed\n— on.", [new Subject("sea", "ships and tides")], "Anna said: "));
        Assert.Equal((4, 2, null), (answer.Coherence, answer.Behavioral[0], answer.Problem));

        var request = Assert.Single(server.Requests);
        Assert.StartsWith("POST /v1/chat/completions ", request.Target);
        Assert.Equal($"Bearer {Secret}", request.Headers["Authorization"]);
        Assert.Equal(0, (int)request.Body["temperature"]!);
        Assert.Equal("test-model", (string)request.Body["model"]!);
        Assert.Equal("json_object", (string)request.Body["response_format"]!["type"]!);
        Assert.Equal(["system", "user"], request.Body["messages"]!.AsArray().Select(m => (string)m!["role"]!));
        var asked = JsonNode.Parse(request.Last)!;
        Assert.Equal("sea: ships and tides", (string)asked["subjects"]!["S1"]!);
        Assert.Equal("Anna said: ", (string)asked["opening"]!);
        Assert.Equal("The \"ship\" sailed\n— on.", (string)asked["text"]!);
        Assert.Empty(_clock.Waits);
    }

    // what it does first, how long is waited then; whatever it is, the second answer is good
    public static TheoryData<string, double?> Trouble => new()
    {
        { "429", null }, { "429 after 7", 7 }, { "429 after a date", 20 }, { "429 after 1500 ms", 1.5 }, { "429 after nonsense", null }, { "500", null }, { "502 html", null }, { "503 after 3", 3 }, { "408", null },
        { "hang", null }, { "stall", null }, { "close", null }, { "cut off", null }, { "flood", null }, { "html", null }, { "json of something else", null }, { "no choices", null }, { "empty body", null }, { "half a json", null },
    };

    [Theory]
    [MemberData(nameof(Trouble))]
    public async Task Passing_trouble_is_waited_out(string trouble, double? waited)
    {
        using var server = new MisbehavingServer(
            trouble switch
            {
                "429" => Deed.Reply(429, """{"error":{"message":"slow down"}}"""),
                "429 after 7" => Deed.Reply(429, "{}", headers: ("Retry-After", "7")),
                "429 after a date" => Deed.Reply(429, "{}", headers: ("Retry-After", "Fri, 02 Jan 2026 03:04:25 GMT")),
                "429 after 1500 ms" => Deed.Reply(429, "{}", headers: ("retry-after-ms", "1500")),
                "429 after nonsense" => Deed.Reply(429, "{}", headers: ("Retry-After", "soon")),
                "500" => Deed.Reply(500, "oh", "text/plain"),
                "502 html" => Deed.Reply(502, "<html>bad gateway</html>", "text/html"),
                "503 after 3" => Deed.Reply(503, "", headers: ("Retry-After", "3")),
                "408" => Deed.Reply(408, ""),
                "hang" => InTime(Deed.Hang),
                "stall" => InTime(Deed.Stall),
                "close" => Deed.Close,
                "cut off" => Deed.CutOff(Good),
                "flood" => Deed.Flood,
                "html" => Deed.Reply(200, "<html>please log in</html>", "text/html"),
                "json of something else" => Deed.Reply(200, """{"status":"ok"}"""),
                "no choices" => Deed.Reply(200, """{"choices":[]}"""),
                "empty body" => Deed.Reply(200, ""),
                "half a json" => Deed.Reply(200, Deed.Completion(Good)[..40]),
                _ => throw new ArgumentOutOfRangeException(nameof(trouble)),
            },
            Deed.Say(Good));
        var answer = await Score(server);
        Assert.Equal((4, 2), (answer.Coherence, answer.Behavioral[0]));
        Assert.Equal(2, server.Requests.Count);
        var wait = Assert.Single(_clock.Waits).TotalSeconds;
        if (waited is { } seconds) Assert.Equal(seconds, wait, 1e-6);
        else Assert.InRange(wait, 0.5, 1);
        // both are kept, as they came
        Assert.Equal([false, true], Kept().Select(l => (bool)l["final"]!));
        Assert.Equal(Deed.Completion(Good), (string)Kept()[1]["body"]!);
        if (trouble is "hang" or "stall") Assert.Equal("no answer within 120 seconds", (string)Kept()[0]["body"]!);

        // what would never end does when the time limit is over
        Deed InTime(Deed endless) => new((stream, cancel) =>
        {
            var deed = endless.Do(stream, cancel);
            _clock.RunOut();
            return deed;
        });
    }

    [Fact]
    public async Task Waits_grow_and_end()
    {
        using var server = new MisbehavingServer(Deed.Reply(503, "busy"));
        var error = await Assert.ThrowsAsync<FeatureFlowException>(() => Score(server, settings: s => s with { Attempts = 8 }));
        Assert.Equal((FailureKind.Retry, "FF5308"), (error.Kind, error.Code));
        Assert.Contains("503 ('busy'), 8 times", error.Message);
        Assert.Equal(8, server.Requests.Count);
        Assert.Equal(7, _clock.Waits.Count);
        Assert.All(_clock.Waits.Index(), w => Assert.InRange(w.Item.TotalSeconds, 0.5 * Math.Min(60, 1 << w.Index), Math.Min(60, 1 << w.Index)));
    }

    [Theory]
    [InlineData(401, "FF5306", FailureKind.Usage)]
    [InlineData(403, "FF5306", FailureKind.Usage)]
    [InlineData(404, "FF5307", FailureKind.Usage)]
    [InlineData(400, "FF5307", FailureKind.Usage)]
    [InlineData(302, "FF5307", FailureKind.Usage)]
    [InlineData(429, "FF5307", FailureKind.Usage)]
    public async Task What_no_waiting_changes_is_told_at_once(int status, string code, FailureKind kind)
    {
        var body = status == 429 ? """{"error":{"code":"insufficient_quota"}}""" : $"no such thing, {Secret}";
        using var server = new MisbehavingServer(Deed.Reply(status, body, "text/plain", ("Location", "https://elsewhere.example/v1")));
        var error = await Assert.ThrowsAsync<FeatureFlowException>(() => Score(server));
        Assert.Equal((kind, code), (error.Kind, error.Code));
        Assert.Contains(status == 302 ? "elsewhere.example" : status == 429 ? "insufficient_quota" : "no such thing", error.Message);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_server_that_asks_for_hours_is_left_alone()
    {
        using var server = new MisbehavingServer(Deed.Reply(429, "later", headers: ("Retry-After", "7200")));
        var error = await Assert.ThrowsAsync<FeatureFlowException>(() => Score(server));
        Assert.Equal("FF5308", error.Code);
        Assert.Contains("120 minutes", error.Message);
        Assert.Empty(_clock.Waits);
    }

    [Fact]
    public async Task Nobody_there()
    {
        string url;
        using (var server = new MisbehavingServer(Deed.Close)) url = server.Url;
        using var judge = new ChatJudge(Endpoint(url), new JudgeSettings { Attempts = 2 }, Answers, _clock);
        Assert.Equal("FF5308", (await Assert.ThrowsAsync<FeatureFlowException>(() => judge.ScoreAsync([Question()]))).Code);
    }

    [Theory]
    [InlineData("```json\n{\"coherence\": 4, \"subjects\": {\"S1\": 2}}\n```")]
    [InlineData("```\n{\"coherence\": 4.0, \"subjects\": {\"S1\": 2}}```")]
    [InlineData("<think>\nfirst, the {text} ...\n</think>\n\n{\"coherence\": 4, \"subjects\": {\"S1\": 2}}")]
    [InlineData("  {\"subjects\": {\"S1\": 2, \"S2\": 9}, \"coherence\": 4, \"why\": \"good\"}  ")]
    public async Task Answers_that_leave_no_doubt_are_taken(string content)
    {
        using var server = new MisbehavingServer(Deed.Say(content));
        var answer = await Score(server);
        Assert.Equal((4, 2), (answer.Coherence, answer.Behavioral[0]));
        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData("Sure! {\"coherence\": 4, \"subjects\": {\"S1\": 2}} Anything else?", "words around")]
    [InlineData("", "empty")]
    [InlineData("{\"coherence\": 4, \"subjects\": {\"S1\": 2}", "no valid JSON")]
    [InlineData("{\"coherence\": 4, \"coherence\": 5, \"subjects\": {\"S1\": 2}}", "no valid JSON")]
    [InlineData("[4, 2]", "no JSON object")]
    [InlineData("{\"coherence\": 6, \"subjects\": {\"S1\": 2}}", "\"coherence\" is 6")]
    [InlineData("{\"coherence\": 4, \"subjects\": {\"S1\": -1}}", "\"S1\" is -1")]
    [InlineData("{\"coherence\": 3.5, \"subjects\": {\"S1\": 2}}", "\"coherence\" is 3.5")]
    [InlineData("{\"coherence\": \"4\", \"subjects\": {\"S1\": 2}}", "\"coherence\" is \"4\"")]
    [InlineData("{\"coherence\": null, \"subjects\": {\"S1\": 2}}", "\"coherence\" is null")]
    [InlineData("{\"subjects\": {\"S1\": 2}}", "\"coherence\" is missing")]
    [InlineData("{\"coherence\": 4, \"subjects\": {\"sea\": 2}}", "\"S1\" is missing")]
    [InlineData("{\"coherence\": 4, \"subjects\": [2]}", "\"subjects\" is missing")]
    public async Task Other_answers_are_asked_for_again(string content, string problem)
    {
        using var server = new MisbehavingServer(Deed.Say(content), Deed.Say(Good));
        var answer = await Score(server);
        Assert.Equal((4, 2, null), (answer.Coherence, answer.Behavioral[0], answer.Problem));
        var again = server.Requests.ToArray()[1];
        Assert.Equal(4, again.Turns);
        Assert.Equal(content, (string)again.Body["messages"]![2]!["content"]!);
        Assert.Contains(problem, again.Last);
        Assert.Empty(_clock.Waits);
    }

    [Fact]
    public async Task A_refusal_is_an_empty_answer_and_a_question_is_given_up_after_some()
    {
        using var server = new MisbehavingServer(Deed.Say(null));
        var answer = await Score(server, settings: s => s with { Repairs = 2 });
        Assert.Equal((null, null), (answer.Coherence, answer.Behavioral[0]));
        Assert.Contains("it is empty", answer.Problem);
        Assert.Equal(3, server.Requests.Count);

        // one bad answer costs the others nothing
        using var other = new MisbehavingServer((heard, _) => Deed.Say(heard.Body.ToJsonString().Contains("unspeakable", StringComparison.Ordinal) ? "no" : Good));
        using var judge = Judge(other);
        var answers = await judge.ScoreAsync([Question("fine"), Question("unspeakable"), Question("fine too")]);
        Assert.Equal([4, null, 4], answers.Select(a => a.Coherence));
    }

    [Fact]
    public async Task A_rerun_asks_nothing_twice_not_even_what_was_answered_badly()
    {
        TextQuestion[] questions = [.. Enumerable.Range(0, 20).Select(i => Question($"text {i % 12}"))];
        using var server = new MisbehavingServer((heard, n) => Deed.Say(heard.Last.Contains("text 3", StringComparison.Ordinal) ? "hm" : heard.Turns > 2 ? "still no" : Good));
        using (var judge = Judge(server)) await judge.ScoreAsync(questions);
        var asked = server.Requests.Count;
        Assert.Equal(14, asked); // 12 texts, one of them three times
        using (var judge = Judge(server))
        {
            var answers = await judge.ScoreAsync(questions);
            Assert.Equal(asked, server.Requests.Count);
            Assert.NotNull(answers[3].Problem);
            Assert.Equal(4, answers[4].Coherence);
        }

        // another text, another subject, another model: other questions
        using (var judge = Judge(server)) await judge.ScoreAsync([Question("text 1") with { Subjects = [new Subject("law")] }]);
        using (var judge = new ChatJudge(Endpoint(server.Url) with { Model = "other" }, new JudgeSettings(), Answers, _clock)) await judge.ScoreAsync([Question("text 1")]);
        Assert.Equal(asked + 2, server.Requests.Count);
    }

    [Fact]
    public async Task A_line_cut_off_by_a_crash_is_asked_again_and_written_below()
    {
        using var server = new MisbehavingServer(Deed.Say(Good));
        using (var judge = Judge(server)) await judge.ScoreAsync([Question("a"), Question("b")]);
        var bytes = await File.ReadAllBytesAsync(Answers);
        foreach (var left in new[] { bytes.Length - 1, bytes.Length - 9, bytes.Length / 2 + 3 })
        {
            await File.WriteAllBytesAsync(Answers, bytes[..left]);
            var before = server.Requests.Count;
            using (var judge = Judge(server)) Assert.All(await judge.ScoreAsync([Question("a"), Question("b")]), a => Assert.Equal(4, a.Coherence));
            Assert.Equal(left == bytes.Length - 1 ? 0 : 1, server.Requests.Count - before);
            using (var judge = Judge(server)) await judge.ScoreAsync([Question("a"), Question("b")]);
            Assert.Equal(left == bytes.Length - 1 ? 0 : 1, server.Requests.Count - before);
        }
    }

    [Fact]
    public void Two_processes_do_not_write_one_file()
    {
        using var first = Judge("http://127.0.0.1:9/v1");
        Assert.Equal((FailureKind.Retry, "FF5305"), Code(() => Judge("http://127.0.0.1:9/v1")));
    }

    [Fact]
    public async Task Questions_run_side_by_side_up_to_the_limit_and_come_back_in_order()
    {
        var gate = new TaskCompletionSource();
        var inside = 0;
        using var server = new MisbehavingServer((heard, _) => new Deed(async (stream, cancel) =>
        {
            // the first three wait for each other: fewer at a time would hang, and end in the time-out
            if (Interlocked.Increment(ref inside) >= 3) gate.TrySetResult();
            await gate.Task.WaitAsync(cancel);
            var number = (string)JsonNode.Parse(heard.Last)!["text"]!;
            return await Deed.Say($$$"""{"coherence": {{{int.Parse(number, CultureInfo.InvariantCulture) % 6}}}, "subjects": {"S1": 0}}""").Do(stream, cancel);
        }));
        using var judge = Judge(server, s => s with { Concurrency = 3 });
        var shares = new List<double>();
        var answers = await judge.ScoreAsync([.. Enumerable.Range(0, 30).Select(i => Question($"{i}"))], new Collected(shares));
        Assert.Equal(Enumerable.Range(0, 30).Select(i => (double?)(i % 6)), answers.Select(a => a.Coherence));
        Assert.Equal(3, server.Most);
        Assert.Equal(30, shares.Count);
        Assert.Equal(1, shares.Max());
    }

    [Fact]
    public async Task A_wait_that_the_server_names_holds_for_all()
    {
        using var server = new MisbehavingServer((_, n) => n == 0 ? Deed.Reply(429, "{}", headers: ("Retry-After", "30")) : Deed.Say(Good));
        using var judge = Judge(server, s => s with { Concurrency = 1 });
        await judge.ScoreAsync([Question("a"), Question("b"), Question("c")]);
        Assert.Equal(TimeSpan.FromSeconds(30), Assert.Single(_clock.Waits));

        // those who come while it runs wait for the rest of it
        var clock = new InstantClock(Timeout.InfiniteTimeSpan);
        var backOff = new BackOff(clock);
        await backOff.Wait(1, TimeSpan.FromSeconds(9), default);
        await backOff.Gate(default);
        Assert.Equal([TimeSpan.FromSeconds(9)], clock.Waits);
    }

    [Fact]
    public async Task The_first_refusal_ends_them_all()
    {
        var five = new TaskCompletionSource();
        using var server = new MisbehavingServer((_, n) => n < 5 ? Deed.Say(Good) : new Deed(async (stream, cancel) =>
        {
            await five.Task.WaitAsync(cancel); // else it may end an answer that is on its way
            return await Deed.Reply(401, "gone").Do(stream, cancel);
        }));
        var progress = new Collected([], at => { if (at >= 5 / 50.0) five.TrySetResult(); });
        using (var judge = Judge(server, s => s with { Concurrency = 2 }))
            Assert.Equal("FF5306", (await Assert.ThrowsAsync<FeatureFlowException>(() => judge.ScoreAsync([.. Enumerable.Range(0, 50).Select(i => Question($"{i}"))], progress))).Code);
        Assert.InRange(server.Requests.Count, 6, 7);
        Assert.Equal(5, Kept().Count(l => (bool)l["final"]!)); // what was answered stays
    }

    [Fact]
    public async Task Cancelled_while_the_server_hangs()
    {
        using var cancel = new CancellationTokenSource();
        using var server = new MisbehavingServer((_, _) =>
        {
            cancel.Cancel();
            return Deed.Hang;
        });
        using var judge = Judge(server);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => judge.ScoreAsync([Question()], null, cancel.Token));
    }

    [Fact]
    public async Task Slow_answers_in_small_chunks_arrive_whole()
    {
        using var server = new MisbehavingServer(Deed.Drip(Good, 1));
        Assert.Equal(4, (await Score(server)).Coherence);
    }

    [Fact]
    public async Task Servers_without_response_format_are_asked_without_it_from_then_on()
    {
        using var server = new MisbehavingServer((heard, _) => heard.Body["response_format"] is null ? Deed.Say(Good) : Deed.Reply(400, """{"error":"'response_format.type' must be 'json_schema' or 'text'"}"""));
        using (var judge = Judge(server, s => s with { Concurrency = 4 })) Assert.All(await judge.ScoreAsync([.. Enumerable.Range(0, 12).Select(i => Question($"{i}"))]), a => Assert.Equal(4, a.Coherence));
        Assert.InRange(server.Requests.Count, 13, 16);
        Assert.Empty(_clock.Waits);
    }

    [Fact]
    public async Task Subjects_come_in_a_drawn_order_and_their_grades_go_back_to_them()
    {
        string[] names = ["sea", "law", "physics", "music"];
        using var server = new MisbehavingServer((heard, _) =>
        {
            // each subject gets its own number, wherever it stands
            var listed = JsonNode.Parse(heard.Last)!["subjects"]!.AsObject();
            var grades = new JsonObject(listed.Select(s => KeyValuePair.Create(s.Key, (JsonNode?)Array.IndexOf(names, (string)s.Value!))));
            return Deed.Say(new JsonObject { ["coherence"] = 5, ["subjects"] = grades }.ToJsonString());
        });
        using var judge = Judge(server);
        var answers = await judge.ScoreAsync([.. Enumerable.Range(0, 24).Select(i => Question($"{i}") with { Subjects = [.. names.Select(n => new Subject(n))] })]);
        Assert.All(answers, a => Assert.Equal([0, 1, 2, 3], a.Behavioral));
        var first = server.Requests.Select(r => (string)JsonNode.Parse(r.Last)!["subjects"]!["S1"]!).ToList();
        Assert.All(names, n => Assert.InRange(first.Count(f => f == n), 2, 12)); // no subject always stands first
    }

    [Fact]
    public async Task Pairs_are_asked_in_both_orders()
    {
        using var server = new MisbehavingServer((heard, _) =>
        {
            var asked = JsonNode.Parse(heard.Last)!;
            var (a, b) = ((string)asked["a"]!, (string)asked["b"]!);
            return Deed.Say($$$"""{"similarity": {{{(a == b ? 3 : a == "boats" ? 2 : 1)}}}}""");
        });
        using var judge = Judge(server);
        var answers = await judge.CompareAsync([new PairQuestion("boats", "ships"), new PairQuestion("x", "x")]);
        Assert.Equal(new PairAnswer(1.5, 2, 1), answers[0]); // this judge minds the order
        Assert.Equal(new PairAnswer(3, 3, 3), answers[1]);
        Assert.Equal(3, server.Requests.Count); // (x, x) turned round is the same question
        using var bad = new MisbehavingServer(Deed.Say("""{"similarity": 4}"""));
        using var other = new ChatJudge(Endpoint(bad.Url), new JudgeSettings(), null, _clock);
        Assert.Contains("from 1 to 3", (await other.CompareAsync([new PairQuestion("a", "b")]))[0].Problem);
    }

    [Fact]
    public async Task The_key_is_in_no_file_and_in_no_message()
    {
        // a server that tells everybody what it was sent
        using var server = new MisbehavingServer((heard, n) => n switch
        {
            0 => Deed.Reply(500, $"failed for {heard.Headers["Authorization"]}"),
            1 => Deed.Say($"I know your key: {Secret}"),
            2 => Deed.Say(Good),
            _ => Deed.Reply(401, $"no: {Secret}"),
        });
        using var output = new StringWriter();
        var (console, error) = (Console.Out, Console.Error);
        Console.SetOut(output);
        Console.SetError(output);
        try
        {
            using var judge = Judge(server);
            Assert.Equal(4, (await judge.ScoreAsync([Question($"The key {Secret} in a text")]))[0].Coherence);
            var refused = await Assert.ThrowsAsync<FeatureFlowException>(() => judge.ScoreAsync([Question("b")]));
            output.Write($"{refused} {refused.ToDiagnostic()} {Endpoint(server.Url)}");
        }
        finally
        {
            Console.SetOut(console);
            Console.SetError(error);
        }

        Assert.Equal(4, server.Requests.Count);
        Assert.All(server.Requests, r => Assert.Contains(Secret, r.Headers["Authorization"]));
        Assert.DoesNotContain("very-secret", output.ToString());
        var files = Directory.EnumerateFiles(_folder.Path, "*", SearchOption.AllDirectories).ToList();
        Assert.NotEmpty(files);
        Assert.All(files, f => Assert.DoesNotContain("very-secret", Read(f)));
        Assert.Contains("[key]", Read(files[0]));
    }

    [Fact]
    public void Where_the_endpoint_is_found()
    {
        static JudgeEndpoint Find(JudgeSettings settings, params (string Name, string Value)[] environment) =>
            JudgeEndpoint.Find(settings, name => environment.FirstOrDefault(e => e.Name == name).Value);

        var plain = Find(new JudgeSettings(), ("OPENAI_API_KEY", Secret + "\n"));
        Assert.Equal(("https://api.openai.com/v1", "gpt-4o-mini", Secret), ($"{plain.Url}", plain.Model, plain.Key.Reveal()));
        var local = Find(new JudgeSettings { Model = "llama" }, ("FEATUREFLOW_JUDGE_URL", "http://localhost:11434/v1/"), ("OPENAI_API_KEY", Secret));
        Assert.Equal(("http://localhost:11434/v1", "llama", "none"), ($"{local.Url}", local.Model, local.Key.Reveal())); // OpenAI's key goes to no stranger
        Assert.Equal(Secret, Find(new JudgeSettings { Url = "http://a/v1", Model = "m" }, ("FEATUREFLOW_JUDGE_KEY", Secret)).Key.Reveal());
        Assert.Equal(Secret, Find(new JudgeSettings { Url = "http://a/v1", Model = "m", KeyEnv = "MINE" }, ("MINE", Secret), ("FEATUREFLOW_JUDGE_KEY", "no")).Key.Reveal());
        var file = _folder.File("key");
        File.WriteAllText(file, Secret + "\r\n");
        Assert.Equal(Secret, Find(new JudgeSettings { Url = "http://a/v1", Model = "m", KeyFile = file }).Key.Reveal());

        Assert.Equal("FF5301", Code(() => Find(new JudgeSettings { Url = "http://a/v1" })).Code);
        Assert.Equal("FF5302", Code(() => Find(new JudgeSettings { Url = "a/v1", Model = "m" })).Code);
        Assert.Equal("FF5302", Code(() => Find(new JudgeSettings { Url = $"http://me:{Secret}@a/v1", Model = "m" })).Code);
        Assert.DoesNotContain("very-secret", Assert.Throws<FeatureFlowException>(() => Find(new JudgeSettings { Url = $"http://me:{Secret}@a/v1", Model = "m" })).Message);
        Assert.Equal("FF5303", Code(() => Find(new JudgeSettings { Url = "http://a/v1", Model = "m", KeyEnv = "K" }, ("K", "a b"))).Code);
        Assert.Equal("FF5304", Code(() => Find(new JudgeSettings { Url = "http://a/v1", Model = "m", KeyEnv = "K" })).Code);
        Assert.Equal("FF5304", Code(() => Find(new JudgeSettings { Url = "http://a/v1", Model = "m", KeyFile = _folder.File("none") })).Code);
    }

    private static TextQuestion Question(string text = "The anchor held.") => new(text, [new Subject("sea")]);

    private static JudgeEndpoint Endpoint(string url) => new(new Uri(url), "test-model", new JudgeSecret(Secret, "test"));

    private ChatJudge Judge(MisbehavingServer server, Func<JudgeSettings, JudgeSettings>? settings = null) => Judge(server.Url, settings);

    private ChatJudge Judge(string url, Func<JudgeSettings, JudgeSettings>? settings = null)
    {
        var usual = new JudgeSettings();
        return new ChatJudge(Endpoint(url), settings?.Invoke(usual) ?? usual, Answers, _clock);
    }

    private async Task<TextAnswer> Score(MisbehavingServer server, TextQuestion? question = null, Func<JudgeSettings, JudgeSettings>? settings = null)
    {
        using var judge = Judge(server, settings);
        return (await judge.ScoreAsync([question ?? Question()]))[0];
    }

    private List<JsonNode> Kept() => [.. Read(Answers).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonNode.Parse(l)!)];

    private static string Read(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    private static (FailureKind Kind, string Code) Code(Action act) => Assert.Throws<FeatureFlowException>(act) is var e ? (e.Kind, e.Code) : default;

    private sealed class Collected(List<double> shares, Action<double>? then = null) : IProgress<double>
    {
        public void Report(double value)
        {
            lock (shares) shares.Add(value);
            then?.Invoke(value);
        }
    }
}
