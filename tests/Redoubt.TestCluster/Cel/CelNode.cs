namespace Redoubt.TestCluster.Cel;

/// <summary>Syntax tree of a CEL expression.</summary>
internal abstract record CelNode
{
    public sealed record Literal(object? Value) : CelNode;

    public sealed record Identifier(string Name) : CelNode;

    /// <summary><c>operand.field</c>, or <c>has(operand.field)</c> when <paramref name="Test"/>.</summary>
    public sealed record Select(CelNode Operand, string Field, bool Test) : CelNode;

    public sealed record Index(CelNode Operand, CelNode Key) : CelNode;

    /// <summary>A function call, with a receiver or without.</summary>
    public sealed record Call(CelNode? Receiver, string Function, IReadOnlyList<CelNode> Arguments) : CelNode;

    public sealed record Unary(string Operator, CelNode Operand) : CelNode;

    public sealed record Binary(string Operator, CelNode Left, CelNode Right) : CelNode;

    public sealed record Conditional(CelNode Test, CelNode Then, CelNode Else) : CelNode;

    public sealed record ListLiteral(IReadOnlyList<CelNode> Items) : CelNode;

    public sealed record MapLiteral(IReadOnlyList<(CelNode Key, CelNode Value)> Entries) : CelNode;

    /// <summary><c>range.all(v, body)</c> and its relatives; map with a filter has two bodies.</summary>
    public sealed record Comprehension(string Macro, CelNode Range, string Variable, IReadOnlyList<CelNode> Body) : CelNode;

    /// <summary>Every node of the tree, this one first.</summary>
    public IEnumerable<CelNode> Walk()
    {
        yield return this;
        foreach (var child in Children())
        {
            foreach (var node in child.Walk())
            {
                yield return node;
            }
        }
    }

    private IEnumerable<CelNode> Children() => this switch
    {
        Select s => [s.Operand],
        Index x => [x.Operand, x.Key],
        Call c => c.Receiver is null ? c.Arguments : [c.Receiver, .. c.Arguments],
        Unary u => [u.Operand],
        Binary b => [b.Left, b.Right],
        Conditional t => [t.Test, t.Then, t.Else],
        ListLiteral l => l.Items,
        MapLiteral m => m.Entries.SelectMany(e => new[] { e.Key, e.Value }),
        Comprehension k => [k.Range, .. k.Body],
        _ => [],
    };
}
