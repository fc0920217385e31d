using FeatureFlow.Experiments.Storyworld;
using FeatureFlow.Flow;
using FeatureFlow.Testing;

namespace FeatureFlow.Experiments.Tests.Storyworld;

/// <summary>Features of the shipped SAEs that stand for a theme.</summary>
public class ThemeFeatureTests
{
    [Fact]
    public void A_theme_has_features_of_its_own_and_two_themes_have_different_ones()
    {
        var pack = Session.Open(Repository.Example("storyworld"));
        using var lease = FlowEngine.Shared.Model(pack.Pack.Model!);
        var sea = ThemeFeatures.Find(pack, lease.Model, 5, Site.Res, "sea", stories: 48);
        var london = ThemeFeatures.Find(pack, lease.Model, 5, Site.Res, "london", stories: 48);
        Assert.Equal(10, sea.Count);
        Assert.Equal(sea.OrderByDescending(f => f.Score).Select(f => f.Feature), sea.Select(f => f.Feature));

        // one theme of fourteen: by chance a tenth of the activation would be inside
        Assert.All(new[] { sea[0], london[0] }, f => Assert.True(f.Precision > 0.3 && f.Recall > 0.6, $"{f}"));
        Assert.NotEqual(sea[0].Feature, london[0].Feature);
        Assert.True(StoryJudge.Score(sea[0].Example).Of("sea") >= 0.6);
        Assert.Equal("FF5201", Assert.Throws<FeatureFlowException>(() => ThemeFeatures.Find(pack, lease.Model, 5, Site.Res, "war")).Code);
    }
}
