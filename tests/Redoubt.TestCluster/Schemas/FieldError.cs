namespace Redoubt.TestCluster.Schemas;

/// <summary>One fault of an object: a cause of a 422 answer.</summary>
/// <param name="Path">Field path: <c>spec.storage.copies</c>.</param>
/// <param name="Reason">FieldValueInvalid, FieldValueRequired, FieldValueNotSupported, FieldValueForbidden, FieldValueTypeInvalid …</param>
/// <param name="Message">As kubectl prints it after the path.</param>
public sealed record FieldError(string Path, string Reason, string Message)
{
    /// <summary>Invalid value: "v": why.</summary>
    public static FieldError Invalid(string path, string value, string why) => new(path, "FieldValueInvalid", $"Invalid value: {value}: {why}");

    /// <summary>Forbidden: why.</summary>
    public static FieldError Forbidden(string path, string why) => new(path, "FieldValueForbidden", $"Forbidden: {why}");

    /// <summary>Required value.</summary>
    public static FieldError Required(string path, string why = "") => new(path, "FieldValueRequired", why.Length == 0 ? "Required value" : $"Required value: {why}");

    /// <inheritdoc />
    public override string ToString() => $"{Path}: {Message}";
}
