using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using FeatureFlow.Flow;
using FeatureFlow.Models;

namespace FeatureFlow.Experiments;

/// <summary>
/// <c>manifest.json</c>: what was computed from what, by what, written last. Paths are relative to the run's folder; no names of users or
/// machines.
/// </summary>
internal static class RunManifest
{
    private const string Schema = "featureflow-run/1";

    public static void Write(RunFolder folder, RunRecord run, string inputs, IReadOnlyList<string> files)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("schema", Schema);
            json.WriteString("version", Version);
            json.WriteStartArray("command");
            foreach (var word in run.Command) json.WriteStringValue(Relative(folder, word));
            json.WriteEndArray();
            json.WriteStartObject("inputs");
            foreach (var (name, id) in run.Inputs.OrderBy(i => i.Key, StringComparer.Ordinal)) json.WriteString(name, id);
            json.WriteEndObject();
            json.WriteString("inputs_sha256", inputs);
            json.WriteNumber("units", run.Plan.Units.Count);
            json.WriteStartArray("notes");
            foreach (var note in run.Notes) json.WriteStringValue(Relative(folder, note));
            json.WriteEndArray();
            json.WriteStartObject("engine");
            var engine = FlowEngine.Shared.Tensors.Info;
            json.WriteString("name", engine.Name);
            json.WriteString("device", engine.Device);
            json.WriteEndObject();
            json.WriteStartObject("system");
            json.WriteString("os", RuntimeInformation.OSDescription);
            json.WriteString("runtime", RuntimeInformation.FrameworkDescription);
            json.WriteString("architecture", RuntimeInformation.ProcessArchitecture.ToString());
            json.WriteEndObject();
            json.WriteString("started", Time(run.Started));
            json.WriteString("ended", Time(DateTime.UtcNow));
            json.WriteStartArray("outputs");
            foreach (var file in files.Prepend(RunFolder.ResolvedName))
            {
                using var bytes = File.OpenRead(Path.Combine([folder.Path, .. file.Split('/')]));
                json.WriteStartObject();
                json.WriteString("file", file);
                json.WriteNumber("bytes", bytes.Length);
                json.WriteString("sha256", Hash(bytes));
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        AtomicFile.WriteText(folder.Manifest, Encoding.UTF8.GetString(buffer.ToArray()) + "\n");
    }

    /// <summary>What computes: version and commit.</summary>
    public static string Version { get; } =
        typeof(RunManifest).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    private static string Relative(RunFolder folder, string text) => Path.IsPathFullyQualified(text) ? Path.GetRelativePath(folder.Path, text).Replace('\\', '/') : text;

    private static string Time(DateTime utc) => utc.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static string Hash(Stream bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
