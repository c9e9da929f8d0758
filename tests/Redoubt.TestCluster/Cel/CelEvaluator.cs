using System.Globalization;
using System.Text.RegularExpressions;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Cel;

/// <summary>Walks the syntax tree (cel-spec, "Runtime semantics"); errors of one side of &amp;&amp; and || are absorbed by the other.</summary>
internal sealed class CelEvaluator(string text)
{
    public object? Evaluate(CelNode node, IReadOnlyDictionary<string, object?> scope)
    {
        switch (node)
        {
            case CelNode.Literal literal:
                return literal.Value;
            case CelNode.Identifier id:
                return scope.TryGetValue(id.Name, out var variable) ? variable : throw Error($"undeclared reference to '{id.Name}'");
            case CelNode.Select select:
                return Select(select, scope);
            case CelNode.Index index:
                return Index(Evaluate(index.Operand, scope), Evaluate(index.Key, scope));
            case CelNode.Unary { Operator: "!" } not:
                return !Bool(Evaluate(not.Operand, scope));
            case CelNode.Unary minus:
                return Evaluate(minus.Operand, scope) switch
                {
                    long n => checked(-n),
                    double d => -d,
                    var other => throw Error($"no such overload: -{CelValue.Name(other)}"),
                };
            case CelNode.Binary { Operator: "&&" } and:
                return Logic(and, scope, decisive: false);
            case CelNode.Binary { Operator: "||" } or:
                return Logic(or, scope, decisive: true);
            case CelNode.Binary binary:
                return Binary(binary.Operator, Evaluate(binary.Left, scope), Evaluate(binary.Right, scope));
            case CelNode.Conditional conditional:
                return Evaluate(Bool(Evaluate(conditional.Test, scope)) ? conditional.Then : conditional.Else, scope);
            case CelNode.ListLiteral list:
                return list.Items.Select(i => Evaluate(i, scope)).ToList();
            case CelNode.MapLiteral map:
                return map.Entries.ToDictionary(e => Text(Evaluate(e.Key, scope)), e => Evaluate(e.Value, scope), StringComparer.Ordinal);
            case CelNode.Comprehension comprehension:
                return Comprehension(comprehension, scope);
            case CelNode.Call { Receiver: null } call:
                return Function(call.Function, [.. call.Arguments.Select(a => Evaluate(a, scope))]);
            case CelNode.Call call:
                return Method(call.Function, Evaluate(call.Receiver!, scope), [.. call.Arguments.Select(a => Evaluate(a, scope))]);
            default:
                throw Error($"unknown node {node.GetType().Name}");
        }
    }

    private CelException Error(string message) => new($"{message} in: {text}");

    private bool Bool(object? value) => value is bool b ? b : throw Error($"no such overload: expected bool, got {CelValue.Name(value)}");

    private string Text(object? value) => value as string ?? throw Error($"no such overload: expected string, got {CelValue.Name(value)}");

    private object? Select(CelNode.Select select, IReadOnlyDictionary<string, object?> scope)
    {
        var operand = Evaluate(select.Operand, scope);
        if (operand is not Dictionary<string, object?> map)
        {
            throw Error($"no such overload: {CelValue.Name(operand)}.{select.Field}");
        }
        if (select.Test)
        {
            return map.ContainsKey(select.Field);
        }
        return map.TryGetValue(select.Field, out var value) ? value : throw Error($"no such key: {select.Field}");
    }

    private object? Index(object? operand, object? key) => (operand, key) switch
    {
        (List<object?> list, long i) => i >= 0 && i < list.Count ? list[(int)i] : throw Error($"index out of bounds: {i}"),
        (Dictionary<string, object?> map, string k) => map.TryGetValue(k, out var v) ? v : throw Error($"no such key: {k}"),
        _ => throw Error($"no such overload: {CelValue.Name(operand)}[{CelValue.Name(key)}]"),
    };

    private object Logic(CelNode.Binary node, IReadOnlyDictionary<string, object?> scope, bool decisive)
    {
        try
        {
            if (Bool(Evaluate(node.Left, scope)) == decisive)
            {
                return decisive;
            }
        }
        catch (CelException)
        {
            if (Bool(Evaluate(node.Right, scope)) == decisive)
            {
                return decisive;
            }
            throw;
        }
        return Bool(Evaluate(node.Right, scope));
    }

    private object Binary(string op, object? left, object? right)
    {
        try
        {
            return (op, left, right) switch
            {
                ("==", _, _) => CelValue.Same(left, right),
                ("!=", _, _) => !CelValue.Same(left, right),
                ("<", _, _) => CelValue.Compare(left, right, text) < 0,
                ("<=", _, _) => CelValue.Compare(left, right, text) <= 0,
                (">", _, _) => CelValue.Compare(left, right, text) > 0,
                (">=", _, _) => CelValue.Compare(left, right, text) >= 0,
                ("in", _, List<object?> list) => list.Any(i => CelValue.Same(i, left)),
                ("in", string key, Dictionary<string, object?> map) => map.ContainsKey(key),
                ("+", long l, long r) => checked(l + r),
                ("-", long l, long r) => checked(l - r),
                ("*", long l, long r) => checked(l * r),
                ("/", long l, long r) => r != 0 ? checked(l / r) : throw Error("division by zero"),
                ("%", long l, long r) => r != 0 ? l % r : throw Error("modulus by zero"),
                ("+", double l, double r) => l + r,
                ("-", double l, double r) => l - r,
                ("*", double l, double r) => l * r,
                ("/", double l, double r) => l / r,
                ("+", string l, string r) => l + r,
                ("+", List<object?> l, List<object?> r) => l.Concat(r).ToList(),
                _ => throw Error($"no such overload: {CelValue.Name(left)} {op} {CelValue.Name(right)}"),
            };
        }
        catch (OverflowException)
        {
            throw Error("integer overflow");
        }
    }

