using FeatureFlow.Tools;

return ToolApp.Run(args, ToolStreams.OfProcess());
