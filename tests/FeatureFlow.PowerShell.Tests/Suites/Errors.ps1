# Error records: ids that scripts can rely on, categories, targets, the remedy.

Test 'a feature that does not exist' {
    $failure = Get-Failure { param($ErrorAction) Get-SaeFeature $Stories 4/res/999 -ErrorAction Stop }
    Assert-Equal 'FF4002,FeatureFlow.PowerShell.GetSaeFeatureCommand' $failure.FullyQualifiedErrorId
    Assert-Equal 'ObjectNotFound' $failure.CategoryInfo.Category
    Assert-Equal '4/res/999' "$($failure.TargetObject)"
    Assert-True ($failure.ErrorDetails.Message -match '0 to 511.*\(FF4002\)$')
    Assert-True ($failure.ErrorDetails.RecommendedAction -match 'FF4002')
}

Test 'the rest goes on' {
    $found = '4/res/1', '4/res/999', '9/res/1', '4/res/2' | Find-FeaturePredecessor $Stories -ErrorAction SilentlyContinue -ErrorVariable failures
    Assert-Equal @('4/res/1', '4/res/2') @($found.Feature | Select-Object -Unique)
    Assert-Equal @('FF4002,FeatureFlow.PowerShell.FindFeaturePredecessorCommand', 'FF4001,FeatureFlow.PowerShell.FindFeaturePredecessorCommand') $failures.FullyQualifiedErrorId
}

Test 'a pack that is not there ends the call' {
    try { Get-SaeFeature nowhere -ErrorAction SilentlyContinue; throw 'nothing failed' } catch { Assert-Equal 'FF5010,FeatureFlow.PowerShell.GetSaeFeatureCommand' $_.FullyQualifiedErrorId }
}

Test 'packs from the pipeline fail one by one' {
    $rows = 'nowhere', $Stories | ForEach-Object { [pscustomobject]@{ Pack = $_; Layer = 4; Site = 'res'; Index = 1 } }
    Assert-Equal 1 @($rows | Get-SaeFeature -ErrorAction SilentlyContinue -ErrorVariable failures).Count
    Assert-Equal 1 $failures.Count
}

Test 'other providers are not files' {
    Assert-Equal 'FF7004,FeatureFlow.PowerShell.GetSaeCommand' (Get-Failure { Get-Sae env:PATH }).FullyQualifiedErrorId
    Assert-Equal 'FF7004,FeatureFlow.PowerShell.GetSaeCommand' (Get-Failure { Get-Sae nosuchdrive:/x }).FullyQualifiedErrorId
}

Test 'one path that is none does not hide the others' {
    $good = (Get-ChildItem $Stories -Recurse params.npz)[0].FullName
    Assert-Equal 1 @(Get-Sae -Path *.npz, env:*, nosuchdrive:/*, nowhere/*/x.npz, $good -ErrorAction SilentlyContinue -ErrorVariable failures).Count
    Assert-Equal @('FF7005', 'FF7004', 'FF7004', 'FF7005') ($failures | ForEach-Object { ($_.FullyQualifiedErrorId -split ',')[0] })
}

Test 'arguments that mean nothing say what they could be' {
    Assert-True ((Get-Failure { Get-SaeFeature $Stories -Layer x }).Exception.Message -match 'is no number, range or \*')
    Assert-True ((Get-Failure { Get-SaeFeature $Stories 4-res-40 }).Exception.Message -match 'layer/site/index')
    Assert-Equal 'FF2070,FeatureFlow.PowerShell.GetSaeFeatureCommand' (Get-Failure { Get-SaeFeature $Stories -Site resid -ErrorAction Stop }).FullyQualifiedErrorId
    Assert-Equal 'FF7002,FeatureFlow.PowerShell.NewFlowGraphCommand' (Get-Failure { New-FlowGraph $Stories 4/res/1 -LayerThreshold @{ 4 = 2 } }).FullyQualifiedErrorId
}

Test 'files are replaced only by force' {
    $graph = New-FlowGraph $Stories 4/res/40
    'mine' | Set-Content kept.json
    $failure = Get-Failure { $graph | Export-FlowGraph kept.json }
    Assert-Equal 'FF7003,FeatureFlow.PowerShell.ExportFlowGraphCommand' $failure.FullyQualifiedErrorId
    Assert-Equal 'ResourceExists' $failure.CategoryInfo.Category
    Assert-Equal 'mine' (Get-Content kept.json)
    $graph | Export-FlowGraph kept.json -Force
    Assert-True ((Get-Content -Raw kept.json) -ne 'mine')
}

Test 'what the file is worth is read before it is believed' {
    'not an SAE' | Set-Content wrong.npz
    $failure = Get-Failure { Get-Sae -Path wrong.npz -ErrorAction Stop }
    Assert-True ($failure.FullyQualifiedErrorId -match '^FF[23]\d{3},FeatureFlow.PowerShell.GetSaeCommand$') $failure.FullyQualifiedErrorId
    Assert-Equal 'InvalidData' $failure.CategoryInfo.Category
}
