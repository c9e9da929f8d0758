using Redoubt.Wal;
using BenchmarkDotNet.Running;
using Redoubt.Wal.Benchmarks;

// dotnet run -c Release --project tests/Redoubt.Wal.Benchmarks -- --filter '*ReadBenchmarks*' (or '*ApplyBenchmarks*', a few minutes)
// The log is real: a stock server (REDOUBT_PG_BIN or what ./redoubt downloads) writes it before anything is measured.
await SampleLog.RecordAsync(PgVersion.Pg17, CancellationToken.None);
BenchmarkSwitcher.FromAssembly(typeof(SampleLog).Assembly).Run(args);
