<#
.SYNOPSIS
    Runs one suite against the built module in this PowerShell and writes one line of JSON for each test.
#>
param(
    [string] $Suite,    # the .ps1 with the tests
    [string] $Module,   # the built module's folder
    [string] $Root,     # the repository
    [string] $Temp,     # a folder for this run
    [string] $Results   # file to write
)

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$PSStyle.OutputRendering = 'PlainText'
$env:PSModulePath = (Split-Path $Module) + [IO.Path]::PathSeparator + $env:PSModulePath
$Stories = Join-Path $Root examples stories260k
Set-Location $Temp

function Test([string] $Name, [scriptblock] $Body) {
    $clock = [Diagnostics.Stopwatch]::StartNew()
    $says = @()
    $failure = $null
    try { $says = @(& $Body) }
    catch { $failure = "$($_.Exception.Message)`n$($_.FullyQualifiedErrorId)`n$($_.InvocationInfo.PositionMessage)`n$($_.ScriptStackTrace)" }
    @{ name = $Name; failure = $failure; ms = $clock.ElapsedMilliseconds; says = ($says | Out-String).Trim() } |
        ConvertTo-Json -Compress | Add-Content -LiteralPath $Results
}

function Assert-Equal($Expected, $Actual) {
    $e, $a = ($Expected -join "`n"), ($Actual -join "`n")
    if ($e -cne $a) { throw "expected:`n$e`nactual:`n$a" }
}

function Assert-True($Condition, [string] $Because = 'it is false') {
    if (-not $Condition) { throw $Because }
}

# the error that a script block ends with, or the first it writes
function Get-Failure([scriptblock] $Body) {
    try { & $Body -ErrorAction Stop 2>&1 | Out-Null } catch { return $_ }
    throw 'nothing failed'
}

# text that people see, against a file in tests/golden
function Assert-Golden([string] $Name, [string] $Text) {
    $file = Join-Path $Root tests golden FeatureFlow.PowerShell $Name
    $Text = ((($Text -replace "`r", '').Replace($Root, '<root>').Replace($Temp, '<temp>') -split "`n").ForEach({ $_.TrimEnd() }) -join "`n").Trim() + "`n"
    if ($env:FEATUREFLOW_UPDATE_GOLDEN -eq '1') {
        New-Item -ItemType Directory -Force (Split-Path $file) | Out-Null
        [IO.File]::WriteAllText($file, $Text)
    }
    Assert-Equal ([IO.File]::ReadAllText($file)) $Text
}

. $Suite
