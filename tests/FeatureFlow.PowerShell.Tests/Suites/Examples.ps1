# The examples of the pages and of examples/, run as they stand.

Copy-Item -Recurse $Stories, (Join-Path $Root examples storyworld), (Join-Path $Root examples steering) (New-Item -ItemType Directory examples)
New-Item -ItemType Directory my-pack | Out-Null
Copy-Item -Recurse (Join-Path $Stories saes) my-pack
"version: 1`nname: my-pack`nsaes:`n  - site: res`n    path: saes/res/layer_{layer}/*/*/params.npz`ndescriptions:`n  - path: said.csv`n    site: res`n    layer: 4" | Set-Content my-pack/pack.yaml
"index,description`n7,names of animals`n9,the word the" | Set-Content my-pack/said.csv

New-Item -ItemType Directory tests/fixtures/models | Out-Null
Copy-Item -Recurse (Join-Path $Root tests fixtures training) tests/fixtures
Copy-Item -Recurse (Join-Path $Root tests fixtures models gemma2-window) tests/fixtures/models

function Invoke-Examples([string] $Name) {
    $page = (Get-Content -Raw (Join-Path $Root docs cmdlets "$Name.md")) -replace "`r", ''
    Get-ChildItem -File | Remove-Item
    foreach ($example in [regex]::Matches($page, '(?m)^### (.*)\n\n```powershell\n((?:.|\n)*?)```')) {
        $title, $code = $example.Groups[1].Value, $example.Groups[2].Value
        $output = @(& ([scriptblock]::Create($code)))
        Assert-True ($output.Count -gt 0 -or $code -match 'Export-|Clear-') "'$title' gave nothing"
        "$title`: $($output.Count) objects"
    }
}

Test 'Clear-FlowEngine' { Invoke-Examples Clear-FlowEngine }
Test 'Export-FlowGraph' { Invoke-Examples Export-FlowGraph }
Test 'Find-FeaturePredecessor' { Invoke-Examples Find-FeaturePredecessor }
Test 'Find-FeatureSuccessor' { Invoke-Examples Find-FeatureSuccessor }
Test 'Get-Activation' { Invoke-Examples Get-Activation }
Test 'Get-FlowEngine' { Invoke-Examples Get-FlowEngine }
Test 'Get-Sae' { Invoke-Examples Get-Sae }
Test 'Get-SaeFeature' { Invoke-Examples Get-SaeFeature }
Test 'Invoke-Generation' { Invoke-Examples Invoke-Generation }
Test 'Invoke-Steering' { Invoke-Examples Invoke-Steering }
Test 'Measure-FeatureCausality' { Invoke-Examples Measure-FeatureCausality }
Test 'Measure-FeatureGroup' { Invoke-Examples Measure-FeatureGroup }
Test 'Join-FeatureMap' { Invoke-Examples Join-FeatureMap }
Test 'Measure-FeatureMap' { Invoke-Examples Measure-FeatureMap }
Test 'Measure-LayerApproximation' { Invoke-Examples Measure-LayerApproximation }
Test 'Measure-Sae' { Invoke-Examples Measure-Sae }
Test 'Measure-Steering' { Invoke-Examples Measure-Steering }
Test 'New-FeatureMap' { Invoke-Examples New-FeatureMap }
Test 'New-FlowGraph' { Invoke-Examples New-FlowGraph }
Test 'New-Sae' { Invoke-Examples New-Sae }
Test 'New-SteeringPlan' { Invoke-Examples New-SteeringPlan }
Test 'Set-FlowEngine' { Invoke-Examples Set-FlowEngine }

Test 'examples/pipeline.ps1' {
    Import-Module $Module
    $output = & (Join-Path $Root examples pipeline.ps1) -Out traced
    Assert-True (Test-Path traced/lineage.html)
    Assert-Equal (512 * 9) @(Import-Csv traced/predecessors.csv).Count
    Assert-Equal 1 @($output | Where-Object { $_ -is [IO.FileInfo] }).Count
    Assert-Equal 5 @($output | Where-Object { $_ -is [FeatureFlow.Flow.FlowGraph] }).Count
    Assert-Equal @(1, 2, 3, 4) ($output | Where-Object Kept -ne $null).Layer
    $output | Where-Object Kept -ne $null | Out-String
}

Test 'the pipeline of the README, word for word' {
    $block = [regex]::Match((Get-Content -Raw (Join-Path $Root README.md)), '(?s)```powershell\r?\n(Get-SaeFeature.*?)```').Groups[1].Value
    Assert-True ($block.Length -gt 50)
    Get-ChildItem -File | Remove-Item
    Invoke-Expression ($block -replace 'examples/', "$Root/examples/") | Out-Null
    Assert-True ((Get-Content -Raw lineage.html) -match '4/res/84')
}