    private object? Comprehension(CelNode.Comprehension node, IReadOnlyDictionary<string, object?> scope)
    {
        var range = Evaluate(node.Range, scope) switch
        {
            List<object?> list => list,
            Dictionary<string, object?> map => [.. map.Keys],
            var other => throw Error($"no such overload: {CelValue.Name(other)}.{node.Macro}()"),
        };
        object? Body(int index, object? item) =>
            Evaluate(node.Body[index], new Dictionary<string, object?>(scope, StringComparer.Ordinal) { [node.Variable] = item });
        switch (node.Macro)
        {
            case "all":
                return Quantified(range, i => Bool(Body(0, i)), decisive: false);
            case "exists":
                return Quantified(range, i => Bool(Body(0, i)), decisive: true);
            case "exists_one":
                return range.Count(i => Bool(Body(0, i))) == 1;
            case "filter":
                return range.Where(i => Bool(Body(0, i))).ToList();
            default:
                return node.Body.Count == 1
                    ? range.Select(i => Body(0, i)).ToList()
                    : range.Where(i => Bool(Body(0, i))).Select(i => Body(1, i)).ToList();
        }
    }

    private static object Quantified(List<object?> range, Func<object?, bool> body, bool decisive)
    {
        CelException? error = null;
        foreach (var item in range)
        {
            try
            {
                if (body(item) == decisive)
                {
                    return decisive;
                }
            }
            catch (CelException e)
            {
                error = e;
            }
        }
        return error is null ? !decisive : throw error;
    }

    private object? Function(string name, object?[] arguments) => (name, arguments) switch
    {
        ("size", [var value]) => Size(value),
        ("int", [long n]) => n,
        ("int", [double d]) => checked((long)d),
        ("int", [string s]) => long.TryParse(s, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var n) ? n : throw Error($"cannot convert '{s}' to int"),
        ("double", [long n]) => (double)n,
        ("double", [double d]) => d,
        ("double", [string s]) => double.TryParse(s, CultureInfo.InvariantCulture, out var d) ? d : throw Error($"cannot convert '{s}' to double"),
        ("string", [string s]) => s,
        ("string", [bool b]) => b ? "true" : "false",
        ("string", [long n]) => n.ToString(CultureInfo.InvariantCulture),
        ("string", [double d]) => d.ToString(CultureInfo.InvariantCulture),
        ("bool", [bool b]) => b,
        ("isQuantity", [string s]) => Quantity.TryParse(s, out _),
        ("quantity", [string s]) => Quantity.TryParse(s, out var q) ? q : throw Error($"cannot convert '{s}' to a quantity"),
        _ => throw Error($"no such overload: {name}({string.Join(", ", arguments.Select(CelValue.Name))})"),
    };

    private long Size(object? value) => value switch
    {
        string s => s.EnumerateRunes().Count(),
        List<object?> list => list.Count,
        Dictionary<string, object?> map => map.Count,
        _ => throw Error($"no such overload: size({CelValue.Name(value)})"),
    };

    private object? Method(string name, object? receiver, object?[] arguments) => (name, receiver, arguments) switch
    {
        ("size", _, []) => Size(receiver),
        ("startsWith", string s, [string a]) => s.StartsWith(a, StringComparison.Ordinal),
        ("endsWith", string s, [string a]) => s.EndsWith(a, StringComparison.Ordinal),
        ("contains", string s, [string a]) => s.Contains(a, StringComparison.Ordinal),
        ("matches", string s, [string a]) => Regex.IsMatch(s, a, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1)),
        ("lowerAscii", string s, []) => s.ToLowerInvariant(),
        ("upperAscii", string s, []) => s.ToUpperInvariant(),
        ("trim", string s, []) => s.Trim(),
        ("indexOf", string s, [string a]) => (long)s.IndexOf(a, StringComparison.Ordinal),
        ("replace", string s, [string a, string b]) => s.Replace(a, b, StringComparison.Ordinal),
        ("substring", string s, [long a]) => s[(int)a..],
        ("substring", string s, [long a, long b]) => s[(int)a..(int)b],
        ("split", string s, [string a]) => s.Split(a).Cast<object?>().ToList(),
        ("join", List<object?> l, [string a]) => string.Join(a, l.Select(Text)),
        ("sum", List<object?> l, []) => l.Aggregate((object)0L, (sum, i) => Binary("+", sum, i)),
        ("min", List<object?> { Count: > 0 } l, []) => l.Aggregate((a, b) => CelValue.Compare(a, b, text) <= 0 ? a : b),
        ("max", List<object?> { Count: > 0 } l, []) => l.Aggregate((a, b) => CelValue.Compare(a, b, text) >= 0 ? a : b),
        ("isSorted", List<object?> l, []) => l.Zip(l.Skip(1)).All(p => CelValue.Compare(p.First, p.Second, text) <= 0),
        ("compareTo", Quantity q, [Quantity a]) => (long)q.CompareTo(a),
        ("isGreaterThan", Quantity q, [Quantity a]) => q.CompareTo(a) > 0,
        ("isLessThan", Quantity q, [Quantity a]) => q.CompareTo(a) < 0,
        ("isInteger", Quantity q, []) => q.Value == decimal.Truncate(q.Value),
        ("asInteger", Quantity q, []) => (long)q.Value,
        ("asApproximateFloat", Quantity q, []) => (double)q.Value,
        _ => throw Error($"no such overload: {CelValue.Name(receiver)}.{name}({string.Join(", ", arguments.Select(CelValue.Name))})"),
    };
}
