using System.Text.Json;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Tests.Runtime;

/// <summary>When an object needs no apply.</summary>
public sealed class JsonSubsetTests
{
    [Theory]
    [InlineData("""{"a":1}""", """{"a":1,"b":2}""", true)]
    [InlineData("""{"a":1}""", """{"b":2}""", false)]
    [InlineData("""{"a":[{"n":"x"}]}""", """{"a":[{"n":"x","added":true}]}""", true)]
    [InlineData("""{"a":[{"n":"x"}]}""", """{"a":[{"n":"x"},{"n":"y"}]}""", false)]
    [InlineData("""{"s":"1024Mi"}""", """{"s":"1Gi"}""", true)]
    [InlineData("""{"s":"1025Mi"}""", """{"s":"1Gi"}""", false)]
    [InlineData("""{"s":"1000m"}""", """{"s":"1"}""", true)]
    [InlineData("""{"s":"false"}""", """{"s":false}""", false)]
    public void Holds_only_what_is_held(string wanted, string actual, bool holds)
    {
        using var w = JsonDocument.Parse(wanted);
        using var a = JsonDocument.Parse(actual);
        Assert.Equal(holds, JsonSubset.Holds(w.RootElement, a.RootElement));
    }
}
