using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace Redoubt.TestCluster.Api;

/// <summary>Tokens and RBAC: the admin may do all, a service account what Roles and ClusterRoles bound to it allow.</summary>
public sealed class Authorizer(Registry registry)
{
    private readonly ConcurrentDictionary<string, (string Namespace, string Name)> _accounts = new();

    /// <summary>Token of the administrator, for kubeconfig files.</summary>
    public string AdminToken { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    /// <summary>A token of a service account.</summary>
    public string Issue(string ns, string name)
    {
        var token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        _accounts[token] = (ns, name);
        return token;
    }

    /// <summary>Throws unless the bearer of the token may do this.</summary>
    /// <exception cref="ApiException">401, 403.</exception>
    internal void Check(string? authorization, string verb, ResourceType? type, string subresource, string ns, string name)
    {
        if (authorization?.StartsWith("Bearer ", StringComparison.Ordinal) is not true)
        {
            throw ApiException.Unauthorized();
        }
        var token = authorization["Bearer ".Length..].Trim();
        if (token == AdminToken)
        {
            return;
        }
        if (!_accounts.TryGetValue(token, out var account) || registry.TryGet(BuiltInTypes.ServiceAccounts, account.Namespace, account.Name) is null)
        {
            throw ApiException.Unauthorized();
        }
        if (type is null)
        {
            return; // discovery: system:discovery is bound to every authenticated user
        }
        var resource = subresource.Length == 0 ? type.Plural : $"{type.Plural}/{subresource}";
        if (!Rules(account, ns).Any(r => Allows(r, verb, type.Group, resource, name)))
        {
            var scope = ns.Length > 0 ? $"in the namespace \"{ns}\"" : "at the cluster scope";
            throw ApiException.Forbidden(type, name,
                $"User \"system:serviceaccount:{account.Namespace}:{account.Name}\" cannot {verb} resource \"{resource}\" in API group \"{type.Group}\" {scope}");
        }
    }

    private IEnumerable<JsonObject> Rules((string Namespace, string Name) account, string ns)
    {
        foreach (var binding in registry.List(BuiltInTypes.ClusterRoleBindings).Where(b => Binds(b, account)))
        {
            foreach (var rule in RoleRules(binding, ""))
            {
                yield return rule;
            }
        }
        if (ns.Length == 0)
        {
            yield break;
        }
        foreach (var binding in registry.List(BuiltInTypes.RoleBindings, ns).Where(b => Binds(b, account)))
        {
            foreach (var rule in RoleRules(binding, ns))
            {
                yield return rule;
            }
        }
    }

    private IEnumerable<JsonObject> RoleRules(JsonObject binding, string ns)
    {
        var name = binding.Text("roleRef", "name") ?? "";
        var role = binding.Text("roleRef", "kind") == "Role"
            ? registry.TryGet(BuiltInTypes.Roles, ns, name)
            : registry.TryGet(BuiltInTypes.ClusterRoles, "", name);
        return role.Objects("aggregationRule", "clusterRoleSelectors").ToList() is { Count: > 0 } selectors
            ? role.Objects("rules").Concat(registry.List(BuiltInTypes.ClusterRoles)
                .Where(r => selectors.Any(s => Selectors.Matches(s, r.Object("metadata", "labels")))).SelectMany(r => r.Objects("rules")))
            : role.Objects("rules");
    }

    private static bool Binds(JsonObject binding, (string Namespace, string Name) account) => binding.Objects("subjects").Any(s => s.Text("kind") switch
    {
        "ServiceAccount" => s.Text("name") == account.Name && s.Text("namespace") == account.Namespace,
        "Group" => s.Text("name") is "system:authenticated" or "system:serviceaccounts" || s.Text("name") == $"system:serviceaccounts:{account.Namespace}",
        _ => s.Text("name") == $"system:serviceaccount:{account.Namespace}:{account.Name}",
    });

    private static bool Allows(JsonObject rule, string verb, string group, string resource, string name)
    {
        bool Has(string field, string value) => rule.Strings(field).Any(v => v == "*" || v == value);
        var isResource = Has("resources", resource) || (resource.Contains('/') && rule.Strings("resources").Any(r => r == "*/" + resource[(resource.IndexOf('/') + 1)..]));
        var names = rule.Strings("resourceNames").ToList();
        return Has("verbs", verb) && Has("apiGroups", group) && isResource && (names.Count == 0 || names.Contains(name));
    }
}
