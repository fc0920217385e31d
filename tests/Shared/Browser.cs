using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace FeatureFlow.Testing;

/// <summary>A test in a real browser; without one the test reports itself as not run.</summary>
public sealed class BrowserFactAttribute : FactAttribute
{
    public BrowserFactAttribute()
    {
        if (Browser.Program is null) Skip = "not run: no chromium or chrome on PATH (FEATUREFLOW_TEST_BROWSER may name one)";
    }
}

/// <summary>
/// A headless Chromium with one page at a time, driven through its DevTools protocol: real layout, real keys, real content policy. It
/// resolves no host names, so that a page that asks the network for anything fails.
/// </summary>
public sealed class Browser : IAsyncDisposable
{
    private static readonly JsonSerializerOptions WithoutNulls = new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5); // for what hangs; a busy machine is slow
    private readonly TempFolder _profile = new();
    private readonly ClientWebSocket _socket = new();
    private readonly List<JsonNode> _events = [];
    private Process? _process;
    private string? _session;
    private int _last;

    /// <summary>The browser on this machine, or null.</summary>
    public static string? Program { get; } = Find();

    /// <summary>Exceptions, refused requests and errors of the page that is open.</summary>
    public IEnumerable<string> Complaints => _events
        .Where(e => (string?)e["method"] is "Runtime.exceptionThrown" or "Log.entryAdded" or "Network.requestWillBeSent")
        .Select(e => e["params"]!)
        .Where(p => (string?)p["request"]?["url"] is not { } url || !url.StartsWith("file:", StringComparison.Ordinal) && !url.StartsWith("blob:", StringComparison.Ordinal))
        .Select(p => p.ToJsonString());

    public static async Task<Browser> Start()
    {
        var browser = new Browser();
        try
        {
            await browser.Launch();
            return browser;
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
    }

    private async Task Launch()
    {
        string[] arguments =
        [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-component-update",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1400,1000", "--remote-debugging-port=0", $"--user-data-dir={_profile.Path}", "about:blank",
        ];
        const string Address = "DevTools listening on ";
        var address = new TaskCompletionSource<string>();
        _process = Process.Start(new ProcessStartInfo(Program!, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        _process.ErrorDataReceived += (_, e) => { if (e.Data?.StartsWith(Address, StringComparison.Ordinal) == true) address.TrySetResult(e.Data[Address.Length..]); };
        _process.OutputDataReceived += (_, _) => { };
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        using var patience = new CancellationTokenSource(Patience);
        await _socket.ConnectAsync(new Uri(await address.Task.WaitAsync(Patience)), patience.Token);
        var target = await Send("Target.createTarget", new { url = "about:blank" });
        _session = (string?)(await Send("Target.attachToTarget", new { targetId = (string?)target["targetId"], flatten = true }))["sessionId"];
        foreach (var domain in new[] { "Page", "Runtime", "Log", "Network" }) await Send($"{domain}.enable");
        await Send("Emulation.setDeviceMetricsOverride", new { width = 1400, height = 1000, deviceScaleFactor = 1, mobile = false });
    }

    /// <summary>Opens a file and waits until its scripts have run.</summary>
    public async Task Open(string path, string fragment = "")
    {
        await Send("Page.navigate", new { url = "about:blank" }); // else another fragment would only move within the page
        _events.Clear();
        await Send("Page.navigate", new { url = new Uri(path).AbsoluteUri + fragment });
        var clock = Stopwatch.StartNew();
        while (!await Eval<bool>("document.readyState === 'complete' && document.documentElement.dataset.ready === 'true'"))
        {
            if (clock.Elapsed > Patience) throw new TimeoutException($"{path} was not ready; {string.Join("; ", Complaints)}");
            await Task.Delay(20);
        }
    }

    /// <summary>The value of an expression in the page, after pending frames.</summary>
    public async Task<T> Eval<T>(string expression)
    {
        var code = $"new Promise(done => requestAnimationFrame(() => setTimeout(done))).then(() => ({expression}))";
        var answer = await Send("Runtime.evaluate", new { expression = code, awaitPromise = true, returnByValue = true });
        if (answer["exceptionDetails"] is { } thrown) throw new InvalidOperationException($"{expression}: {thrown.ToJsonString()}");
        return answer["result"]!["value"].Deserialize<T>()!;
    }

    /// <summary>Presses a key where the keyboard is.</summary>
    public async Task Press(string key, bool shift = false)
    {
        var code = key switch { "Enter" => 13, "Escape" => 27, "Tab" => 9, "ArrowLeft" => 37, "ArrowUp" => 38, "ArrowRight" => 39, "ArrowDown" => 40, "Home" => 36, _ => char.ToUpperInvariant(key[0]) };
        var text = key.Length == 1 ? key : key == "Enter" ? "\r" : null;
        await Send("Input.dispatchKeyEvent", new { type = text is null ? "rawKeyDown" : "keyDown", key, windowsVirtualKeyCode = code, text, modifiers = shift ? 8 : 0 });
        await Send("Input.dispatchKeyEvent", new { type = "keyUp", key, windowsVirtualKeyCode = code });
    }

    /// <summary>Types text where the keyboard is.</summary>
    public Task Type(string text) => Send("Input.insertText", new { text });

    /// <summary>Any other command of the protocol.</summary>
    public async Task<JsonNode> Send(string method, object? parameters = null)
    {
        var id = ++_last;
        var message = JsonSerializer.SerializeToUtf8Bytes(new { id, method, @params = parameters ?? new { }, sessionId = _session }, WithoutNulls);
        using var patience = new CancellationTokenSource(Patience);
        await _socket.SendAsync(message, WebSocketMessageType.Text, true, patience.Token);
        while (true)
        {
            var answer = await Receive(patience.Token);
            if ((int?)answer["id"] == id) return answer["result"] ?? throw new InvalidOperationException($"{method}: {answer.ToJsonString()}");
            if (answer["id"] is null) _events.Add(answer);
        }
    }

    private async Task<JsonNode> Receive(CancellationToken cancel)
    {
        using var message = new MemoryStream();
        var buffer = new byte[1 << 16];
        while (true)
        {
            var part = await _socket.ReceiveAsync(buffer, cancel);
            message.Write(buffer, 0, part.Count);
            if (part.EndOfMessage) return JsonNode.Parse(Encoding.UTF8.GetString(message.ToArray()))!;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        if (_process is { } process)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            process.Dispose();
        }

        for (var tries = 0; Directory.Exists(_profile.Path); tries++)
        {
            try
            {
                _profile.Dispose();
            }
            catch (IOException) when (tries < 20)
            {
                await Task.Delay(50); // helpers of the browser may still be letting go of its profile
            }
        }
    }

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("FEATUREFLOW_TEST_BROWSER") is { Length: > 0 } named) return File.Exists(named) ? named : null;
        string[] names = ["chromium", "chromium-browser", "google-chrome", "chrome.exe", "msedge.exe"];
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        return folders.SelectMany(f => names.Select(n => Path.Combine(f, n))).FirstOrDefault(File.Exists);
    }
}
