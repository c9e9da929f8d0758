using System.Text.Json.Nodes;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Cel;

/// <summary>
/// A parsed CEL expression of a CRD validation rule. Supports what such rules are written with: literals, comparison, logic, conditional,
/// arithmetic, selection, <c>has()</c>, <c>in</c>, <c>size()</c>, string functions, macros, <c>quantity()</c>. Any other construct is
/// refused when the expression is parsed.
/// </summary>
public sealed class CelExpression
{
    private readonly CelNode _root;

    private CelExpression(string text, CelNode root)
    {
        Text = text;
        _root = root;
    }

    /// <summary>The expression as written.</summary>
    public string Text { get; }

    /// <summary>Parses an expression.</summary>
    /// <exception cref="CelException">It does not parse or uses an unsupported construct.</exception>
    public static CelExpression Parse(string text) => new(text, CelParser.Parse(text));

    /// <summary>Whether the expression reads a variable of this name.</summary>
    public bool Uses(string variable) => _root.Walk().Any(n => n is CelNode.Identifier id && id.Name == variable);

    /// <summary>Checks that every field it selects is declared by the schema, as a real server does when a CRD is created.</summary>
    /// <exception cref="CelException">A field is not declared.</exception>
    public void Check(Schema self) => CelTypeCheck.Check(_root, self, Text);

    /// <summary>Evaluates with <c>self</c> and, when there is one, <c>oldSelf</c>.</summary>
    /// <exception cref="CelException">No such field or key, wrong types, division by zero.</exception>
    public object? Evaluate(JsonNode? self, Schema schema, JsonNode? oldSelf = null)
    {
        var variables = new Dictionary<string, object?>(StringComparer.Ordinal) { ["self"] = CelValue.From(self, schema) };
        if (oldSelf is not null)
        {
            variables["oldSelf"] = CelValue.From(oldSelf, schema);
        }
        return new CelEvaluator(Text).Evaluate(_root, variables);
    }

    /// <summary>Evaluates with plain values as variables: for tests.</summary>
    /// <exception cref="CelException">As the other overload.</exception>
    public object? Evaluate(IReadOnlyDictionary<string, JsonNode?> variables) =>
        new CelEvaluator(Text).Evaluate(_root, variables.ToDictionary(v => v.Key, v => CelValue.From(v.Value, Schema.Anything)));
}
