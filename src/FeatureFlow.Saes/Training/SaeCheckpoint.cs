using System.Globalization;
using System.Text.Json;
using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes.Training;

/// <summary>
/// The state of a run in one safetensors file, written whole or not at all. The buffer of activations is not in it: which tokens a step sees follows from
/// its number.
/// </summary>
internal static class SaeCheckpoint
{
    private const string StepKey = "step", RunKey = "run", SourceKey = "source", VersionKey = "version", Version = "1";

    public static void Write(string path, ITensorEngine engine, IActivationSource source, SaeTrainingOptions options, IReadOnlyList<SaeLearner> learners, long step)
    {
        var metadata = new Dictionary<string, string>
        {
            [VersionKey] = Version,
            [StepKey] = step.ToString(CultureInfo.InvariantCulture),
            [RunKey] = Run(options, learners),
            [SourceKey] = source.Identity,
        };
        SafetensorsFile.Write(path, metadata, learners.SelectMany((l, i) => Sources(engine, l.State, i)));
    }

    /// <summary>Takes up a state; returns its step.</summary>
    public static long Read(string path, ITensorEngine engine, IActivationSource source, SaeTrainingOptions options, IReadOnlyList<SaeLearner> learners)
    {
        using var file = SafetensorsFile.Open(path);
        Same(VersionKey, Version, "its version");
        Same(RunKey, Run(options, learners), "what is trained, or how,");
        Same(SourceKey, source.Identity, "the text or model of its activations");
        for (var i = 0; i < learners.Count; i++)
        {
            var state = learners[i].State;
            foreach (var (name, tensor) in state.Tensors()) engine.Copy(file.Get(Name(i, name)), tensor);
            file.Get(Name(i, "last_active")).AsSpan<long>().CopyTo(state.LastActive);
            state.Numbers = file.Get(Name(i, "numbers")).AsSpan<double>().ToArray();
        }

        return long.Parse(file.Metadata[StepKey], CultureInfo.InvariantCulture);

        void Same(string key, string value, string what)
        {
            if (!file.Metadata.TryGetValue(key, out var kept) || kept != value) throw SaeErrors.OtherRun(path, what);
        }
    }

    private static IEnumerable<TensorSource> Sources(ITensorEngine engine, SaeTrainingState state, int index)
    {
        var numbers = state.Numbers;
        yield return new TensorSource(Name(index, "numbers"), DType.F64, [numbers.Length], s => s.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(numbers.AsSpan())));
        yield return new TensorSource(Name(index, "last_active"), DType.I64, [state.LastActive.Length], s => s.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(state.LastActive.AsSpan())));
        foreach (var (name, tensor) in state.Tensors())
        {
            yield return TensorSource.Made(Name(index, name), tensor.DType, tensor.Shape.ToArray(), () =>
            {
                var host = Tensor.Allocate(tensor.DType, tensor.Shape);
                engine.Copy(tensor, host);
                return host;
            });
        }
    }

    private static string Name(int index, string name) => string.Create(CultureInfo.InvariantCulture, $"{index}.{name}");

    // how often the state is kept, and where, does not change the run
    private static string Run(SaeTrainingOptions options, IReadOnlyList<SaeLearner> learners) =>
        JsonSerializer.Serialize(new { options = options with { CheckpointPath = null, CheckpointEvery = 1 }, saes = learners.Select(l => l.Recipe) });
}
