# Tab: packs, sites and layers of the pack on the same line, at once.

function Complete([string] $Line) { @((TabExpansion2 $Line $Line.Length).CompletionMatches.CompletionText) }

Test 'sites and layers of a pack that was used' {
    Get-Sae $Stories | Out-Null
    Assert-Equal @('res', 'mlp', 'att') (Complete "Get-SaeFeature -Pack $Stories -Site ")
    Assert-Equal @('0', '1', '2', '3', '4') (Complete "Find-FeaturePredecessor $Stories -Layer ")
    Assert-Equal @('mlp') (Complete "New-FlowGraph $Stories -Layer 3 -Site m")
}

Test 'a relative pack' {
    Push-Location $Stories
    try { Assert-Equal @('3') (Complete 'Get-Sae pack.yaml -Layer 3') } finally { Pop-Location }
}

Test 'a pack that nobody opened' {
    Copy-Item -Recurse $Stories copy
    for ($try = 0; $try -lt 200 -and (Complete 'Get-Sae -Pack copy -Layer ') -join ',' -ne '0,1,2,3,4'; $try++) { }
    Assert-Equal @('0', '1', '2', '3', '4') (Complete 'Get-Sae -Pack copy -Layer ')
}

Test 'packs' {
    Push-Location $Stories
    try {
        Assert-Equal @('gemma-scope-2b', 'gpt2-oai-v5-32k', 'llama-scope-8b', 'pythia-70m') (Complete 'Get-SaeFeature ')[0..3]
        Assert-Equal @([IO.Path]::Combine('.', 'pack.yaml')) (Complete 'Get-SaeFeature pa')
    }
    finally { Pop-Location }
}

Test 'choices' {
    Assert-Equal @('Backward', 'Both', 'Forward') (Complete 'New-FlowGraph -Direction ' | Sort-Object)
    Assert-Equal @('Svg') (Complete 'Export-FlowGraph -Format S')
}

Test 'it is quick' {
    Complete "Get-SaeFeature $Stories -Layer " | Out-Null
    # a busy machine may delay any of them; slow code delays them all
    $times = 1..10 | ForEach-Object { (Measure-Command { Complete "Get-SaeFeature $Stories -Layer " }).TotalMilliseconds }
    $least = ($times | Measure-Object -Minimum).Minimum
    Assert-True ($least -lt 300) "$times ms"
    "$([int]$least) ms"
}
