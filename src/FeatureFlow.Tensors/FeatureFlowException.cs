namespace FeatureFlow;

/// <summary>What a failure means to whoever called; the number is the exit code of the command line.</summary>
public enum FailureKind
{
    /// <summary>A defect of the program itself.</summary>
    Internal = 1,

    /// <summary>A wrong argument or configuration: retrying cannot help.</summary>
    Usage = 2,

    /// <summary>An input that is missing, damaged or not what it says it is.</summary>
    Input = 3,

    /// <summary>A check of a result failed.</summary>
    Check = 4,

    /// <summary>A passing shortage (memory, device): the same call may succeed later.</summary>
    Retry = 75,
}

/// <summary>
/// The one exception users meet: a sentence that names the place and the remedy, and a stable code (docs/errors.md).
/// Each project makes its own in one file (<c>TensorErrors</c>, <c>ModelErrors</c>, <c>SaeErrors</c> ...).
/// </summary>
public sealed class FeatureFlowException : Exception
{
    /// <summary>Makes one; <paramref name="text"/> is the sentence without file and code.</summary>
    public FeatureFlowException(FailureKind kind, string code, string text, string? file = null, int line = 0, int column = 0, Exception? inner = null)
        : base(text, inner)
    {
        Kind = kind;
        Code = code;
        File = file;
        Line = line;
        Column = column;
    }

    /// <summary>What the failure means; also the exit code.</summary>
    public FailureKind Kind { get; }

    /// <summary>The stable code, <c>FF</c> and four digits.</summary>
    public string Code { get; }

    /// <summary>The file at fault, if one is.</summary>
    public string? File { get; }

    /// <summary>1-based line in <see cref="File"/>, 0 if not known.</summary>
    public int Line { get; }

    /// <summary>1-based column in <see cref="File"/>, 0 if not known.</summary>
    public int Column { get; }

    /// <summary>More of the same kind found in one go (every wrong line of a YAML file), after this first one.</summary>
    public IReadOnlyList<FeatureFlowException> Others { get; init; } = [];

    /// <summary>The MSBuild form, <c>file(line,col): error FFnnnn: text</c>, on one line.</summary>
    public string ToDiagnostic()
    {
        var place = (File, Line) switch
        {
            (null, _) => "featureflow",
            (_, 0) => File,
            _ => $"{File}({Line},{Math.Max(1, Column)})",
        };
        return $"{place}: error {Code}: {Message.ReplaceLineEndings(" ")}";
    }
}
