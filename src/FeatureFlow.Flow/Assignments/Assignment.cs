namespace FeatureFlow.Flow;

/// <summary>An optimal assignment with the proof that it is one.</summary>
/// <param name="Target">For every row its column, or −1 where there are fewer columns than rows.</param>
/// <param name="Prices">v of the columns (of the rows, where there are more rows): with them anybody can check the certificate.</param>
/// <param name="Certificate">The proof.</param>
/// <param name="Work">What it took.</param>
public sealed record Assignment(int[] Target, double[] Prices, AssignmentCertificate Certificate, AssignmentWork Work);

/// <summary>
/// The dual certificate of an assignment: prices v of columns for which Σ_i min_j (c_ij − v_j) + Σ_j v_j (over all pairs) comes up to the cost of the
/// assignment. No assignment can cost less than that bound, so a gap of rounding size proves the optimum, whoever found the prices, and however.
/// </summary>
/// <param name="Primal">Cost of the assignment: the pairs' costs summed.</param>
/// <param name="Dual">The lower bound that the prices prove.</param>
/// <param name="Tolerance">The largest gap that rounding of float64 explains, relative to the sum of the absolute values that enter.</param>
/// <param name="Pairs">Pairs that the bound was verified against: all of them.</param>
public sealed record AssignmentCertificate(double Primal, double Dual, double Tolerance, long Pairs)
{
    /// <summary>Primal − dual: 0 up to rounding.</summary>
    public double Gap => Primal - Dual;

    /// <summary>True when the gap is within the tolerance.</summary>
    public bool IsOptimal => Gap <= Tolerance;
}

/// <summary>What an assignment took.</summary>
/// <param name="Queries">Rows whose nearest columns were looked for, each against all columns; the certificate's not counted.</param>
/// <param name="Rounds">Times that candidates were renewed.</param>
/// <param name="Paths">Shortest augmenting paths.</param>
/// <param name="Scanned">Rows looked at on the way.</param>
public sealed record AssignmentWork(long Queries, int Rounds, long Paths, long Scanned);

/// <summary>How an assignment is looked for; none of it changes the answer's cost.</summary>
public sealed record AssignmentOptions
{
    /// <summary>Candidates of a row to begin with; rows that need more get more.</summary>
    public int Candidates { get; init; } = 32;

    /// <summary>A file that the state is written to, and taken up from when it is there and belongs to this problem; deleted at the end. Null for none.</summary>
    public string? Checkpoint { get; init; }

    /// <summary>Seconds between two writings of the checkpoint.</summary>
    public double CheckpointSeconds { get; init; } = 30;

    /// <summary>Told what is being done.</summary>
    public IProgress<FlowProgress>? Progress { get; init; }
}
