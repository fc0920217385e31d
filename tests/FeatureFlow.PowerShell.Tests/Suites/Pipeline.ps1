# Objects through real pipelines: binding by property name, streaming, tables in and out.

Test 'the pipeline of the README' {
    Get-SaeFeature -Pack $Stories -Layer 4 -Site res -Index 40 |
        New-FlowGraph -ResidualThreshold 0.5 -ModuleThreshold 0.15 |
        Export-FlowGraph -Path lineage.html -PassThru -OutVariable file | Out-Null
    Assert-Equal (Join-Path $Temp lineage.html) $file.FullName
    Assert-True ((Get-Content -Raw lineage.html) -match '4/res/40')
}

Test 'predecessors agree with the reference' {
    $golden = Import-Csv (Join-Path $Root tests fixtures golden stories260k predecessors.csv)
    $found = @($golden | ForEach-Object { "$($_.layer)/res/$($_.index)" } | Select-Object -Unique | Find-FeaturePredecessor -Pack $Stories -Top 5)
    Assert-Equal $golden.Count $found.Count
    for ($i = 0; $i -lt $golden.Count; $i++) {
        $g, $f = $golden[$i], $found[$i]
        if ("$($g.layer),$($g.index),$($g.site),$($g.rank),$($g.source_index)" -ne "$($f.Layer),$($f.Index),$($f.SourceSite),$($f.Rank),$($f.SourceIndex)" -or
            [Math]::Abs([double]$g.cosine - $f.Similarity) -gt 1e-6) { throw "row $i`: $g but $f" }
    }
    "$($found.Count) rows"
}

Test 'Select-Object -First ends the search early' {
    $script:read = 0
    $first = Get-SaeFeature $Stories | ForEach-Object { $script:read++; $_ } | Find-FeaturePredecessor -Top 1 | Select-Object -First 1
    Assert-Equal '0/res/0' $first.Feature
    Assert-Equal 1 $script:read
}

Test 'each feature is answered before the next is read' {
    $order = [Collections.Generic.List[string]]::new()
    Get-SaeFeature $Stories -Layer 4 -Site res -Index 0-3 | ForEach-Object { $order.Add("in $($_.Index)"); $_ } |
        New-FlowGraph -BatchSize 1 | ForEach-Object { $order.Add("out $($_.Seed)") }
    Assert-Equal @('in 0', 'out 4/res/0', 'in 1', 'out 4/res/1', 'in 2', 'out 4/res/2', 'in 3', 'out 4/res/3') $order
}

Test 'batches change nothing' {
    $one = Get-SaeFeature $Stories -Layer 2, 3 -Index 0-40 | Find-FeaturePredecessor -Top 2 -BatchSize 1 | ConvertTo-Csv
    $many = Get-SaeFeature $Stories -Layer 2, 3 -Index 0-40 | Find-FeaturePredecessor -Top 2 | ConvertTo-Csv
    Assert-Equal $one $many
}

Test 'matches piped on are walked from' {
    $walk = Find-FeaturePredecessor $Stories 4/res/40 | Find-FeaturePredecessor
    Assert-Equal (Find-FeaturePredecessor $Stories 4/res/40).Source ($walk.Feature | Select-Object -Unique)
    Assert-Equal (Find-FeaturePredecessor $Stories 4/res/40).Source (Find-FeaturePredecessor $Stories 4/res/40 | Get-SaeFeature).Feature
}

Test 'CSV out and in again' {
    Find-FeaturePredecessor $Stories 4/res/40 | Export-Csv matches.csv
    Assert-Equal (Find-FeaturePredecessor $Stories 4/res/40).Source (Import-Csv matches.csv | Get-SaeFeature).Feature
    Get-SaeFeature $Stories -Layer 3 -Site mlp -Index 7, 9 | Export-Csv features.csv
    Assert-Equal @('3/mlp/7', '3/mlp/9') (Import-Csv features.csv | New-FlowGraph).Seed
}

