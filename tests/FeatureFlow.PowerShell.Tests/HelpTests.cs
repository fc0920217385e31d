using FeatureFlow.PowerShell.Tests.Help;
using FeatureFlow.Testing;

namespace FeatureFlow.PowerShell.Tests;

/// <summary>One source for the pages in docs/cmdlets and for Get-Help; <c>FEATUREFLOW_UPDATE_GOLDEN=1</c> writes what is made from it.</summary>
public sealed class HelpTests
{
    private static readonly bool s_update = Environment.GetEnvironmentVariable("FEATUREFLOW_UPDATE_GOLDEN") == "1";
    private static readonly string s_help = Path.Combine(Repository.Root, "modules", "FeatureFlow", "en-US");

    public static TheoryData<string> Names => ContractTests.Names;

    private static CmdletFacts Facts(string name) => new(ContractTests.Cmdlets.Single(t => ContractTests.Name(t) == name));

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryParameterHasItsParagraphAndEveryParagraphItsParameter(string name)
    {
        var (page, facts) = (HelpPage.Read(name), Facts(name));
        Assert.Equal(name, page.Title);
        Assert.Equal(HelpPage.Order, page.Parts.Select(p => p.Title));
        Assert.Equal(facts.All.Select(p => "-" + p.Name).Order(), page.Find("Parameters")!.Parts.Select(p => p.Title).Order());
        Assert.All(page.Find("Parameters")!.Parts, p => Assert.NotEmpty(HelpPage.Paragraphs(p.Text)));
        Assert.NotEmpty(page.Text);
        Assert.NotEmpty(page.Find("Description")!.Text);
        Assert.NotEmpty(page.Find("Examples")!.Parts);
        Assert.All(page.Find("Examples")!.Parts, e => Assert.NotEmpty(HelpPage.WithoutCode(e.Text)));
        Assert.All(page.Find("Examples")!.Parts, e => Assert.Contains(name, HelpPage.Code(e.Text), StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void SyntaxAndParameterLinesAreThoseOfTheSource(string name)
    {
        var text = File.ReadAllText(HelpPage.FileOf(name)).ReplaceLineEndings("\n");
        Same(HelpPage.FileOf(name), HelpPage.Written(text, Facts(name)));
    }

    [Fact]
    public void GetHelpHasThePages() =>
        Same(Path.Combine(s_help, "FeatureFlow.PowerShell.dll-Help.xml"), Maml.Render(ContractTests.Cmdlets.Select(t => (new CmdletFacts(t), HelpPage.Read(ContractTests.Name(t))))));

    [Fact]
    public void GetHelpHasTheOverview() =>
        Same(Path.Combine(s_help, "about_FeatureFlow.help.txt"), AboutTopic.Render(HelpPage.Read("about_FeatureFlow")));

    [Fact]
    public void TheIndexListsThemAll()
    {
        var index = File.ReadAllText(HelpPage.FileOf("README"));
        foreach (var name in ContractTests.Cmdlets.Select(ContractTests.Name))
        {
            Assert.Contains($"| [{name}]({name}.md) | {HelpPage.Read(name).Text} |", index, StringComparison.Ordinal);
        }
    }

    private static void Same(string file, string text)
    {
        if (s_update) File.WriteAllText(file, text);
        Assert.Equal(text, File.Exists(file) ? File.ReadAllText(file).ReplaceLineEndings("\n") : "");
    }
}
