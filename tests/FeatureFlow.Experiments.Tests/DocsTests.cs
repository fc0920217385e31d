using FeatureFlow.Experiments.Texts;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests;

/// <summary>Pages and schemas that are made from the code are current.</summary>
public sealed class DocsTests
{
    [Fact]
    public void Schemas_in_docs_are_current()
    {
        Golden.CheckFile(Doc("schemas", "pack.schema.json"), JsonSchemas.Pack);
        Golden.CheckFile(Doc("schemas", "corpora.schema.json"), JsonSchemas.Corpora);
        Golden.CheckFile(Doc("schemas", "steering-plan.schema.json"), JsonSchemas.SteeringPlan);
        Golden.CheckFile(Doc("schemas", "judge.schema.json"), JsonSchemas.Judge);
        Golden.CheckFile(Doc("schemas", "experiment.schema.json"), JsonSchemas.Experiment);
    }

    [Fact]
    public void Yaml_references_in_docs_are_current()
    {
        Golden.CheckSection(Doc("packs.md"), "pack", YamlReference.Markdown(PackSchema.Pack, PackSchema.Sae, PackSchema.Description));
        Golden.CheckSection(Doc("judges.md"), "judge", YamlReference.Markdown(Experiments.Judging.JudgeFile.Record));
        Golden.CheckSection(Doc("texts.md"), "corpora", YamlReference.Markdown(Corpora.File, Corpora.Entry));
        Golden.CheckSection(Doc("steering.md"), "plan", YamlReference.Markdown(SteeringPlanFile.Plan, SteeringPlanFile.Edit, SteeringPlanFile.Made));
        foreach (var kind in ExperimentKinds.All) Golden.CheckSection(Doc("yaml.md"), kind.Name, YamlReference.Markdown([kind.Schema, .. kind.Parts]));
    }

    private static string Doc(params string[] parts) => Path.Combine([Repository.Root, "docs", .. parts]);
}
