# One engine for the whole process: runspaces, importing again, letting go; and a module that keeps to itself.

Test 'importing' {
    # of the processor's time, which does not grow with what else it has to do
    $before = [Diagnostics.Process]::GetCurrentProcess().TotalProcessorTime
    Import-Module $Module
    $took = [Diagnostics.Process]::GetCurrentProcess().TotalProcessorTime - $before
    "import took $([int]$took.TotalMilliseconds) ms"
    Assert-True ($took.TotalSeconds -lt 5) "$($took.TotalMilliseconds) ms"
}

Test 'ForEach-Object -Parallel shares the engine' {
    $alone = @(Find-FeaturePredecessor $Stories -Layer 4 -Index 0-63).Source | Sort-Object
    Clear-FlowEngine
    $together = 0..15 | ForEach-Object -ThrottleLimit 4 -Parallel {
        Find-FeaturePredecessor $using:Stories -Layer 4 -Index (4 * $_), (4 * $_ + 1), (4 * $_ + 2), (4 * $_ + 3)
    }
    Assert-Equal $alone ($together.Source | Sort-Object)
    Assert-Equal 1 (Get-FlowEngine).Packs.Count
    Assert-True ((Get-FlowEngine).OpenSaes -le 15)
}

Test 'graphs from several runspaces at once' {
    $seeds = @(New-FlowGraph $Stories -Layer 4 -Index 0-31 | ForEach-Object { "$($_.Seed) $($_.NodeCount)" } | Sort-Object)
    $together = 0..31 | ForEach-Object -ThrottleLimit 8 -Parallel { New-FlowGraph $using:Stories "4/res/$_" | ForEach-Object { "$($_.Seed) $($_.NodeCount)" } }
    Assert-Equal $seeds ($together | Sort-Object)
}

Test 'importing again goes on with the running engine' {
    Get-SaeFeature $Stories 4/res/1 | Out-Null
    $before = (Get-FlowEngine).OpenSaes
    Assert-True ($before -gt 0)
    Import-Module FeatureFlow -Force
    Assert-Equal $before (Get-FlowEngine).OpenSaes
    Remove-Module FeatureFlow
    Import-Module $Module
    Assert-Equal $before (Get-FlowEngine).OpenSaes
    Assert-Equal (Import-PowerShellDataFile (Join-Path $Module FeatureFlow.psd1)).CmdletsToExport.Count @(Get-Command -Module FeatureFlow).Count
    Assert-Equal '4/res/1' (Get-SaeFeature $Stories 4/res/1).Feature
}

Test 'letting go' {
    Clear-FlowEngine -WhatIf
    Assert-True ((Get-FlowEngine).OpenSaes -gt 0)
    Clear-FlowEngine
    Assert-Equal 0 (Get-FlowEngine).OpenSaes
    Assert-Equal 0 (Get-FlowEngine).Packs.Count
}

Test 'what users hold is theirs, what the module uses is its own' {
    New-FlowGraph $Stories 4/res/1 | Export-FlowGraph own.csv
    $where = @{}
    foreach ($assembly in [AppDomain]::CurrentDomain.GetAssemblies()) {
        $name = $assembly.GetName().Name
        if ($name -match '^(FeatureFlow\.|YamlDotNet$|CsvHelper$)') { $where[$name] = [Runtime.Loader.AssemblyLoadContext]::GetLoadContext($assembly).Name }
    }
    foreach ($shared in 'FeatureFlow.PowerShell', 'FeatureFlow.Flow', 'FeatureFlow.Saes', 'FeatureFlow.Models', 'FeatureFlow.Tensors') { Assert-Equal "$shared Default" "$shared $($where[$shared])" }
    foreach ($own in 'FeatureFlow.Experiments', 'YamlDotNet') { Assert-Equal "$own FeatureFlow" "$own $($where[$own])" }
    Assert-True ((New-FlowGraph $Stories 4/res/1) -is [FeatureFlow.Flow.FlowGraph])
}

Test 'nobody else gets what the module uses' {
    foreach ($name in 'YamlDotNet', 'CsvHelper') {
        try { [Reflection.Assembly]::Load($name) | Out-Null; throw 'found' } catch [Management.Automation.MethodInvocationException] { Assert-Equal 'FileNotFoundException' $_.Exception.InnerException.GetType().Name }
    }
}

Test 'PowerShell itself is not in the module' {
    Assert-Equal @() @(Get-ChildItem -Recurse $Module -Include System.Management.*.dll, Microsoft.PowerShell.*.dll)
    Assert-Equal @('FeatureFlow.Experiments.dll') @(Get-ChildItem (Join-Path $Module bin Dependencies) FeatureFlow.*).Name
}

Test 'the manifest holds' {
    $info = Test-ModuleManifest (Join-Path $Module FeatureFlow.psd1)
    Assert-Equal @(Get-ChildItem (Join-Path $Root docs cmdlets) -Filter '*-*.md').Count $info.ExportedCmdlets.Count
    Assert-Equal '7.6' "$($info.PowerShellVersion)"
    $approved = (Get-Verb).Verb
    foreach ($command in $info.ExportedCmdlets.Values) { Assert-True ($approved -contains $command.Verb) $command.Name }
}
