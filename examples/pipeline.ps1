#requires -Version 7.6
<#
.SYNOPSIS
    Traces features of the example pack: a report of one, a table of many, the lineages that reach furthest.
.EXAMPLE
    dotnet build src/FeatureFlow.PowerShell -c Release
    ./examples/pipeline.ps1 -Out traced
#>
[CmdletBinding()]
param(
    [string] $Pack = (Join-Path $PSScriptRoot stories260k),
    [string] $Out = 'traced'
)

$ErrorActionPreference = 'Stop'
if (-not (Get-Module FeatureFlow)) { Import-Module (Join-Path $PSScriptRoot .. output FeatureFlow) }
$module = (Get-Module FeatureFlow).Path # for other runspaces
New-Item -ItemType Directory -Force $Out | Out-Null

# one feature, from its place to a page to look at
Get-SaeFeature -Pack $Pack -Layer 4 -Site res -Index 40 |
    New-FlowGraph -ResidualThreshold 0.4 -ModuleThreshold 0.15 |
    Export-FlowGraph -Path (Join-Path $Out lineage.html) -Force -PassThru

# where every residual feature of the last layer comes from
Find-FeaturePredecessor -Pack $Pack -Layer 4 -Top 3 |
    Export-Csv (Join-Path $Out predecessors.csv)

# the lineages that reach furthest back, most similar first
New-FlowGraph -Pack $Pack -Layer 4 |
    Sort-Object { $_.SpanEnd - $_.SpanStart }, { ($_.Edges | Measure-Object Similarity -Average).Average } -Descending |
    Select-Object -First 5

# several runspaces, one engine: how many features each layer carries on nearly unchanged
1..4 | ForEach-Object -Parallel {
    Import-Module $using:module
    $kept = Find-FeaturePredecessor -Pack $using:Pack -Layer $_ -Among res | Where-Object Similarity -gt 0.7
    [pscustomobject]@{ Layer = $_; Kept = @($kept).Count }
} | Sort-Object Layer
