using CsCheck;

namespace Redoubt.Protocol.Tests;

public sealed class VolumeShapeTests
{
    [Theory]
    [InlineData(6, 4, 3)]
    [InlineData(3, 2, 2)]
    [InlineData(1, 1, 1)]
    public void Supported_shapes(int copies, int write, int read) =>
        Assert.Equal(new VolumeShape(copies, write, read, 1), VolumeShape.ForCopies(copies));

    [Theory]
    [InlineData(6, 3, 3)]
    [InlineData(6, 3, 4)]
    [InlineData(4, 2, 3)]
    [InlineData(3, 4, 1)]
    [InlineData(0, 0, 0)]
    public void Unsafe_shapes_are_refused(int copies, int write, int read) =>
        Assert.Throws<ArgumentException>(() => new VolumeShape(copies, write, read, 1).Validate());

    [Fact]
    public void The_quorum_position_is_the_highest_that_a_write_quorum_has() =>
        Gen.Select(Gen.Int[0, 2], Gen.ULong[0, 20].Array[6]).Sample((which, positions) =>
        {
            var shape = VolumeShape.ForCopies(new[] { 1, 3, 6 }[which]);
            positions = positions[..shape.Copies];
            ulong position = shape.QuorumPosition(positions);
            Assert.True(positions.Count(p => p >= position) >= shape.WriteQuorum);
            Assert.True(positions.Count(p => p > position) < shape.WriteQuorum);
        });
}
