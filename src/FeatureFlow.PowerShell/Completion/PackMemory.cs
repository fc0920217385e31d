using System.Collections.Concurrent;
using FeatureFlow.Experiments;
using FeatureFlow.Saes;

namespace FeatureFlow.PowerShell;

/// <summary>
/// The packs that completion knows: those that a cmdlet opened, and those that were asked for while completing, which are looked at in
/// the background. Completion never waits for a disk, and never starts the engine.
/// </summary>
internal static class PackMemory
{
    private static readonly TimeSpan s_wait = TimeSpan.FromMilliseconds(60);
    private static readonly ConcurrentDictionary<string, Task<Pack?>> s_packs = new();

    /// <summary>Keeps what a cmdlet has just opened.</summary>
    public static void Remember(string path, Pack pack) => s_packs[path] = Task.FromResult<Pack?>(pack);

    /// <summary>The pack if it is known already or very soon, else null; then the next try knows it.</summary>
    public static Pack? Recall(string path)
    {
        var task = s_packs.GetOrAdd(path, static p => Task.Run(() => Look(p)));
        if (!task.Wait(s_wait)) return null;
        if (task.Result is null) s_packs.TryRemove(path, out _); // it may be there the next time
        return task.Result;
    }

    private static Pack? Look(string path)
    {
        try
        {
            return PackFile.Load(path);
        }
        catch (Exception e) when (e is FeatureFlowException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