Test 'JSON out and in again' {
    Assert-Equal @('3/mlp/7', '3/mlp/9') (Get-SaeFeature $Stories -Layer 3 -Site mlp -Index 7, 9 | ConvertTo-Json | ConvertFrom-Json | New-FlowGraph).Seed
}

Test 'rows of the command line tool' {
    "layer,site,index,source_layer,source_site,source_index`n4,res,40,3,res,65" | Set-Content tool.csv
    Assert-Equal '3/res/65' (Import-Csv tool.csv | Get-SaeFeature -Pack $Stories).Feature
}

Test 'features as text, by position and by pipeline' {
    Assert-Equal @('4/res/40', '3/mlp/2') (New-FlowGraph $Stories 4/res/40, 3/mlp/2).Seed
    Assert-Equal @('4/res/40', '3/mlp/2') ('4/res/40', '3/mlp/2' | New-FlowGraph $Stories).Seed
}

Test 'features as objects' {
    $features = Get-SaeFeature $Stories -Layer 3 -Site mlp -Index 7, 9
    Assert-Equal @('3/mlp/7', '3/mlp/9') (New-FlowGraph $Stories -Feature $features).Seed
    Assert-Equal @('3/mlp/7', '3/mlp/9') ($features | New-FlowGraph -Pack $Stories).Seed
}

Test 'objects that have only some of it' {
    Assert-Equal 1536 @([pscustomobject]@{ Layer = 4 } | Get-SaeFeature $Stories).Count
    Assert-Equal 15 @([pscustomobject]@{ Index = 3 } | Get-SaeFeature $Stories).Count
    Assert-Equal '4/res/3' ([pscustomobject]@{ Layer = '4'; Index = '3' } | New-FlowGraph $Stories).Seed
}

Test 'a graph stands for its seed' {
    Assert-Equal @('4/res/3', '3/mlp/7') (New-FlowGraph $Stories 4/res/3, 3/mlp/7 | Get-SaeFeature).Feature
}

Test 'edges with evidence' {
    $world = Join-Path $Root examples storyworld
    'The ship sailed to the island. The captain saw a whale.' | Set-Content ship.txt
    $graph = New-FlowGraph $world 5/res/108 -Direction Both -Verify -Corpus ship.txt
    Assert-Equal 0 @($graph.Edges | Where-Object { $null -eq $_.Evidence }).Count
    $tried = @($graph.Edges | Where-Object { $_.Evidence.Count -gt 0 })
    Assert-True ($tried.Count -gt 0)
    $least = ($tried | ForEach-Object { $_.Evidence.Change.Value } | Measure-Object -Minimum).Minimum
    $pruned = New-FlowGraph $world 5/res/108 -Direction Both -Verify -Corpus ship.txt -MinimumEffect ($least + 1e-6)
    Assert-True ($pruned.Edges.Count -lt $graph.Edges.Count)
    Assert-True ($pruned.Notes[-1] -match 'left out, with less effect')
    Assert-True ((New-FlowGraph $world 5/res/108 -Verify -Corpus ship.txt -ErrorAction SilentlyContinue -ErrorVariable no) -and -not $no)
}

Test 'texts are for -Verify, and -Verify needs texts' {
    foreach ($wrong in { New-FlowGraph $Stories 4/res/40 -Verify }, { New-FlowGraph $Stories 4/res/40 -MinimumEffect 0.1 }) {
        $code = ''
        try { & $wrong } catch { $code = $_.FullyQualifiedErrorId }
        Assert-True ($code -match 'FF7010|FF7011')
    }
}

