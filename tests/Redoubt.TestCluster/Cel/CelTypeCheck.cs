using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Cel;

/// <summary>
/// Follows field selections through the schema, so that a rule that reads an undeclared field is refused with the CRD. Real servers
/// type-check whole expressions; this is the part that catches typing errors in paths.
/// </summary>
internal static class CelTypeCheck
{
    public static void Check(CelNode root, Schema self, string text) =>
        Infer(root, new Dictionary<string, Schema?> { ["self"] = self, ["oldSelf"] = self }, text);

    /// <summary>The schema of an expression's value when it is known, else null.</summary>
    private static Schema? Infer(CelNode node, Dictionary<string, Schema?> scope, string text)
    {
        switch (node)
        {
            case CelNode.Identifier id:
                return scope.TryGetValue(id.Name, out var schema) ? schema : throw new CelException($"undeclared reference to '{id.Name}' in: {text}");
            case CelNode.Select select:
                var operand = Infer(select.Operand, scope, text);
                if (operand is null || operand.Type == SchemaType.Any || operand.IntOrString)
                {
                    return null;
                }
                if (operand.Type != SchemaType.Object)
                {
                    throw new CelException($"type '{operand.Type}' has no field '{select.Field}' in: {text}");
                }
                return operand.Field(select.Field) ?? throw new CelException($"undefined field '{select.Field}' in: {text}");
            case CelNode.Index index:
                Infer(index.Key, scope, text);
                var container = Infer(index.Operand, scope, text);
                return container?.Items ?? container?.AdditionalProperties;
            case CelNode.Comprehension comprehension:
                var range = Infer(comprehension.Range, scope, text);
                var inner = new Dictionary<string, Schema?>(scope) { [comprehension.Variable] = range?.Items };
                Schema? body = null;
                foreach (var expression in comprehension.Body)
                {
                    body = Infer(expression, inner, text);
                }
                return comprehension.Macro switch
                {
                    "filter" => range,
                    "map" when body is not null => new Schema { Type = SchemaType.Array, Items = body },
                    _ => null,
                };
            case CelNode.Conditional conditional:
                Infer(conditional.Test, scope, text);
                Infer(conditional.Else, scope, text);
                return Infer(conditional.Then, scope, text);
            case CelNode.Unary unary:
                Infer(unary.Operand, scope, text);
                return null;
            case CelNode.Binary binary:
                Infer(binary.Left, scope, text);
                Infer(binary.Right, scope, text);
                return null;
            case CelNode.ListLiteral list:
                list.Items.ToList().ForEach(i => Infer(i, scope, text));
                return null;
            case CelNode.MapLiteral map:
                map.Entries.ToList().ForEach(e => Infer(e.Value, scope, text));
                return null;
            case CelNode.Call call:
                if (call.Receiver is not null)
                {
                    Infer(call.Receiver, scope, text);
                }
                call.Arguments.ToList().ForEach(a => Infer(a, scope, text));
                return null;
            default:
                return null;
        }
    }
}
