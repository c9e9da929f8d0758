using BenchmarkDotNet.Running;
using Redoubt.Benchmarks;

// dotnet run --project bench/Redoubt.Benchmarks -c Release -- --filter '*'
BenchmarkSwitcher.FromTypes([typeof(RecordBenchmarks), typeof(PageBenchmarks)]).Run(args);
