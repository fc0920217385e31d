using System.Globalization;
using System.Text;
using System.Xml;
using System.Xml.Linq;

namespace FeatureFlow.PowerShell.Tests.Help;

/// <summary>Writes pages in the form that Get-Help reads.</summary>
internal static class Maml
{
    private static readonly XNamespace s_msh = "http://msh";
    private static readonly XNamespace s_maml = "http://schemas.microsoft.com/maml/2004/10";
    private static readonly XNamespace s_command = "http://schemas.microsoft.com/maml/dev/command/2004/10";
    private static readonly XNamespace s_dev = "http://schemas.microsoft.com/maml/dev/2004/10";

    /// <summary>The help file of all cmdlets.</summary>
    public static string Render(IEnumerable<(CmdletFacts Facts, HelpSection Page)> pages)
    {
        var root = new XElement(
            s_msh + "helpItems",
            new XAttribute("schema", "maml"),
            new XAttribute(XNamespace.Xmlns + "maml", s_maml),
            new XAttribute(XNamespace.Xmlns + "command", s_command),
            new XAttribute(XNamespace.Xmlns + "dev", s_dev),
            new XComment(" Made from docs/cmdlets by the tests: build.ps1 Docs. "),
            pages.Select(p => Command(p.Facts, p.Page)));
        var text = new StringBuilder();
        using (var writer = XmlWriter.Create(new Utf8Writer(text), new XmlWriterSettings { Indent = true, NewLineChars = "\n" })) new XDocument(root).Save(writer);
        return text.Append('\n').ToString();
    }

    private static XElement Command(CmdletFacts facts, HelpSection page)
    {
        var parameters = page.Find("Parameters")!.Parts;
        var order = parameters.Select(p => p.Title.TrimStart('-')).ToList();
        XElement Parameter(ParameterFacts p) => ParameterOf(p, parameters.First(d => d.Title == $"-{p.Name}"));
        return new XElement(
            s_command + "command",
            new XElement(
                s_command + "details",
                new XElement(s_command + "name", facts.Name),
                new XElement(s_command + "verb", facts.Verb),
                new XElement(s_command + "noun", facts.Noun),
                Text(s_maml + "description", page.Text)),
            Text(s_maml + "description", page.Find("Description")!.Text),
            new XElement(s_command + "syntax", facts.Sets.Select(set => new XElement(s_command + "syntaxItem", new XElement(s_maml + "name", facts.Name), CmdletFacts.Ordered(set, order).Select(Parameter)))),
            new XElement(s_command + "parameters", facts.All.OrderBy(p => order.IndexOf(p.Name)).Select(Parameter)),
            new XElement(s_command + "inputTypes", new XElement(s_command + "inputType", Named(HelpPage.Plain(page.Find("Input")!.Text)))),
            new XElement(s_command + "returnValues", page.Find("Output")!.Parts.Select(o => new XElement(s_command + "returnValue", Named(o.Title), Text(s_maml + "description", o.Text)))),
            new XElement(s_command + "examples", page.Find("Examples")!.Parts.Index().Select(e => Example(e.Index + 1, e.Item))),
            new XElement(s_command + "relatedLinks", HelpPage.Plain(page.Find("See also")!.Text).Split("- ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                .Select(l => new XElement(s_maml + "navigationLink", new XElement(s_maml + "linkText", l), new XElement(s_maml + "uri")))));
    }

    private static XElement ParameterOf(ParameterFacts p, HelpSection said) => new(
        s_command + "parameter",
        new XAttribute("required", p.IsMandatory ? "true" : "false"),
        new XAttribute("variableLength", p.Type.IsArray ? "true" : "false"),
        new XAttribute("globbing", p.Globbing ? "true" : "false"),
        new XAttribute("pipelineInput", (p.ByValue, p.ByName) switch { (true, true) => "True (ByValue, ByPropertyName)", (true, _) => "True (ByValue)", (_, true) => "True (ByPropertyName)", _ => "False" }),
        new XAttribute("position", p.Position?.ToString(CultureInfo.InvariantCulture) ?? "named"),
        new XAttribute("aliases", p.Aliases.Count > 0 ? string.Join(", ", p.Aliases) : "none"),
        new XElement(s_maml + "name", p.Name),
        Text(s_maml + "description", said.Text),
        p.IsSwitch ? null : new XElement(s_command + "parameterValue", new XAttribute("required", "true"), new XAttribute("variableLength", p.Type.IsArray ? "true" : "false"), p.TypeName),
        Named(p.IsSwitch ? "SwitchParameter" : p.TypeName),
        new XElement(s_dev + "defaultValue", p.IsSwitch ? "False" : p.Default ?? "None"));

    private static XElement Example(int number, HelpSection example) => new(
        s_command + "example",
        new XElement(s_maml + "title", string.Create(CultureInfo.InvariantCulture, $"Example {number}: {example.Title}")),
        new XElement(s_dev + "code", HelpPage.Code(example.Text)),
        Text(s_dev + "remarks", HelpPage.WithoutCode(example.Text)));

    private static XElement Named(string name) => new(s_dev + "type", new XElement(s_maml + "name", name));

    private static XElement Text(XName name, string text) => new(name, HelpPage.Paragraphs(text).Select(p => new XElement(s_maml + "para", p)));

    private sealed class Utf8Writer(StringBuilder text) : StringWriter(text, CultureInfo.InvariantCulture)
    {
        public override Encoding Encoding => Encoding.UTF8;
    }
}