Test 'cosine, assignment and correlation everywhere' {
    $world = Join-Path $Root examples storyworld
    'The ship sailed to the island. The captain saw a whale. The old sailor fed the dragon.' | Set-Content ship.txt
    $texts = @{ Corpus = 'ship.txt' }
    $found = foreach ($method in 'Cosine', 'Assignment', 'Pearson') {
        $more = $method -eq 'Pearson' ? $texts : @{}
        $predecessor = Find-FeaturePredecessor $world 3/res/199 -Among res -Matcher $method @more
        Assert-True ($predecessor.Similarity -le 1.000001)
        $graph = New-FlowGraph $world 3/res/199 -ResidualThreshold 0 -Matcher $method @more
        $edge = $graph.Edges | Where-Object { $_.Target -eq '3/res/199' -and $_.Kind -eq 'res' }
        Assert-Equal $predecessor.Source $edge.Predecessor
        Assert-Equal $predecessor.Similarity $edge.Similarity
        $map = New-FeatureMap $world -Layer 2 -MapMethod $method @more -Cost Decoder
        Assert-True ($map.Pairs.Count -gt 0)
        $shares = Measure-FeatureGroup $world -Layer 3 -TokenCount 4 -Matcher $method @texts
        Assert-Equal 8 $shares.Count
        "$method $($predecessor.Source) $($shares.Share -join ' ')"
    }

    Assert-Equal 3 @($found | Select-Object -Unique).Count
    $code = ''
    try { Find-FeaturePredecessor $world 3/res/199 -Matcher Pearson } catch { $code = $_.FullyQualifiedErrorId }
    Assert-True ($code -match 'FF7010')
}

Test 'nodes of a graph' {
    $graph = New-FlowGraph $Stories 4/res/40 -ResidualThreshold 0.3
    Assert-Equal $graph.Nodes.Id ($graph.Nodes | Get-SaeFeature -Pack $Stories).Feature
}

Test 'ranges, lists and wildcards' {
    Assert-Equal 30 @(Get-SaeFeature $Stories -Layer 0-4 -Site m*, res -Index 0, 500-501).Count
    Assert-Equal 2 @(Get-SaeFeature $Stories -Layer (3..4) -Site res -Index 7).Count
    Assert-Equal 15 @(Get-SaeFeature $Stories -Layer * -Index 7).Count
}

Test 'packs and SAEs from Get-ChildItem' {
    Assert-Equal '1/mlp/3' (Get-ChildItem $Stories pack.yaml | Get-SaeFeature -Layer 1 -Site mlp -Index 3).Feature
    Assert-Equal 15 @(Get-ChildItem $Stories -Recurse params.npz | Get-Sae).Count
    Assert-Equal 5 @(Get-Sae -Path (Join-Path $Stories saes res * * * params.npz)).Count
    Assert-Equal 15 @(Get-Sae $Stories | Get-SaeFeature -Index 0).Count
}

Test 'paths are relative to the current location' {
    Push-Location $Stories
    try { Assert-Equal 1 @(Get-SaeFeature . -Layer 4 -Site res -Index 3).Count } finally { Pop-Location }
}

Test 'graphs in one file and in a file each' {
    New-FlowGraph $Stories -Layer 4 -Index 1-3 | Export-FlowGraph graphs.json
    Assert-Equal 3 @((Get-Content -Raw graphs.json | ConvertFrom-Json).graphs).Count
    Assert-Equal @('stories260k-4-res-1.svg', 'stories260k-4-res-2.svg', 'stories260k-4-res-3.svg') (New-FlowGraph $Stories -Layer 4 -Index 1-3 | Export-FlowGraph pictures/ -Format Svg -PassThru).Name
}

Test 'WhatIf writes nothing' {
    New-FlowGraph $Stories 4/res/40 | Export-FlowGraph never.html -WhatIf
    Assert-True (-not (Test-Path never.html))
}

Test 'a graph survives a job' {
    $graph = New-FlowGraph $Stories 4/res/40
    $back = [Management.Automation.PSSerializer]::Deserialize([Management.Automation.PSSerializer]::Serialize($graph))
    Assert-Equal @($graph.Nodes.Id) @($back.Nodes.Id)
    Assert-Equal @($graph.Edges.Similarity) @($back.Edges.Similarity)
    Assert-Equal $graph.Span $back.Span
}

