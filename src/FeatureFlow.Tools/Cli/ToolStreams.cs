using System.Text;

namespace FeatureFlow.Tools;

/// <summary>Where a run of the tool writes; tests give their own.</summary>
/// <param name="Out">Data.</param>
/// <param name="Error">Everything for people.</param>
/// <param name="Interactive">True when people watch <paramref name="Error"/> on a terminal.</param>
/// <param name="Width">Columns of that terminal, 0 for no limit.</param>
internal sealed record ToolStreams(TextWriter Out, TextWriter Error, bool Interactive = false, int Width = 0)
{
    /// <summary>Those of the process: UTF-8 without a byte order mark, line ends LF on every system.</summary>
    public static ToolStreams OfProcess()
    {
        var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        var error = new StreamWriter(Console.OpenStandardError(), utf8) { AutoFlush = true, NewLine = "\n" };
        var output = new StreamWriter(Console.OpenStandardOutput(), utf8, 1 << 16) { NewLine = "\n" };
        if (OperatingSystem.IsWindows()) Try(() => Console.OutputEncoding = utf8);
        var interactive = !Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") != "dumb";
        var width = 0;
        if (!Console.IsOutputRedirected) Try(() => width = Console.WindowWidth);
        return new ToolStreams(output, error, interactive, width);
    }

    private static void Try(Action act)
    {
        try
        {
            act();
        }
        catch (IOException)
        {
            // no console
        }
    }
}
