namespace Redoubt.TestCluster.Cel;

/// <summary>
/// Recursive descent over the cel-spec grammar. Functions are checked here: one that the evaluator does not know is refused when the CRD
/// is created, not when a rule first runs.
/// </summary>
internal sealed class CelParser
{
    private static readonly HashSet<string> Macros = ["all", "exists", "exists_one", "filter", "map"];
    private static readonly HashSet<string> Functions = ["size", "int", "string", "double", "bool", "quantity", "isQuantity"];

    private static readonly HashSet<string> Methods =
    [
        "size", "startsWith", "endsWith", "matches", "contains", "compareTo", "isGreaterThan", "isLessThan", "lowerAscii", "upperAscii",
        "split", "join", "trim", "indexOf", "substring", "replace", "asInteger", "asApproximateFloat", "isInteger",
        "isSorted", "sum", "min", "max",
    ];

    private static readonly HashSet<string> Reserved =
        ["as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while"];

    private readonly string _text;
    private readonly List<CelToken> _tokens;
    private int _at;

    private CelParser(string text)
    {
        _text = text;
        _tokens = CelLexer.Tokens(text);
    }

    public static CelNode Parse(string text)
    {
        var parser = new CelParser(text);
        var node = parser.Conditional();
        return parser.Current.Kind == CelTokenKind.End ? node : throw parser.Unexpected();
    }

    private CelToken Current => _tokens[_at];

    private CelException Unexpected() => new($"unexpected '{Current.Text}' at {Current.Position} in: {_text}");

    private bool Is(string op) => Current.Kind == CelTokenKind.Operator && Current.Text == op;

    private bool Take(string op)
    {
        if (!Is(op))
        {
            return false;
        }
        _at++;
        return true;
    }

    private void Expect(string op)
    {
        if (!Take(op))
        {
            throw Unexpected();
        }
    }

    private CelNode Conditional()
    {
        var test = Or();
        if (!Take("?"))
        {
            return test;
        }
        var then = Or();
        Expect(":");
        return new CelNode.Conditional(test, then, Conditional());
    }

    private CelNode Or() => LeftAssociative(And, "||");

    private CelNode And() => LeftAssociative(Relation, "&&");

    private CelNode Relation()
    {
        var left = Addition();
        while (true)
        {
            if (Current is { Kind: CelTokenKind.Operator, Text: "==" or "!=" or "<" or "<=" or ">" or ">=" })
            {
                left = new CelNode.Binary(_tokens[_at++].Text, left, Addition());
            }
            else if (Current is { Kind: CelTokenKind.Identifier, Text: "in" })
            {
                _at++;
                left = new CelNode.Binary("in", left, Addition());
            }
            else
            {
                return left;
            }
        }
    }

    private CelNode Addition() => LeftAssociative(Multiplication, "+", "-");

    private CelNode Multiplication() => LeftAssociative(Unary, "*", "/", "%");

    private CelNode LeftAssociative(Func<CelNode> next, params ReadOnlySpan<string> operators)
    {
        var left = next();
        while (Current.Kind == CelTokenKind.Operator && operators.Contains(Current.Text))
        {
            var op = _tokens[_at++].Text;
            left = new CelNode.Binary(op, left, next());
        }
        return left;
    }

    private CelNode Unary()
    {
        if (Take("!"))
        {
            return new CelNode.Unary("!", Unary());
        }
        return Take("-") ? new CelNode.Unary("-", Unary()) : Member();
    }

    private CelNode Member()
    {
        var node = Primary();
        while (true)
        {
            if (Take("."))
            {
                if (Is("?"))
                {
                    throw new CelException($"optional selection (.?) is not supported by this evaluator: {_text}");
                }
                var name = Name();
                node = Take("(") ? Method(node, name) : new CelNode.Select(node, Unescape(name), false);
            }
            else if (Take("["))
            {
                node = new CelNode.Index(node, Conditional());
                Expect("]");
            }
            else
            {
                return node;
            }
        }
    }

    private CelNode Method(CelNode receiver, string name)
    {
        var arguments = Arguments(")");
        if (Macros.Contains(name))
        {
            if (arguments.Count is not (2 or 3) || arguments[0] is not CelNode.Identifier variable || (arguments.Count == 3 && name != "map"))
            {
                throw new CelException($"{name}() needs a variable and one expression: {_text}");
            }
            return new CelNode.Comprehension(name, receiver, variable.Name, [.. arguments.Skip(1)]);
        }
        return Methods.Contains(name)
            ? new CelNode.Call(receiver, name, arguments)
            : throw new CelException($"function .{name}() is not supported by this evaluator: {_text}");
    }

    private CelNode Primary()
    {
        var token = Current;
        switch (token.Kind)
        {
            case CelTokenKind.Int or CelTokenKind.Double or CelTokenKind.String:
                _at++;
                return new CelNode.Literal(token.Value);
            case CelTokenKind.Operator when Take("("):
                var inner = Conditional();
                Expect(")");
                return inner;
            case CelTokenKind.Operator when Take("["):
                return new CelNode.ListLiteral(Arguments("]"));
            case CelTokenKind.Operator when Take("{"):
                return Map();
            case CelTokenKind.Identifier:
                return IdentifierOrCall();
            default:
                throw Unexpected();
        }
    }

    private CelNode IdentifierOrCall()
    {
        var name = Name();
        switch (name)
        {
            case "true":
                return new CelNode.Literal(true);
            case "false":
                return new CelNode.Literal(false);
            case "null":
                return new CelNode.Literal(null);
        }
        if (!Take("("))
        {
            return new CelNode.Identifier(name);
        }
        var arguments = Arguments(")");
        if (name == "has")
        {
            return arguments is [CelNode.Select { Test: false } select]
                ? select with { Test = true }
                : throw new CelException($"has() takes one field selection: {_text}");
        }
        return Functions.Contains(name)
            ? new CelNode.Call(null, name, arguments)
            : throw new CelException($"function {name}() is not supported by this evaluator: {_text}");
    }

    private CelNode.MapLiteral Map()
    {
        var entries = new List<(CelNode, CelNode)>();
        while (!Take("}"))
        {
            var key = Conditional();
            Expect(":");
            entries.Add((key, Conditional()));
            if (!Is("}"))
            {
                Expect(",");
            }
        }
        return new CelNode.MapLiteral(entries);
    }

    private List<CelNode> Arguments(string end)
    {
        var arguments = new List<CelNode>();
        while (!Take(end))
        {
            arguments.Add(Conditional());
            if (!Is(end))
            {
                Expect(",");
            }
        }
        return arguments;
    }

    private string Name()
    {
        if (Current.Kind != CelTokenKind.Identifier)
        {
            throw Unexpected();
        }
        var name = _tokens[_at++].Text;
        return Reserved.Contains(name) ? throw new CelException($"'{name}' is a reserved word: {_text}") : name;
    }

    /// <summary>Kubernetes escapes property names that CEL cannot spell (<c>__namespace__</c>, <c>a__dash__b</c>).</summary>
    private static string Unescape(string name)
    {
        if (name.StartsWith("__", StringComparison.Ordinal) && name.EndsWith("__", StringComparison.Ordinal) && name.Length > 4 && Reserved.Contains(name[2..^2]))
        {
            return name[2..^2];
        }
        return name.Replace("__dash__", "-", StringComparison.Ordinal).Replace("__dot__", ".", StringComparison.Ordinal)
            .Replace("__slash__", "/", StringComparison.Ordinal).Replace("__underscores__", "__", StringComparison.Ordinal);
    }
}
