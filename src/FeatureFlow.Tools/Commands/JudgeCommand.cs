using System.CommandLine;
using System.Globalization;
using FeatureFlow.Experiments;
using FeatureFlow.Experiments.Judging;
using FeatureFlow.Flow;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow judge</c>: scores for samples, similarities for pairs of descriptions.</summary>
internal sealed class JudgeCommand : ToolCommand
{
    private const string Judged = "judged.csv";
    private const string Aggregate = "aggregate.csv";
    private const string Page = "report.html";

    private readonly Argument<string> _samples = new("samples") { Description = "A folder that holds samples.csv, or a CSV file: a column 'text', and any others (prompt, subject, aim, layer, coefficient ...).", HelpName = "DIR|FILE" };
    private readonly Option<string[]> _subjects = new("--subject", "-s") { Description = "What is looked for in every text: a name, or 'name: what it means'. The column 'subject' unless given.", HelpName = "NAME", AllowMultipleArgumentsPerToken = true };
    private readonly Option<string?> _aim = new("--aim") { Description = "What steering was to do, for the total score: activate or deactivate. The column 'aim' unless given.", HelpName = "AIM" };
    private readonly Option<string> _judge = new("--judge", "-j") { Description = "Who judges: openai (a language model behind an OpenAI-compatible address), storyworld (the grammar), lexicon (words, and perplexity with --model), or auto.", HelpName = "KIND", DefaultValueFactory = _ => "auto" };
    private readonly Option<string?> _file = new("--judge-file") { Description = "The same and more as YAML (docs/judges.md).", HelpName = "FILE" };
    private readonly Option<string?> _url = new("--judge-url") { Description = "Address of the endpoint up to and with its version; FEATUREFLOW_JUDGE_URL unless given. Its key is taken from FEATUREFLOW_JUDGE_KEY.", HelpName = "URL" };
    private readonly Option<string?> _model = new("--judge-model") { Description = "Model asked there; FEATUREFLOW_JUDGE_MODEL unless given.", HelpName = "NAME" };
    private readonly Option<string[]> _words = new("--words") { Description = "Lexicon: words of a subject, as in 'sea=ship,sail*,high tide'.", HelpName = "NAME=W,W" };
    private readonly Option<string?> _coherence = new("--model", "-m") { Description = "Lexicon: the unsteered model, whose perplexity tells coherence.", HelpName = "DIR" };
    private readonly Option<string?> _compare = new("--compare") { Description = "Compare the descriptions of two columns instead, 1 different to 3 the same; rows without both are left out. Without an endpoint by the words that they share.", HelpName = "A,B" };
    private readonly Option<string[]> _by = new("--by") { Description = "Columns that the means are grouped by; those that say how a sample was made unless given.", HelpName = "COLUMN", AllowMultipleArgumentsPerToken = true };
    private readonly Option<double> _level = new("--level") { Description = "Confidence of the intervals.", HelpName = "P", DefaultValueFactory = _ => new Bootstrap().Level };
    private readonly Option<int> _resamples = new("--resamples") { Description = "Bootstrap samples.", HelpName = "N", DefaultValueFactory = _ => new Bootstrap().Resamples };
    private readonly Option<ulong> _seed = new("--seed") { Description = "Seed of the bootstrap.", HelpName = "S", DefaultValueFactory = _ => 0 };
    private readonly Option<bool> _report = new("--report") { Description = "Write report.html beside the tables: scores by setting or by layer, the best texts and the worst." };
    private readonly Option<string?> _out = new("--out", "-o") { Description = $"Folder of {Judged}, {Aggregate} and the raw answers; where the samples are unless given, in 'judged' below it for the folder of an experiment.", HelpName = "DIR" };

