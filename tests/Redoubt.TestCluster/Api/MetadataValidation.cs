using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Api;

/// <summary>Names, labels and annotations as apimachinery validates them.</summary>
internal static partial class MetadataValidation
{
    [GeneratedRegex("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    private static partial Regex Dns1123Label();

    [GeneratedRegex("^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")]
    private static partial Regex Dns1123Subdomain();

    [GeneratedRegex("^[a-z]([-a-z0-9]*[a-z0-9])?$")]
    private static partial Regex Dns1035Label();

    [GeneratedRegex("^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")]
    private static partial Regex LabelValue();

    [GeneratedRegex("^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")]
    private static partial Regex QualifiedName();

    public static bool IsLabel(string s) => s.Length <= 63 && Dns1123Label().IsMatch(s);

    public static bool IsSubdomain(string s) => s.Length <= 253 && Dns1123Subdomain().IsMatch(s);

    private static bool IsLabelKey(string key)
    {
        var parts = key.Split('/');
        return parts.Length <= 2 && (parts.Length == 1 || IsSubdomain(parts[0])) && parts[^1].Length <= 63 && QualifiedName().IsMatch(parts[^1]);
    }

    public static List<FieldError> Check(ResourceType type, JsonObject value)
    {
        var errors = new List<FieldError>();
        var name = value.Name();
        if (type == BuiltInTypes.Services)
        {
            if (name.Length > 63 || !Dns1035Label().IsMatch(name))
            {
                errors.Add(FieldError.Invalid("metadata.name", $"\"{name}\"", name.Length > 63 ? "must be no more than 63 characters" :
                    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character"));
            }
        }
        else if (type == BuiltInTypes.Namespaces)
        {
            if (!IsLabel(name))
            {
                errors.Add(FieldError.Invalid("metadata.name", $"\"{name}\"", "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', at most 63"));
            }
        }
        else if (type.Group == "rbac.authorization.k8s.io")
        {
            if (name.Length == 0 || name is "." or ".." || name.Contains('/') || name.Contains('%'))
            {
                errors.Add(FieldError.Invalid("metadata.name", $"\"{name}\"", "may not be '.', '..' or contain '/' or '%'"));
            }
        }
        else if (!IsSubdomain(name))
        {
            errors.Add(FieldError.Invalid("metadata.name", $"\"{name}\"", name.Length > 253 ? "must be no more than 253 characters" :
                "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"));
        }
        errors.AddRange(CheckLabels(value.Object("metadata", "labels"), "metadata.labels"));
        foreach (var (key, _) in value.Object("metadata", "annotations") ?? [])
        {
            if (!IsLabelKey(key.ToLowerInvariant()))
            {
                errors.Add(FieldError.Invalid("metadata.annotations", $"\"{key}\"", "name part must consist of alphanumeric characters, '-', '_' or '.', at most 63"));
            }
        }
        if ((value.Object("metadata", "annotations")?.Sum(a => a.Key.Length + (a.Value.Text()?.Length ?? 0)) ?? 0) > 256 * 1024)
        {
            errors.Add(new FieldError("metadata.annotations", "FieldValueTooLong", "Too long: must have at most 262144 bytes"));
        }
        foreach (var finalizer in value.Strings("metadata", "finalizers").Where(f => !IsLabelKey(f)))
        {
            errors.Add(FieldError.Invalid("metadata.finalizers", $"\"{finalizer}\"", "name part must consist of alphanumeric characters, '-', '_' or '.'"));
        }
        var index = 0;
        foreach (var owner in value.Objects("metadata", "ownerReferences"))
        {
            foreach (var field in ((string[])["apiVersion", "kind", "name", "uid"]).Where(f => owner.Text(f) is null or ""))
            {
                errors.Add(FieldError.Invalid($"metadata.ownerReferences[{index}].{field}", "\"\"", "must not be empty"));
            }
            index++;
        }
        if (value.Objects("metadata", "ownerReferences").Count(o => o.Flag("controller") is true) > 1)
        {
            errors.Add(FieldError.Invalid("metadata.ownerReferences", "\"ownerReferences\"", "Only one reference can have Controller set to true"));
        }
        return errors;
    }

    public static IEnumerable<FieldError> CheckLabels(JsonObject? labels, string path)
    {
        foreach (var (key, node) in labels ?? [])
        {
            var value = node.Text() ?? "";
            if (!IsLabelKey(key))
            {
                yield return FieldError.Invalid(path, $"\"{key}\"", "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character, at most 63");
            }
            if (value.Length > 63 || !LabelValue().IsMatch(value))
            {
                yield return FieldError.Invalid(path, $"\"{value}\"", "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character, at most 63");
            }
        }
    }
}
