using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using FeatureFlow.Models;

namespace FeatureFlow.Experiments.Judging;

/// <summary>
/// Every raw answer of a judge, one JSON object a line, written and flushed to disk before it is used: what was answered once is never asked again,
/// whatever ends the process. A last line that was cut off is passed over, and written below.
/// </summary>
internal sealed class AnswerLog : IDisposable
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly ConcurrentDictionary<string, string> _answers = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();
    private readonly FileStream? _file;
    private readonly JudgeSecret _secret;

    /// <summary>Opens or begins a file; null keeps answers for this process only.</summary>
    /// <exception cref="FeatureFlowException">FF5305: another process writes it, or it cannot be written.</exception>
    public AnswerLog(string? path, JudgeSecret secret)
    {
        _secret = secret;
        if (path is null) return;
        try
        {
            if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder) Directory.CreateDirectory(folder);
            // one writer; whoever reads meanwhile is free to, and outside Windows a lock that keeps writers out keeps out only those who ask for it
            _file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, OperatingSystem.IsWindows() ? FileShare.Read : FileShare.None);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ExperimentErrors.AnswersLocked(path, e);
        }

        Load(_file);
    }

    /// <summary>Answers at hand.</summary>
    public int Count => _answers.Count;

    /// <summary>The name of a question: everything that its answer depends on.</summary>
    public static string KeyOf(params string[] parts) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', parts))));

    /// <summary>The body that answered this question before, or null.</summary>
    public string? Find(string key) => _answers.GetValueOrDefault(key);

    /// <summary>Keeps what came back.</summary>
    /// <param name="key">The question.</param>
    /// <param name="asked">Its last words, for people.</param>
    /// <param name="model">Who was asked.</param>
    /// <param name="status">HTTP status, 0 where nothing came back.</param>
    /// <param name="body">What came back, whole, or what went wrong.</param>
    /// <param name="final">True when this answers the question for good.</param>
    public void Add(string key, string asked, string model, int status, string body, bool final)
    {
        body = _secret.Redact(body);
        if (_file is not null)
        {
            var line = JsonSerializer.SerializeToUtf8Bytes(new { key, model, status, final, asked = _secret.Redact(asked), body }, Readable);
            lock (_lock)
            {
                _file.Write([.. line, (byte)'\n']);
                _file.Flush(flushToDisk: true);
            }
        }

        if (final) _answers[key] = body;
    }

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();

    private void Load(FileStream file)
    {
        using var reader = new StreamReader(file, Encoding.UTF8, leaveOpen: true);
        while (reader.ReadLine() is { } line)
        {
            try
            {
                using var json = JsonDocument.Parse(line);
                var root = json.RootElement;
                if (root.GetProperty("final").GetBoolean()) _answers[root.GetProperty("key").GetString()!] = root.GetProperty("body").GetString()!;
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or ArgumentNullException)
            {
                // cut off in the middle; asked again
            }
        }

        file.Seek(0, SeekOrigin.End);
        if (file.Length == 0) return;
        file.Seek(-1, SeekOrigin.End);
        if (file.ReadByte() != '\n') file.WriteByte((byte)'\n');
    }
}
