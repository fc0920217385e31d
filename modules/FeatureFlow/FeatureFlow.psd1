@{
    RootModule           = 'bin/FeatureFlow.PowerShell.dll'
    ModuleVersion        = '0.1.0'
    GUID                 = '6f1d3f0e-52c5-4c2c-9d3c-7c3a1f0b8e64'
    Author               = 'FeatureFlow contributors'
    CompanyName          = 'FeatureFlow contributors'
    Copyright            = 'Copyright (c) 2026 FeatureFlow contributors'
    Description          = 'Follow the features of sparse autoencoders through the layers of a language model: predecessors, successors and flow graphs, on any CPU, with no Python.'

    PowerShellVersion    = '7.6'
    CompatiblePSEditions = @('Core')

    # explicit, so that PowerShell knows the commands without loading the module
    CmdletsToExport      = @(
        'Clear-FlowEngine'
        'Export-FlowGraph'
        'Find-FeaturePredecessor'
        'Find-FeatureSuccessor'
        'Get-Activation'
        'Get-FlowEngine'
        'Get-Sae'
        'Get-SaeFeature'
        'Invoke-Generation'
        'Invoke-Steering'
        'Join-FeatureMap'
        'Measure-FeatureCausality'
        'Measure-FeatureGroup'
        'Measure-FeatureMap'
        'Measure-LayerApproximation'
        'Measure-Sae'
        'Measure-Steering'
        'New-FeatureMap'
        'New-FlowGraph'
        'New-Sae'
        'New-SteeringPlan'
        'Set-FlowEngine'
    )
    FunctionsToExport    = @()
    AliasesToExport      = @()
    VariablesToExport    = @()

    FormatsToProcess     = @('FeatureFlow.Format.ps1xml')
    TypesToProcess       = @('FeatureFlow.Types.ps1xml')

    PrivateData          = @{
        PSData = @{
            Tags         = @('PSEdition_Core', 'Windows', 'Linux', 'MacOS', 'SAE', 'SparseAutoencoder', 'Interpretability', 'LLM')
            ReleaseNotes = 'First release: see CHANGELOG.md.'
        }
    }
}
