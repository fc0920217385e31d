using FeatureFlow.Models;
using FeatureFlow.Tensors;

namespace FeatureFlow.Saes.Training;

/// <summary>How far one SAE is.</summary>
/// <param name="Address">Where it is.</param>
/// <param name="UnexplainedVariance">Squared error over variance, of the last batch.</param>
/// <param name="L0">Mean number of active features, of the last batch.</param>
/// <param name="Penalty">As steered.</param>
/// <param name="DeadShare">Features that have not been active of late.</param>
/// <param name="MeanL0">Mean number of active features over recent batches.</param>
public sealed record SaeTrainingFigures(SiteAddress Address, double UnexplainedVariance, double L0, double Penalty, double DeadShare, double MeanL0);

/// <summary>How far a run is.</summary>
public sealed record SaeTrainingProgress(long Step, long Steps, IReadOnlyList<SaeTrainingFigures> Saes);

/// <summary>
/// Trains several SAEs in one pass over the activations. A run that is killed goes on from its last checkpoint and ends in the same bits as one that was not; so does
/// a run with any other number of threads.
/// </summary>
public sealed class SaeTrainer : IDisposable
{
    private readonly ITensorEngine _engine;
    private readonly IActivationSource _source;
    private readonly SaeTrainingOptions _options;
    private readonly int[] _places;
    private readonly SaeLearner[] _learners;
    private readonly ActivationStream _stream;

    /// <summary>Sets up the SAEs; takes up the checkpoint when there is one.</summary>
    /// <param name="engine">Who computes.</param>
    /// <param name="source">The activations; stays the caller's.</param>
    /// <param name="recipes">One per SAE, each at an address of its own or with other features.</param>
    /// <param name="options">Of the run.</param>
    /// <param name="cancel">Honoured while the first buffer is filled.</param>
    /// <exception cref="FeatureFlowException">FF31xx.</exception>
    public SaeTrainer(ITensorEngine engine, IActivationSource source, IReadOnlyList<SaeRecipe> recipes, SaeTrainingOptions options, CancellationToken cancel = default)
    {
        options.Check();
        foreach (var recipe in recipes) recipe.Check();
        (_engine, _source, _options) = (engine, source, options);
        _places = [.. recipes.Select(r => source.Place(r.Address))];
        _learners = [.. recipes.Select((r, i) => new SaeLearner(engine, r, source.Sites[_places[i]].Width, options))];
        _stream = new ActivationStream(engine, source, _places.ToHashSet(), options.BatchSize, options.BufferTokens, options.Seed);
        try
        {
            if (options.CheckpointPath is { } path && File.Exists(path)) Step = SaeCheckpoint.Read(path, engine, source, options, _learners);
            else Initialise(cancel);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Updates done; more than 0 from the start when a checkpoint was taken up.</summary>
    public long Step { get; private set; }

    /// <summary>Runs to the end. Cancelled, it keeps its state and throws.</summary>
    /// <param name="progress">Told after every update, or null.</param>
    /// <param name="cancel">Honoured within 100 ms but for the writing of the state.</param>
    public void Run(IProgress<SaeTrainingProgress>? progress = null, CancellationToken cancel = default) => Run(_options.Steps - Step, progress, cancel);

    /// <summary>So many updates more, at most to the end.</summary>
    public void Run(long updates, IProgress<SaeTrainingProgress>? progress = null, CancellationToken cancel = default)
    {
        var last = Math.Min(_options.Steps, Step + updates);
        while (Step < last)
        {
            // an update that has begun is finished, or its state could not be kept
            if (cancel.IsCancellationRequested)
            {
                Save();
                cancel.ThrowIfCancellationRequested();
            }

            var x = _stream.Batch(Step, CancellationToken.None);
            for (var i = 0; i < _learners.Length; i++) _learners[i].Step(x[_places[i]]!, Step, _options.Steps, CancellationToken.None);
            Step++;
            progress?.Report(new SaeTrainingProgress(Step, _options.Steps, Figures()));
            if (Step % _options.CheckpointEvery == 0 || Step == _options.Steps) Save();
        }
    }

    /// <summary>Where every SAE stands.</summary>
    public IReadOnlyList<SaeTrainingFigures> Figures() =>
        [.. _learners.Select(l => new SaeTrainingFigures(l.Recipe.Address, l.UnexplainedVariance, l.L0, l.State.Penalty, l.Dead(Step - 1) / (double)l.Recipe.FeatureCount, l.State.MeanL0))];

    /// <summary>The SAEs as they are, in the frame of the model: ready to be written.</summary>
    public IReadOnlyList<TrainedSae> Results() => [.. _learners.Select(l => TrainedSae.Of(_engine, l.Recipe, l.State))];

    /// <inheritdoc/>
    public void Dispose()
    {
        _stream.Dispose();
        foreach (var learner in _learners) learner.Dispose();
    }

    private void Initialise(CancellationToken cancel)
    {
        var first = _stream.First(int.MaxValue, cancel);
        for (var i = 0; i < _learners.Length; i++) _learners[i].State.Initialise(first[_places[i]]!, _options.Seed, cancel);
    }

    private void Save()
    {
        if (_options.CheckpointPath is { } path) SaeCheckpoint.Write(path, _engine, _source, _options, _learners, Step);
    }
}
