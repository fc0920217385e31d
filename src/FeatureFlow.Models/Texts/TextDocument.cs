namespace FeatureFlow.Models.Texts;

/// <summary>One text of a corpus.</summary>
/// <param name="Text">The text, whole.</param>
/// <param name="Source">Where it is from, for people: <c>stories.txt#12</c>, <c>gsm8k.jsonl:7</c>, <c>src/Program.cs</c>.</param>
public sealed record TextDocument(string Text, string Source);
