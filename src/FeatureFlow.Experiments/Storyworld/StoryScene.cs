namespace FeatureFlow.Experiments.Storyworld;

/// <summary>A person of the story.</summary>
internal sealed record Person(string Name, bool Woman)
{
    public string Subject => Woman ? "she" : "he";

    public string Object => Woman ? "her" : "him";

    public string Possessive => Woman ? "her" : "his";
}

/// <summary>What has been told so far and must stay true: who there is, what the hero carries, where they are. A function of the text alone.</summary>
internal sealed class StoryScene
{
    public Person? Hero { get; set; }

    public Person? Friend { get; set; }

    public string[]? HeroRole { get; set; }

    public string[]? FriendRole { get; set; }

    public string? Town { get; set; }

    public string[]? ObjectKind { get; set; }

    public string[]? Object { get; set; }

    public bool HasObject => Object is not null;

    /// <summary>Where the hero last went: "in the kitchen".</summary>
    public string[]? Here { get; set; }

    /// <summary>Whom "he" or "she" means: the subject of the last sentence.</summary>
    public Person? Topic { get; set; }

    /// <summary>Who asked the question that waits for a reply; null when no person of the story did.</summary>
    public Person? Asker { get; set; }

    public Person Other(Person person) => person == Hero ? Friend! : Hero!;

    public bool Allows(StoryFrame frame) =>
        (!frame.NeedsFriend || Friend is not null) && (!frame.NeedsObject || HasObject) && (!frame.NeedsPlace || Here is not null);
}
