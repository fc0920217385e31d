# What people see, in a culture that writes numbers otherwise.

[cultureinfo]::CurrentCulture = 'de-DE'
$graph = New-FlowGraph $Stories 4/res/40 -ResidualThreshold 0.3

Test 'SAEs' { Assert-Golden sae.txt (Get-Sae $Stories -Layer 3, 4 | Out-String -Width 110) }
Test 'features' { Assert-Golden features.txt (Get-SaeFeature $Stories -Layer 4 -Site res -Index 0-2 | Out-String -Width 110) }
Test 'matches' { Assert-Golden matches.txt (Find-FeaturePredecessor $Stories 4/res/40, 4/res/41 -Top 2 | Out-String -Width 110) }
Test 'graphs' { Assert-Golden graph.txt ($graph | Out-String -Width 110) }
Test 'a graph as a list' { Assert-Golden graph-list.txt ($graph | Format-List | Out-String -Width 110) }
Test 'nodes' { Assert-Golden nodes.txt ($graph.Nodes | Out-String -Width 110) }
Test 'edges' { Assert-Golden edges.txt ($graph.Edges | Out-String -Width 110) }
Test 'the engine' { Assert-Golden engine.txt ((Get-FlowEngine | Out-String -Width 110) -replace '(?m)^(Engine|Device|Threads|Budget)( *): .*$', '$1$2: ...') }
Test 'measures of maps' { Assert-Golden map-measures.txt (New-FeatureMap $Stories -Layer 2, 3 | Measure-FeatureMap | Out-String -Width 110) }
Test 'groups and cuts' {
    $world = Join-Path $Root examples storyworld
    'The ship sailed to the island.' | Set-Content ship.txt
    Assert-Golden groups.txt (Measure-FeatureGroup $world -Corpus ship.txt -Layer 2 -TokenCount 3 | Out-String -Width 110)
    Assert-Golden cuts.txt (Measure-FeatureCausality $world -Corpus ship.txt -Layer 2 -TokenCount 2 -TargetCount 1 -Strategy top1, random | Out-String -Width 110)
}
Test 'an error' {
    $PSStyle.OutputRendering = 'PlainText'
    $failure = Get-Failure { Get-SaeFeature $Stories 4/res/999 -ErrorAction Stop }
    Assert-Golden error.txt "$($failure.ErrorDetails.Message)`n$($failure.ErrorDetails.RecommendedAction)"
}
