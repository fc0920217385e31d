using System.Text;

namespace FeatureFlow.Models.Tokenizers;

/// <summary>The printable character that byte-level vocabularies write for every byte: itself where it is one, else U+0100 and up.</summary>
internal static class ByteMap
{
    private static readonly char[] Characters = MakeCharacters();
    private static readonly short[] Bytes = MakeBytes();

    /// <summary>The character of a byte.</summary>
    public static char Character(byte value) => Characters[value];

    /// <summary>The byte of a character, or -1.</summary>
    public static int Byte(char c) => c < Bytes.Length ? Bytes[c] : -1;

    /// <summary>The bytes that a piece of a byte-level vocabulary stands for; text that is not written in the map stands for itself.</summary>
    public static byte[] Read(string piece)
    {
        var bytes = new byte[piece.Length];
        for (var i = 0; i < bytes.Length; i++)
        {
            var value = Byte(piece[i]);
            if (value < 0) return Encoding.UTF8.GetBytes(piece);
            bytes[i] = (byte)value;
        }

        return bytes;
    }

    /// <summary>How a byte-level vocabulary writes bytes.</summary>
    public static string Write(ReadOnlySpan<byte> bytes)
    {
        var characters = new char[bytes.Length];
        for (var i = 0; i < bytes.Length; i++) characters[i] = Characters[bytes[i]];
        return new string(characters);
    }

    private static char[] MakeCharacters()
    {
        var map = new char[256];
        var next = 0x100;
        for (var b = 0; b < 256; b++) map[b] = b is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or >= 0xAE ? (char)b : (char)next++;
        return map;
    }

    private static short[] MakeBytes()
    {
        var map = new short[Characters.Max() + 1];
        Array.Fill(map, (short)-1);
        for (var b = 0; b < 256; b++) map[Characters[b]] = (short)b;
        return map;
    }
}
