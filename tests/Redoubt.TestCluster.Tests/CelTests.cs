using System.Text.Json.Nodes;
using Redoubt.TestCluster.Cel;

namespace Redoubt.TestCluster.Tests;

public sealed class CelTests
{
    private static object? Run(string text, string self = "{}", string? old = null)
    {
        var variables = new Dictionary<string, JsonNode?> { ["self"] = JsonNode.Parse(self) };
        if (old is not null)
        {
            variables["oldSelf"] = JsonNode.Parse(old);
        }
        return CelExpression.Parse(text).Evaluate(variables);
    }

    [Theory]
    [InlineData("1 + 2 * 3 == 7 && -1 < 0 && 7 % 4 == 3 && 7 / 2 == 3")]
    [InlineData("self.a == 6 ? self.b == 4 : false")]
    [InlineData("has(self.a) && !has(self.z)")]
    [InlineData("self.a in [1, 3, 6] && 'k' in self.m && !('x' in self.m)")]
    [InlineData("self.s.startsWith('he') && self.s.endsWith('lo') && self.s.contains(\"ell\") && self.s.matches('^h.l+o$')")]
    [InlineData("size(self.l) == 3 && self.l.size() == 3 && self.s.size() == 5")]
    [InlineData("self.l.all(x, x > 0) && self.l.exists(x, x == 2) && self.l.exists_one(x, x == 2)")]
    [InlineData("self.l.filter(x, x > 1).map(x, x * 2) == [4, 6]")]
    [InlineData("self.m.all(k, self.m[k] == 1)")]
    [InlineData("quantity('1Gi').compareTo(quantity('1024Mi')) == 0 && quantity('1Gi').isGreaterThan(quantity('1G'))")]
    [InlineData("true || self.missing == 1")]
    [InlineData("self.missing == 1 || true")]
    [InlineData("!(self.missing == 1 && false)")]
    [InlineData("r'\\d' + 'x' == '\\\\dx'")]
    [InlineData("{'a': 1}['a'] == 1 && 1.5 + 1.5 == 3.0")]
    public void Constructs_that_rules_use_evaluate_as_the_specification_says(string text) =>
        Assert.Equal(true, Run(text, """{"a":6,"b":4,"s":"hello","l":[1,2,3],"m":{"k":1}}"""));

    [Theory]
    [InlineData("self.replicas.foo()", "foo")]
    [InlineData("timestamp('2020-01-01')", "timestamp")]
    [InlineData("self.?a.orValue(1)", "optional")]
    [InlineData("self.a ==", "unexpected")]
    [InlineData("cidr('10.0.0.0/8')", "cidr")]
    [InlineData("0x10 == 16", "hexadecimal")]
    public void Unknown_constructs_are_refused_when_the_expression_is_parsed(string text, string named) =>
        Assert.Contains(named, Assert.Throws<CelException>(() => CelExpression.Parse(text)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("self.z", "no such key")]
    [InlineData("self.a + 'x'", "no such overload")]
    [InlineData("self.a < 'x'", "no such overload")]
    [InlineData("1 / 0", "division by zero")]
    [InlineData("9223372036854775807 + 1", "overflow")]
    [InlineData("[1][3]", "out of bounds")]
    [InlineData("quantity('x')", "quantity")]
    public void Faulty_evaluations_are_errors_with_a_reason(string text, string reason) =>
        Assert.Contains(reason, Assert.Throws<CelException>(() => Run(text, """{"a":1}""")).Message, StringComparison.Ordinal);

    [Fact]
    public void Transition_rules_are_known_by_their_use_of_oldSelf()
    {
        Assert.True(CelExpression.Parse("self.l.all(x, x in oldSelf.l)").Uses("oldSelf"));
        Assert.False(CelExpression.Parse("self.oldSelf == 1").Uses("oldSelf"));
        Assert.Equal(false, Run("self.size >= oldSelf.size", """{"size":1}""", """{"size":2}"""));
    }
}
