using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Saes;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Steering;

/// <summary>Plans and settings in files.</summary>
public sealed class SteeringFileTests
{
    private static readonly SteeringPlan Full = new()
    {
        Name = "a: b, \"c\"",
        Edits = [new FeatureEdit(new FeatureId(0, Site.Res, 3), EditMethod.Add, 1.0 / 3, true), new FeatureEdit(new FeatureId(4, Site.Mlp, 17), EditMethod.Rescale, -2)],
        Targets = [new FeatureId(4, Site.Mlp, 17)],
        Recipe = new SteeringRecipe { Method = EditMethod.Rescale, Coefficient = -2, Mode = SteeringMode.Budget, Layer = 4, Schedule = SteeringSchedule.Linear, Alpha = -0.25, End = 3, Folded = true },
        SpanStart = 0,
        SpanEnd = 4,
    };

    [Fact]
    public void Yaml_reads_back_the_same()
    {
        using var folder = new TempFolder();
        SteeringPlanFile.Write(folder.File("p.yaml"), [Full]);
        var back = SteeringPlanFile.Read(folder.File("p.yaml")).Single();
        Assert.Equal(Full.Edits, back.Edits);
        Assert.Equal(Full.Targets, back.Targets);
        Assert.Equal((Full.Name, Full.Recipe, Full.SpanStart, Full.SpanEnd, Full.Layer), (back.Name, back.Recipe, back.SpanStart, back.SpanEnd, back.Layer));
    }

    [Fact]
    public void Csv_reads_back_the_same()
    {
        using var folder = new TempFolder();
        SteeringPlan[] plans = [Full, Full with { Name = "other", Edits = [Full.Edits[0]], Targets = [] }];
        SteeringPlanFile.Write(folder.File("p.csv"), plans);
        var back = SteeringPlanFile.Read(folder.File("p.csv"));
        Assert.Equal(plans.Select(p => p.Name), back.Select(p => p.Name));
        foreach (var (plan, read) in plans.Zip(back))
        {
            Assert.Equal(plan.Edits, read.Edits);
            Assert.Equal(plan.Targets, read.Targets);
        }
    }

    [Fact]
    public void The_least_that_a_hand_must_write()
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File("mine.yaml"), "version: 1\nkind: steering-plan\nfeatures:\n- {feature: 2/res/7, coefficient: 3}\n");
        var plan = SteeringPlanFile.Read(folder.File("mine.yaml")).Single();
        Assert.Equal(("mine", new FeatureEdit(new FeatureId(2, Site.Res, 7), EditMethod.Add, 3)), (plan.Name, plan.Edits.Single()));
        File.WriteAllText(folder.File("mine.csv"), "layer;site;index;coefficient\n2;res;7;3\n");
        Assert.Equal(plan.Edits, SteeringPlanFile.Read(folder.File("mine.csv")).Single().Edits);
    }

    [Theory]
    [InlineData("p.yaml", "version: 1\nkind: steering-plan\nfeatures:\n- {feature: 2/res/7}\n", "FF5003", 4)]
    [InlineData("p.yaml", "version: 1\nkind: steering-plan\nfeatures:\n- {feature: 2/rex/7, coefficient: 1}\n", "FF5004", 4)]
    [InlineData("p.csv", "layer,site,index,coefficient\n2,res,7,x\n", "FF5023", 2)]
    [InlineData("p.csv", "layer,site,index,coefficient\n2,rex,7,1\n", "FF5023", 2)]
    [InlineData("p.csv", "layer,site,coefficient\n2,res,1\n", "FF5023", 1)]
    [InlineData("p.csv", "layer,site,index,coefficient\n", "FF5023", 1)]
    [InlineData("p.txt", "", "FF5402", 0)]
    [InlineData("s.json", "{\"settings\": [{\"name\": \"x\"}]}", "FF5401", 0)]
    [InlineData("s.json", "{\"settings\": [{\"items\": [{\"layer\": 1}]}]}", "FF5401", 0)]
    [InlineData("s.json", "[", "FF5401", 0)]
    public void What_is_wrong_is_said(string file, string text, string code, int line)
    {
        using var folder = new TempFolder();
        File.WriteAllText(folder.File(file), text);
        var error = Assert.Throws<FeatureFlowException>(() => file.EndsWith("json", StringComparison.Ordinal) ? (object)SteeringSettings.Load(folder.File(file)) : SteeringPlanFile.Read(folder.File(file)));
        Assert.Equal((code, line), (error.Code, error.Line));
    }

    [DataFact]
    public void Settings_agree_with_the_reference()
    {
        var pack = Session.Open(Path.Combine(Repository.Data!, "stories260k"));
        using var lease = FlowEngine.Shared.Model(pack.Pack.Model!);
        var report = SteeringSettings.Load(Repository.Fixture("golden", "stories260k", "steer.json")).Run(pack, lease.Model);
        Assert.Equal(15, report.Rows.Count);
        foreach (var row in report.Rows)
        {
            Assert.True(row.TokensAgree, row.Name);
            Assert.True(row.LogitDifference < 1e-4, row.Name);
        }

        // what is written can be run again
        using var folder = new TempFolder();
        AtomicFile.WriteText(folder.File("steer.json"), report.Json);
        Assert.All(SteeringSettings.Load(folder.File("steer.json")).Run(pack, lease.Model).Rows, r => Assert.True(r.LogitDifference < 1e-6));
    }

    [Fact]
    public void The_example_plans_can_be_used()
    {
        var pack = Session.Open(Repository.Example("storyworld"));
        using var lease = FlowEngine.Shared.Model(pack.Pack.Model!);
        foreach (var file in Directory.EnumerateFiles(Repository.Example("steering"), "sea-*.yaml"))
        {
            var plan = SteeringPlanFile.Read(file).Single();
            using var set = new InterventionSet(pack, lease.Model, [plan.Edits]);
            Assert.True(plan.Edits.Count > 3);
        }
    }
}
