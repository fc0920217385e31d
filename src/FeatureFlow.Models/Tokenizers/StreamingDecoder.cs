namespace FeatureFlow.Models.Tokenizers;

/// <summary>
/// Text of tokens as they come, one by one: a character appears when its last byte is there, never half of it. What comes out together is what
/// <see cref="Tokenizer.Decode"/> gives for the same ids (but where byte tokens form no UTF-8, which then show only from the first bad one on).
/// </summary>
/// <param name="skipSpecial">Leaves special tokens out.</param>
/// <param name="continues">The text goes on after a prompt: a space at its start is kept.</param>
public sealed class StreamingDecoder(Tokenizer tokenizer, bool skipSpecial = false, bool continues = false)
{
    private readonly (DecodeStep First, TextSink Sink) _chain = tokenizer.Decoder(new DecodeMode(Streaming: true, continues));

    /// <summary>The text that this token completes; empty while a character lacks bytes.</summary>
    public string Push(int id)
    {
        tokenizer.Push(_chain.First, id, skipSpecial);
        return Text();
    }

    /// <summary>What was kept; half a character becomes U+FFFD.</summary>
    public string Finish()
    {
        _chain.First.Finish();
        return Text();
    }

    private string Text()
    {
        var text = _chain.Sink.Text.ToString();
        _chain.Sink.Text.Clear();
        return text;
    }
}
