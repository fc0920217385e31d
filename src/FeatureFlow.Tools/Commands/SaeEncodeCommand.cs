using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using FeatureFlow.Flow;
using FeatureFlow.Models;
using FeatureFlow.Saes;
using FeatureFlow.Tensors;

namespace FeatureFlow.Tools.Commands;

/// <summary><c>featureflow sae encode</c>: activations and reconstructions of given inputs.</summary>
internal sealed class SaeEncodeCommand : ToolCommand
{
    private const int ChunkRows = 512;

    private readonly SaeArgument _sae = new();
    private readonly Option<string> _input = new("--input", "-i") { Description = "The .safetensors file that holds the inputs.", HelpName = "FILE", Required = true };
    private readonly Option<string> _tensor = new("--tensor", "-t") { Description = "Its tensor: [N,d] or [B,T,d].", HelpName = "NAME", Required = true };
    private readonly Option<string> _out = PackOptions.Out("The .safetensors file to write: z [N,F] and recon [N,d], float32.");

    public SaeEncodeCommand()
        : base(
            "encode",
            "Encode hidden states with an SAE and decode them again, exactly as its project defines.",
            ("sae encode examples/stories260k --layer 4 --site res --input tests/fixtures/golden/stories260k/states.safetensors --tensor res.4 --out z.safetensors", "An SAE of a pack."),
            ("sae encode tests/fixtures/saes/saelens-topk --input tests/fixtures/saes/saelens-topk/expected.safetensors --tensor h --out z.safetensors", "An SAE's own folder."))
    {
        _sae.AddTo(this);
        foreach (var option in new Option[] { _input, _tensor, _out }) Options.Add(option);
    }

    protected override int Run(ParseResult options, ToolContext context)
    {
        using var sae = _sae.Open(options);
        using var input = SafetensorsFile.Open(options.GetValue(_input)!);
        var name = options.GetValue(_tensor)!;
        if (!input.Contains(name)) throw ToolErrors.NoTensor(input.Path, name, input.Entries.Select(e => e.Name));
        var h_TD = Rows(sae.Value, input, name);
        var (rows, features, width) = (h_TD.Shape[0], sae.Value.Info.FeatureCount, sae.Value.Info.OutputWidth);

        var engine = FlowEngine.Shared.Tensors;
        using var recon_TD = Tensor.Allocate(DType.F32, rows, width);
        using var z_CF = Tensor.Allocate(DType.F32, Math.Min(rows, ChunkRows), features);
        long active = 0;
        context.Watch("encode", progress =>
        {
            SafetensorsFile.Write(options.GetValue(_out)!, null, [new TensorSource("z", DType.F32, [rows, features], Encode), Whole("recon", recon_TD)]);
            return 0;

            // recon is made on the way, and written after z
            void Encode(Stream stream)
            {
                for (var start = 0; start < rows; start += ChunkRows)
                {
                    progress.Report(new FlowProgress($"row {start} of {rows}", (double)start / rows));
                    var count = Math.Min(ChunkRows, rows - start);
                    var (x, z, r) = (h_TD.Rows(start, count), z_CF.Rows(0, count), recon_TD.Rows(start, count));
                    sae.Value.Encode(engine, x, z, context.Cancel);
                    sae.Value.Decode(engine, z, x, r, context.Cancel);
                    var values = z.AsSpan<float>();
                    foreach (var v in values) active += v != 0 ? 1 : 0;
                    stream.Write(MemoryMarshal.AsBytes(values));
                }
            }
        });

        var l0 = rows > 0 ? (double)active / rows : 0;
        if (context.Json) context.Out.WriteLine(new JsonObject { ["out"] = options.GetValue(_out), ["rows"] = rows, ["features"] = features, ["l0"] = l0 }.ToJsonString());
        else context.Out.WriteLine(FormattableString.Invariant($"{options.GetValue(_out)}: z [{rows},{features}], recon [{rows},{width}]; mean L0 {l0:0.##}"));
        return 0;
    }

    private static TensorSource Whole(string name, Tensor tensor) =>
        new(name, tensor.DType, tensor.Shape.ToArray(), stream =>
        {
            const int Block = 4096;
            for (var start = 0; start < tensor.Shape[0]; start += Block) stream.Write(MemoryMarshal.AsBytes(tensor.Rows(start, Math.Min(Block, tensor.Shape[0] - start)).AsSpan<float>()));
        });

    private static Tensor Rows(Sae sae, SafetensorsFile input, string name)
    {
        var entry = input.Entry(name);
        var width = sae.Info.InputWidth;
        if (entry.Shape is not ([_, _] or [_, _, _]) || entry.Shape[^1] != width || entry.DType is not (DType.F32 or DType.BF16 or DType.F16 or DType.F64))
            throw ToolErrors.InputShape(input.Path, name, entry.ToString(), width);
        var tensor = input.Get(name);
        return tensor.Rank == 2 ? tensor : tensor.Reshape(tensor.Shape[0] * tensor.Shape[1], width);
    }
}
