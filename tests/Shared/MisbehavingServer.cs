using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FeatureFlow.Testing;

/// <summary>A request that reached the server.</summary>
internal sealed record Heard(string Target, IReadOnlyDictionary<string, string> Headers, JsonNode Body)
{
    public string Last => (string)Body["messages"]!.AsArray()[^1]!["content"]!;

    public int Turns => Body["messages"]!.AsArray().Count;
}

/// <summary>
/// A chat endpoint on the loopback, down at the socket, so that it can do everything that servers do when they are not well. What it does is asked
/// anew for every request.
/// </summary>
internal sealed class MisbehavingServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<Heard, int, Deed> _behave;
    private int _underWay;

    public MisbehavingServer(Func<Heard, int, Deed> behave)
    {
        _behave = behave;
        _listener.Start();
        _ = Task.Run(Accept);
    }

    /// <summary>The nth thing for the nth request, the last from then on.</summary>
    public MisbehavingServer(params Deed[] deeds)
        : this((_, n) => deeds[Math.Min(n, deeds.Length - 1)])
    {
    }

    public string Url => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/v1";

    public ConcurrentQueue<Heard> Requests { get; } = new();

    public int Most { get; private set; }

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Stop();
        _stop.Dispose();
    }

    private async Task Accept()
    {
        while (!_stop.IsCancellationRequested)
        {
            var client = await _listener.AcceptTcpClientAsync(_stop.Token);
            _ = Task.Run(() => Serve(client));
        }
    }

    private async Task Serve(TcpClient client)
    {
        var cancel = _stop.Token;
        using (client)
        {
            try
            {
                var stream = client.GetStream();
                while (await Read(stream, cancel) is { } heard)
                {
                    var now = Interlocked.Increment(ref _underWay);
                    lock (Requests) Most = Math.Max(Most, now);
                    int number;
                    lock (_listener)
                    {
                        number = Requests.Count;
                        Requests.Enqueue(heard);
                    }

                    var stays = await _behave(heard, number).Do(stream, cancel);
                    Interlocked.Decrement(ref _underWay);
                    if (!stays) return;
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException or SocketException)
            {
                // the client has had enough
            }
        }
    }

    private static async Task<Heard?> Read(NetworkStream stream, CancellationToken cancel)
    {
        var head = new List<byte>();
        var one = new byte[1];
        while (!(head.Count >= 4 && head[^4] == '\r' && head[^3] == '\n' && head[^2] == '\r' && head[^1] == '\n'))
        {
            if (await stream.ReadAsync(one, cancel) == 0) return null;
            head.Add(one[0]);
        }

        var lines = Encoding.ASCII.GetString([.. head]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var headers = lines[1..].Select(l => l.Split(':', 2)).ToDictionary(p => p[0].Trim(), p => p[1].Trim(), StringComparer.OrdinalIgnoreCase);
        var body = new byte[int.Parse(headers["Content-Length"], CultureInfo.InvariantCulture)];
        await stream.ReadExactlyAsync(body, cancel);
        return new Heard(lines[0], headers, JsonNode.Parse(body)!);
    }
}

/// <summary>Something a server does with a request; tells whether the connection goes on.</summary>
internal sealed record Deed(Func<NetworkStream, CancellationToken, Task<bool>> Do)
{
    /// <summary>A chat completion with this content.</summary>
    public static Deed Say(string? content) => Reply(200, Completion(content));

    public static Deed Reply(int status, string body, string type = "application/json", params (string Name, string Value)[] headers) => new(async (stream, cancel) =>
    {
        await stream.WriteAsync(Response(status, type, Encoding.UTF8.GetBytes(body), headers), cancel);
        return true;
    });

    public static Deed Hang => new(async (_, cancel) =>
    {
        await Task.Delay(Timeout.Infinite, cancel);
        return false;
    });

    public static Deed Close => new((_, _) => Task.FromResult(false));

    /// <summary>Promises more than it sends.</summary>
    public static Deed CutOff(string content) => new(async (stream, cancel) =>
    {
        var all = Response(200, "application/json", Encoding.UTF8.GetBytes(Completion(content)), []);
        await stream.WriteAsync(all.AsMemory(0, all.Length - 20), cancel);
        return false;
    });

    /// <summary>A few bytes at a time, chunked.</summary>
    public static Deed Drip(string content, int size = 7) => new(async (stream, cancel) =>
    {
        await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"u8.ToArray(), cancel);
        foreach (var part in Encoding.UTF8.GetBytes(Completion(content)).Chunk(size))
        {
            await stream.WriteAsync((byte[])[.. Encoding.ASCII.GetBytes($"{part.Length:x}\r\n"), .. part, .. "\r\n"u8], cancel);
            await stream.FlushAsync(cancel);
            await Task.Yield();
        }

        await stream.WriteAsync("0\r\n\r\n"u8.ToArray(), cancel);
        return true;
    });

    /// <summary>Without end.</summary>
    public static Deed Flood => new(async (stream, cancel) =>
    {
        await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4000000000\r\n\r\n"u8.ToArray(), cancel);
        var blanks = Enumerable.Repeat((byte)' ', 1 << 16).ToArray();
        while (true) await stream.WriteAsync(blanks, cancel);
    });

    /// <summary>Headers, a beginning, and then nothing.</summary>
    public static Deed Stall => new(async (stream, cancel) =>
    {
        await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"choices\":"u8.ToArray(), cancel);
        await Task.Delay(Timeout.Infinite, cancel);
        return false;
    });

    public static string Completion(string? content) => JsonSerializer.Serialize(new
    {
        id = "x", @object = "chat.completion", created = 1, model = "m",
        choices = new[] { new { index = 0, finish_reason = "stop", message = new { role = "assistant", content } } },
    });

    private static byte[] Response(int status, string type, byte[] body, (string Name, string Value)[] headers)
    {
        var head = new StringBuilder(FormattableString.Invariant($"HTTP/1.1 {status} X\r\nContent-Type: {type}\r\nContent-Length: {body.Length}\r\n"));
        foreach (var (name, value) in headers) head.Append(name).Append(": ").Append(value).Append("\r\n");
        return [.. Encoding.ASCII.GetBytes(head.Append("\r\n").ToString()), .. body];
    }
}

/// <summary>
/// A clock on which every wait is over at once, and which tells how long it would have been. A time limit never runs out by itself, however busy the machine is, but when the
/// test says so.
/// </summary>
/// <param name="limit">The wait that is a time limit.</param>
internal sealed class InstantClock(TimeSpan limit) : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly List<Ring> _limits = [];
    private DateTimeOffset _now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    public List<TimeSpan> Waits { get; } = [];

    public override DateTimeOffset GetUtcNow()
    {
        lock (_lock) return _now;
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var ring = new Ring(this, () => callback(state));
        lock (_lock)
        {
            if (dueTime == limit)
            {
                _limits.Add(ring);
                return ring;
            }

            Waits.Add(dueTime);
            _now += dueTime;
        }

        ThreadPool.QueueUserWorkItem(_ => ring.Now());
        return ring;
    }

    /// <summary>The time limits of all that is under way are over.</summary>
    public void RunOut()
    {
        Ring[] rings;
        lock (_lock) rings = [.. _limits];
        foreach (var ring in rings) ring.Now();
    }

    private sealed class Ring(InstantClock clock, Action ring) : ITimer
    {
        public void Now() => ring();

        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose()
        {
            lock (clock._lock) clock._limits.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
