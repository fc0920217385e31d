# Get-Help, as PowerShell shows it.

$common = [Management.Automation.Cmdlet]::CommonParameters

function Assert-Help([string] $Name) {
    $help = Get-Help $Name -Full
    $page = Get-Content -Raw (Join-Path $Root docs cmdlets "$Name.md")
    Assert-Equal ($page -split "`r?`n")[2] $help.Synopsis
    Assert-True ("$($help.description | Out-String)".Length -gt 100) 'no description'
    Assert-Equal ([regex]::Matches($page, '(?m)^```powershell').Count) @($help.examples.example).Count
    Assert-Equal (Get-Command $Name).ParameterSets.Count @($help.syntax.syntaxItem).Count
    $parameters = (Get-Command $Name).Parameters.Keys | Where-Object { $_ -notin $common } | Sort-Object
    Assert-Equal $parameters (@($help.parameters.parameter.name) -ne $null | Sort-Object)
    foreach ($parameter in $parameters) {
        $said = Get-Help $Name -Parameter $parameter
        Assert-True ("$($said.description.Text)".Length -gt 5) "-$parameter is not explained"
    }
    foreach ($parameter in (Get-Command $Name).Parameters.Values) {
        foreach ($set in $parameter.ParameterSets.Values) { Assert-True ($parameter.Name -in $common -or $parameter.Name -in 'WhatIf', 'Confirm' -or $set.HelpMessage) "-$($parameter.Name) has no tool tip" }
        Assert-True ($parameter.ParameterType -ne [bool]) "-$($parameter.Name) is a Boolean"
    }
    Assert-True ((Get-Command $Name).OutputType.Count -gt 0) 'no output type'
}

Test 'Clear-FlowEngine' { Assert-Help Clear-FlowEngine }
Test 'Export-FlowGraph' { Assert-Help Export-FlowGraph }
Test 'Find-FeaturePredecessor' { Assert-Help Find-FeaturePredecessor }
Test 'Find-FeatureSuccessor' { Assert-Help Find-FeatureSuccessor }
Test 'Get-FlowEngine' { Assert-Help Get-FlowEngine }
Test 'Get-Sae' { Assert-Help Get-Sae }
Test 'Get-SaeFeature' { Assert-Help Get-SaeFeature }
Test 'New-FlowGraph' { Assert-Help New-FlowGraph }
Test 'Set-FlowEngine' { Assert-Help Set-FlowEngine }
Test 'about_FeatureFlow' { Assert-True ((Get-Help about_FeatureFlow | Out-String) -match 'PACKS AND FEATURES') }
Test 'a whole page' { Assert-Golden help.txt (Get-Help Find-FeatureSuccessor -Full | Out-String -Width 110) }
