using System.Management.Automation;
using FeatureFlow.Experiments;
using FeatureFlow.Flow;

namespace FeatureFlow.PowerShell;

/// <summary>Export-FlowGraph: graphs as report, picture, data or table; all in one file, or each in a file of a folder.</summary>
[Cmdlet(VerbsData.Export, "FlowGraph", SupportsShouldProcess = true)]
[OutputType(typeof(FileInfo))]
public sealed class ExportFlowGraphCommand : EngineCmdlet
{
    private readonly List<FlowGraph> _graphs = [];
    private string _path = "";
    private string _format = ""; // a name: no field may need the private assemblies before they can be found
    private bool _isFolder;

    /// <summary>Graphs.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, HelpMessage = "Flow graphs, from New-FlowGraph")]
    [ValidateNotNull]
    public FlowGraph[] InputObject { get; set; } = [];

    /// <summary>File, or folder for a file each.</summary>
    [Parameter(Mandatory = true, Position = 0, HelpMessage = "The file; or a folder, which gets a file for each graph")]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = "";

    /// <summary>Format, when the name does not say.</summary>
    [Parameter(HelpMessage = "The format, where the file's ending does not say it; Html for folders by default")]
    [ValidateSet("Json", "Attribution", "Html", "Svg", "Dot", "Mermaid", "GraphMl", "Csv")]
    public string? Format { get; set; }

    /// <summary>Replaces what is there.</summary>
    [Parameter(HelpMessage = "Replace files that are there already")]
    public SwitchParameter Force { get; set; }

    /// <summary>Gives the files.</summary>
    [Parameter(HelpMessage = "Give the files that were written")]
    public SwitchParameter PassThru { get; set; }

    private protected override object? Target => Path;

    private GraphFormat Chosen => Enum.Parse<GraphFormat>(_format, ignoreCase: true);

    // before the first graph is built, because that may take long
    private protected override void Begin()
    {
        _path = FilePath(Path);
        _isFolder = Directory.Exists(_path) || System.IO.Path.EndsInDirectorySeparator(Path);
        _format = Format ?? (_isFolder ? "Html" : GraphFormats.Of(Path).ToString());
        if (!_isFolder) CheckFree(_path);
    }

    private protected override void Process()
    {
        foreach (var graph in InputObject)
        {
            if (_isFolder) One(graph);
            else _graphs.Add(graph);
        }
    }

    private protected override void End()
    {
        if (_graphs.Count > 0) Write(_graphs, _path);
    }

    private void One(FlowGraph graph)
    {
        try
        {
            var name = string.Concat($"{graph.PackName}-{graph.Seed}".Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? c : '-'));
            var file = System.IO.Path.Combine(_path, name + GraphFormats.Extensions.First(e => GraphFormats.Of(e) == Chosen));
            CheckFree(file);
            Write([graph], file);
        }
        catch (FeatureFlowException e)
        {
            WriteFailure(e, graph);
        }
    }

    private void Write(List<FlowGraph> graphs, string file)
    {
        if (!ShouldProcess(file, graphs.Count == 1 ? $"Export flow graph {graphs[0].Seed} as {_format}" : $"Export {graphs.Count} flow graphs as {_format}")) return;
        Run(_ =>
        {
            if (_isFolder) Directory.CreateDirectory(_path);
            GraphFile.Write(graphs, file, Chosen);
            return true;
        });
        WriteVerbose($"Wrote {file}.");
        if (PassThru) WriteObject(new FileInfo(file));
    }

    private void CheckFree(string file)
    {
        if (!Force && File.Exists(file)) throw CmdletErrors.Exists(file);
    }
}
