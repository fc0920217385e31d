# Another module was here first, with another YamlDotNet and another CsvHelper.

function New-Assembly([string] $Name, [string] $Version) {
    $identity = [Reflection.AssemblyName]::new("$Name, Version=$Version")
    $builder = [Reflection.Emit.PersistedAssemblyBuilder]::new($identity, [object].Assembly)
    $type = $builder.DefineDynamicModule($Name).DefineType("$Name.Stranger", [Reflection.TypeAttributes]::Public)
    $type.CreateType() | Out-Null
    $file = Join-Path $Temp "$Name.dll"
    $builder.Save($file)
    [Reflection.Assembly]::LoadFrom($file)
}

Test 'strangers are loaded first' {
    foreach ($name in 'YamlDotNet', 'CsvHelper') {
        $stranger = New-Assembly $name 99.0.0.0
        Assert-Equal 'Default' ([Runtime.Loader.AssemblyLoadContext]::GetLoadContext($stranger).Name)
    }
}

Test 'the module uses its own' {
    Copy-Item -Recurse (Join-Path $Stories saes) saes
    "index,description`n7,a description" | Set-Content said.csv
    "version: 1`nname: said`nsaes:`n  - site: res`n    path: saes/res/layer_{layer}/*/*/params.npz`ndescriptions:`n  - path: said.csv`n    site: res`n    layer: 4" | Set-Content pack.yaml
    Assert-Equal '4/res/7' (Get-SaeFeature . -Description 'a desc*').Feature
    New-FlowGraph . 4/res/7 | Export-FlowGraph graph.csv
    Assert-True ((Get-Content graph.csv).Count -gt 1)
}

Test 'and the stranger stays what it was' {
    Assert-Equal '99.0.0.0' "$([YamlDotNet.Stranger].Assembly.GetName().Version)"
    $yaml = [AppDomain]::CurrentDomain.GetAssemblies() | Where-Object { $_.GetName().Name -eq 'YamlDotNet' } | ForEach-Object { [Runtime.Loader.AssemblyLoadContext]::GetLoadContext($_).Name } | Sort-Object
    Assert-Equal @('Default', 'FeatureFlow') $yaml
}
