using FeatureFlow.Experiments;
using FeatureFlow.Flow;

namespace FeatureFlow.Tools.Tests;

/// <summary>Tables and progress as people see them.</summary>
public sealed class CliTests
{
    private static readonly TableColumns<(string? Text, double? Number, int Whole)> Columns = new(("text", r => r.Text), ("number", r => r.Number), ("whole", r => r.Whole));

    [Fact]
    public void Tables_align_numbers_right_text_left_and_leave_out_empty_columns()
    {
        Assert.Equal("text  number  whole\na     0.5000      1\nb c           12345\n", Table(0, ("a", 0.5, 1), ("b\nc", null, 12345)));
        Assert.Equal("number  whole\n1.5000      1\n", Table(0, (null, 1.5, 1)));
        Assert.Equal("text  number  whole\n", Table(0));
        Assert.Equal("text  numbe…\na     0.500…\n", Table(12, ("a", 0.5, 1)));
    }

    [Fact]
    public void Progress_without_a_terminal_is_a_line_now_and_then()
    {
        var now = 0L;
        using var error = new StringWriter { NewLine = "\n" };
        var lines = new ProgressDisplay.Lines("index", error, () => now);
        for (var second = 0; second <= 14; second++)
        {
            now = second * System.Diagnostics.Stopwatch.Frequency;
            lines.Report(new FlowProgress($"layer {second}", second / 20.0));
        }

        Assert.Equal(["layer 2", "layer 7", "layer 12"], error.ToString().TrimEnd().Split('\n').Select(l => l.Split(": ")[2].Split(" (")[0]));
    }

    private static string Table(int width, params (string?, double?, int)[] rows)
    {
        using var text = new StringWriter { NewLine = "\n" };
        TextTable.Write(text, Columns, rows, width);
        return text.ToString();
    }
}
