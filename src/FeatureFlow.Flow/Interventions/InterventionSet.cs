using FeatureFlow.Models;

namespace FeatureFlow.Flow;

/// <summary>
/// Several interventions on one model, prepared: lists of edits that a forward pass can make side by side, different rows of a batch by different ones.
/// All edits of a site use the state that arrives there, already edited upstream, then are added. Safe for several threads.
/// </summary>
public sealed class InterventionSet : IDisposable
{
    private readonly List<SiteEdits> _sites = [];
    private readonly int[] _firstLayers;
    private readonly int[] _entryLayers;

    /// <summary>Gathers the weights that the edits need.</summary>
    /// <param name="pack">The pack that the features are of.</param>
    /// <param name="model">The model; it must stay open until this is disposed.</param>
    /// <param name="interventions">The edits of each.</param>
    /// <param name="cancel">Honoured between SAEs.</param>
    /// <exception cref="FeatureFlowException">FF4001, FF4002: no such feature; FF4040: the SAE is of another model; FF30xx: its files are damaged.</exception>
    public InterventionSet(OpenedPack pack, LanguageModel model, IReadOnlyList<IReadOnlyList<FeatureEdit>> interventions, CancellationToken cancel = default)
    {
        foreach (var edits in interventions.SelectMany(i => i).Select(e => e.Feature).GroupBy(Place.Of)) pack.Check(edits.Key, edits.Select(f => f.Index));
        Model = model;
        Count = interventions.Count;
        _firstLayers = [.. interventions.Select(i => i.Where(e => !e.IsNothing).Select(e => e.Feature.Layer).DefaultIfEmpty(model.Config.Layers).Min())];
        _entryLayers = [.. interventions.Select((edits, i) => _firstLayers[i] < model.Config.Layers && edits.All(e => e.IsNothing || e.Feature.Layer > _firstLayers[i] || e.Feature.Site == Site.Res) ? _firstLayers[i] + 1 : _firstLayers[i])];
        try
        {
            foreach (var place in interventions.SelectMany(i => i).Where(e => !e.IsNothing).Select(e => Place.Of(e.Feature)).Distinct().Order())
            {
                cancel.ThrowIfCancellationRequested();
                _sites.Add(new SiteEdits(pack, model, place, [.. interventions.Select(i => (IReadOnlyList<FeatureEdit>)[.. i.Where(e => Place.Of(e.Feature) == place)])]));
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The model.</summary>
    public LanguageModel Model { get; }

    /// <summary>Number of interventions.</summary>
    public int Count { get; }

    internal IReadOnlyList<SiteEdits> Sites => _sites;

    /// <summary>The lowest layer that an intervention touches: below it everything is as without it. The number of layers when it does nothing.</summary>
    public int FirstLayer(int intervention) => _firstLayers[intervention];

    /// <summary>The lowest layer whose input an intervention changes or which it changes inside: one above <see cref="FirstLayer"/> where only what that layer leaves is edited. Up to the number of layers.</summary>
    public int EntryLayer(int intervention) => _entryLayers[intervention];

    /// <summary>A hook that makes the edits of a batch of rows; for one thread at a time.</summary>
    /// <param name="byOwner">Of every owner of a row (<see cref="TokenBatch.Owners"/>): the intervention, −1 for none, and where it is made.</param>
    public InterventionHook Hook(IReadOnlyList<RowEdits> byOwner) => new(this, byOwner);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var site in _sites) site.Dispose();
    }
}

/// <summary>What is done to a row.</summary>
/// <param name="Intervention">Number of the intervention in its set; −1 for none.</param>
/// <param name="Positions">Where; null for everywhere.</param>
public readonly record struct RowEdits(int Intervention, EditPositions? Positions = null);
