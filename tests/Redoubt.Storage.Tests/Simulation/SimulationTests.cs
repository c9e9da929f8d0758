using Redoubt.Storage.Chain;

namespace Redoubt.Storage.Tests.Simulation;

public sealed class SimulationTests
{
    private const int Steps = 4000;

    [Theory]
    [InlineData(6, 150)]
    [InlineData(3, 150)]
    [InlineData(1, 30)]
    public void Acknowledged_log_is_never_lost_nor_rewritten_and_fenced_writers_get_nothing(int copies, int runs)
    {
        int first = int.TryParse(Environment.GetEnvironmentVariable("REDOUBT_SEED"), out int given) ? given : Random.Shared.Next(1_000_000);
        int acked = 0, served = 0;
        for (int seed = first; seed < first + runs; seed++)
        {
            var simulation = new Simulation(seed, copies);
            try
            {
                simulation.Run(Steps);
            }
            catch (Exception e) when (e is SimulationException or ChainException)
            {
                Assert.Fail($"{copies} copies, REDOUBT_SEED={seed}: {e.Message}\n{e.StackTrace}");
            }

            acked += simulation.Acked;
            served += simulation.Served;
        }

        Assert.True(acked > runs * 10 && served > runs, $"seed {first}: the runs did too little: {acked} acknowledged, {served} writers served");
    }

    [Theory]
    [InlineData(Sabotage.ForgetEpochs)]
    [InlineData(Sabotage.AckBeforeSync)]
    [InlineData(Sabotage.KeepStaleSuffix)]
    [InlineData(Sabotage.EndInsideRecord)]
    internal void A_broken_rule_is_noticed(Sabotage sabotage)
    {
        for (int seed = 1; seed < 500; seed++)
        {
            try
            {
                new Simulation(seed, 3, sabotage).Run(Steps);
            }
            catch (Exception e) when (e is SimulationException or ChainException)
            {
                return;
            }
        }

        Assert.Fail($"500 seeds did not notice {sabotage}");
    }
}