    public JudgeCommand()
        : base(
            "judge",
            "Have texts judged: coherence 0-5, how much of a subject is in them 0-5, and the total of both, with intervals by bootstrap.",
            ("judge tests/fixtures/judging/samples.csv --judge storyworld --report --out judged", "Storyworld texts by the grammar; subject and aim are columns of the table."),
            ("judge tests/fixtures/judging/samples.csv --judge lexicon --model examples/storyworld/model --subject sea wedding --by layer --out judged --json", "Other subjects, by words and perplexity, means for each layer."))
    {
        Arguments.Add(_samples);
        foreach (var option in new Option[] { _subjects, _aim, _judge, _file, _url, _model, _words, _coherence, _compare, _by, _level, _resamples, _seed, _report, _out }) Options.Add(option);
        _judge.AcceptOnlyFromAmong("auto", "openai", "storyworld", "lexicon");
        _aim.AcceptOnlyFromAmong("activate", "deactivate");
        Validators.Add(result =>
        {
            if (result.GetResult(_level) is { Implicit: false } level && level.GetValueOrDefault<double>() is not (> 0 and < 1)) result.AddError("--level lies between 0 and 1.");
            if (result.GetResult(_resamples) is { Implicit: false } resamples && resamples.GetValueOrDefault<int>() is < 100 or > 1_000_000) result.AddError("--resamples lies between 100 and 1000000.");
            if (result.GetValue(_compare) is not null && result.GetValue(_report)) result.AddError("--report is of texts; --compare has a table alone.");
            if (result.GetValue(_compare) is { } pair && pair.Split(',').Length != 2) result.AddError("--compare names two columns, as in --compare description,source_description.");
            foreach (var words in result.GetValue(_words) ?? [])
            {
                if (words.IndexOf('=', StringComparison.Ordinal) < 1) result.AddError($"--words '{words}': write NAME=word,word.");
            }
        });
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        var table = SampleTable.Read(options.GetValue(_samples)!);
        var folder = options.GetValue(_out) ?? Beside(Path.GetDirectoryName(Path.GetFullPath(table.Path))!);
        var bootstrap = new Bootstrap(options.GetValue(_level), options.GetValue(_resamples), options.GetValue(_seed));
        var settings = Settings(options);
        Directory.CreateDirectory(folder);
        var answers = Path.Combine(folder, Judges.AnswersName);
        if (options.GetValue(_compare) is { } compare) return Compare(options, context, table, compare.Split(','), settings, bootstrap, folder, answers);

        var judging = new SampleJudging([.. (options.GetValue(_subjects) ?? []).Select(SubjectOf)], options.GetValue(_aim) is { } aim ? SampleJudging.AimOf(aim) : null);
        string[] subjects = [.. judging.Questions(table).SelectMany(q => q.Subjects).Select(s => s.Name).Distinct()];
        using var judge = Judges.Open(settings, subjects, answers);
        context.Note($"{table.Rows.Count} samples, judged by {judge.Judge.Name}");
        var judged = Wait(context, progress => judging.Run(table, judge.Judge, progress, context.Cancel));
        var aggregate = AggregateTable.Of(judged, options.GetResult(_by) is { Implicit: false } ? options.GetValue(_by) : null, bootstrap);
        judged.Columns().Write(Path.Combine(folder, Judged), judged.Samples);
        aggregate.Columns().Write(Path.Combine(folder, Aggregate), aggregate.Rows);
        if (options.GetValue(_report)) JudgeReport.Write(Path.Combine(folder, Page), table.Path, judged, aggregate, judge.Judge.Name);
        context.Show(aggregate.Columns(), aggregate.Rows);
        return Close(context, folder, judged.Samples.Count, judged.Unjudged);
    }

    private int Compare(ParseResult options, ToolContext context, SampleTable table, string[] columns, JudgeSettings settings, Bootstrap bootstrap, string folder, string answers)
    {
        using var judge = Judges.OpenForPairs(settings, answers);
        context.Note($"{table.Rows.Count} pairs, judged by {judge.Judge.Name}");
        var pairs = Wait(context, progress => PairTable.Judge(table, columns[0].Trim(), columns[1].Trim(), judge.Judge, progress, context.Cancel));
        var (rows, aggregate) = pairs.Aggregate(options.GetValue(_by) ?? [], bootstrap);
        pairs.Columns().Write(Path.Combine(folder, Judged), pairs.Pairs);
        aggregate.Write(Path.Combine(folder, Aggregate), rows);
        context.Show(aggregate, rows);
        return Close(context, folder, pairs.Pairs.Count, pairs.Unjudged);
    }

    private static int Close(ToolContext context, string folder, int all, int without)
    {
        if (without == all) throw ToolErrors.NothingJudged(Path.Combine(folder, Judged), all);
        if (without > 0) context.Note($"{without} of {all} rows have no scores; the column 'problem' says why");
        context.Note($"wrote {Path.Combine(folder, Judged)} and {Aggregate}");
        return 0;
    }

    private JudgeSettings Settings(ParseResult options)
    {
        var settings = options.GetValue(_file) is { } file ? JudgeFile.Load(file) : new JudgeSettings();
        var words = new Dictionary<string, IReadOnlyList<string>>(settings.Words);
        foreach (var entry in options.GetValue(_words) ?? []) words[entry[..entry.IndexOf('=', StringComparison.Ordinal)].Trim()] = entry[(entry.IndexOf('=', StringComparison.Ordinal) + 1)..].Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return settings with
        {
            Kind = options.GetResult(_judge) is { Implicit: false } ? Enum.Parse<JudgeKind>(options.GetValue(_judge)!, ignoreCase: true) : settings.Kind,
            Url = options.GetValue(_url) ?? settings.Url,
            Model = options.GetValue(_model) ?? settings.Model,
            Words = words,
            CoherenceModel = options.GetValue(_coherence) ?? settings.CoherenceModel,
        };
    }

    // an experiment's folder has an aggregate.csv of its own
    private static string Beside(string folder) => File.Exists(Path.Combine(folder, "resolved.yaml")) ? Path.Combine(folder, "judged") : folder;

    private static Subject SubjectOf(string text) => text.IndexOf(':', StringComparison.Ordinal) is var colon and > 0 ? new Subject(text[..colon].Trim(), text[(colon + 1)..].Trim()) : new Subject(text.Trim());

    private static T Wait<T>(ToolContext context, Func<IProgress<double>, Task<T>> work) =>
        context.Watch("judge", progress => work(new Share(progress)).GetAwaiter().GetResult());

    private sealed class Share(IProgress<FlowProgress> to) : IProgress<double>
    {
        public void Report(double value) => to.Report(new FlowProgress(string.Create(CultureInfo.InvariantCulture, $"judged {value:P0}"), value));
    }
}
