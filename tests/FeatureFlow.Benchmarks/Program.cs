using FeatureFlow.Benchmarks;

// One process per benchmark, so that each has its own peak of memory: the parent starts itself again.
if (args is ["--nothing"]) return 0;
return args is ["--child", var name, ..] ? Child.Run(name, BenchmarkOptions.Parse(args[2..])) : Parent.Run(args);
