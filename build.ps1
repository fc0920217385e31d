#!/usr/bin/env pwsh
<#
.SYNOPSIS
    Builds, tests and packs FeatureFlow. Every task is one or two dotnet commands that work without PowerShell too.
.EXAMPLE
    ./build.ps1 Test
.EXAMPLE
    ./build.ps1 Bench gemm topk --runs 5
#>
[CmdletBinding()]
param(
    [Parameter(Position = 0)]
    [ValidateSet('Build', 'Test', 'Pack', 'Module', 'Engine', 'Demo', 'Bench', 'Docs')]
    [string] $Task = 'Build',

    # Which TorchSharp packages the torch engine is built with: into the program by Build, Test, Pack and Module, into artifacts/engine by Engine (docs/torch.md).
    [ValidateSet('', 'cpu', 'cuda-windows', 'cuda-linux')]
    [string] $Torch = '',

    # Handed to the demo or the benchmarks.
    [Parameter(ValueFromRemainingArguments)]
    [string[]] $Arguments = @()
)

$ErrorActionPreference = 'Stop'

function Invoke-DotNet([string[]] $Words) {
    Write-Host "dotnet $Words" -ForegroundColor Cyan
    & dotnet @Words
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}

$Engine = if ($Torch) { @("-p:Torch=$Torch") } else { @() }
Push-Location $PSScriptRoot
try {
    switch ($Task) {
        'Build' { Invoke-DotNet (@('build', '-c', 'Release') + $Engine) }
        'Test' { Invoke-DotNet (@('test', '-c', 'Release') + $Engine) }
        'Pack' { Invoke-DotNet (@('pack', 'src/FeatureFlow.Tools', '-c', 'Release', '-o', 'artifacts') + $Engine) }
        'Module' { Invoke-DotNet (@('build', 'src/FeatureFlow.PowerShell', '-c', 'Release') + $Engine) }
        'Engine' {
            if (-not $Torch) { throw 'Say which: -Torch cpu, cuda-windows or cuda-linux.' }
            Invoke-DotNet (@('publish', 'src/FeatureFlow.Tensors.TorchSharp', '-c', 'Release', '-o', 'artifacts/engine') + $Engine)
        }
        'Demo' { Invoke-DotNet (@('run', '-c', 'Release', '--project', 'src/FeatureFlow.Tools', '--', 'demo') + $Arguments) }
        'Bench' { Invoke-DotNet (@('run', '-c', 'Release', '--project', 'tests/FeatureFlow.Benchmarks', '--') + $Arguments) }
        'Docs' {
            # generated pages and golden files; read the diff before committing it
            $env:FEATUREFLOW_UPDATE_GOLDEN = '1'
            try { Invoke-DotNet @('test', '-c', 'Release') } finally { Remove-Item Env:FEATUREFLOW_UPDATE_GOLDEN }
        }
    }
}
finally {
    Pop-Location
}
