namespace Redoubt.TestCluster.Cel;

/// <summary>One entry of <c>x-kubernetes-validations</c>.</summary>
/// <param name="Rule">The expression, parsed.</param>
/// <param name="Message">Sentence for the user; null: "failed rule: …".</param>
/// <param name="MessageExpression">Expression that makes the sentence; wins over <paramref name="Message"/>.</param>
/// <param name="Reason">FieldValueInvalid (default), FieldValueForbidden, FieldValueRequired, FieldValueDuplicate.</param>
/// <param name="FieldPath">Where to report, relative to the node (".spec.x").</param>
/// <param name="OptionalOldSelf">Evaluate on creation too, with oldSelf as an optional.</param>
public sealed record CelRule(
    CelExpression Rule,
    string? Message,
    CelExpression? MessageExpression,
    string? Reason,
    string? FieldPath,
    bool OptionalOldSelf)
{
    /// <summary>The rule speaks of <c>oldSelf</c>: it is skipped when there is no old value.</summary>
    public bool IsTransition => Rule.Uses("oldSelf");
}