Test 'maps match, join and agree as in the reference' {
    $maps = @(New-FeatureMap $Stories -Layer 0, 1)
    Assert-Equal @('0/res', '1/res') $maps.From
    Assert-True ([Math]::Abs($maps[0].TotalCost - 2381.700728421183) -lt 1e-2) "$($maps[0].TotalCost)"
    Assert-True $maps[0].Certificate.IsOptimal
    $joined = $maps | Join-FeatureMap -Direct (New-FeatureMap $Stories -Layer 0 -To 2) -OutFile P_0_2.npy
    Assert-Equal 0.314453125 $joined.Agreement
    Assert-True (Test-Path P_0_2.npy)
    $row = $maps[1] | Measure-FeatureMap
    Assert-Equal 512 $row.Pairs
    Assert-Equal 'threshold' $row.Fold
}

Test 'maps go through NumPy files and back' {
    $made = @(New-FeatureMap $Stories -Layer 0, 1 -OutFile 'P_{from}_{to}.npy')
    $read = @(New-FeatureMap -MapFile 'P_0_1.npy', 'P_1_2.npy' -Pack $Stories)
    Assert-Equal @('0/res', '1/res') $read.From
    Assert-Equal $made[1].Targets() $read[1].Targets()
    Assert-True ([Math]::Abs($made[0].Error.Decoder - $read[0].Error.Decoder) -lt 1e-12) "$($read[0].Error)"
    $joined = $read | Join-FeatureMap | Measure-FeatureMap
    Assert-Equal '2/res' $joined.To
    Assert-True ($joined.DecoderError -gt ($made[0] | Measure-FeatureMap).DecoderError) "$($joined.DecoderError)"
}

Test 'maps are measured on texts and judged' {
    $map = New-FeatureMap (Join-Path $Root examples storyworld) -Layer 2 -Cost Decoder
    $row = $map | Measure-FeatureMap -Corpus storyworld:7 -DocumentCount 5 -Judge words -SampleCount 40
    Assert-True ($row.MatchingScoreLow -le $row.MatchingScore -and $row.MatchingScore -le $row.MatchingScoreHigh -and $row.MatchingScore -gt 0.1) "$($row.MatchingScore)"
    Assert-Equal 'shared words' $row.Judge
    Assert-True ($row.JudgedSimilarity -gt 1 -and $row.JudgedSimilarity -lt 3 -and $row.Judged -le 40) "$($row.JudgedSimilarity)"
    $folded = New-FeatureMap (Join-Path $Root examples storyworld) -Layer 2 -Cost Decoder -Fold MeanActivation -Corpus storyworld:7 -DocumentCount 5
    Assert-Equal 'mean-activation' $folded.SourceFold
    Assert-Equal 'FF7010' (Get-Failure { New-FeatureMap (Join-Path $Root examples storyworld) -Layer 2 -Fold MeanActivation -ErrorAction Stop }).FullyQualifiedErrorId.Split(',')[0]
    Assert-Equal 'FF5152' (Get-Failure { $map | Measure-FeatureMap -Judge words -ErrorAction Stop }).FullyQualifiedErrorId.Split(',')[0]
}

Test 'layers are approximated as by the command' {
    $rows = @(Measure-LayerApproximation (Join-Path $Root examples storyworld) -Corpus storyworld:7 -DocumentCount 4 -Layer 1 -Quantile 1 -Destination approximated)
    Assert-Equal 6 $rows.Count
    $csv = Import-Csv approximated/approx.csv
    Assert-Equal @($csv.substitute) @($rows.Substitute)
    Assert-Equal ([double]$csv[3].delta_ce) $rows[3].DeltaLoss
    Assert-True ($rows[3].DeltaLossLow -lt $rows[3].DeltaLoss -and $rows[3].DeltaLoss -lt $rows[3].DeltaLossHigh) "$($rows[3].DeltaLoss)"
    Assert-Equal 'threshold' $rows[0].Fold
}
