using System.Globalization;
using System.Text;
using k8s.Models;
using Redoubt.Operator.Planning.Builders;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Planning;

/// <summary>
/// Secrets are desired state. A password that somebody changes is handed to PostgreSQL, and the connection strings follow once it is in force; a
/// Secret that is deleted comes back with the password it had.
/// </summary>
internal static class SecretsPlan
{
    /// <summary>From the moment the kubelet is told until PostgreSQL has a changed password: the mount is renewed, the agent reads it again.</summary>
    private static readonly TimeSpan TakeOver = TimeSpan.FromSeconds(15);

    public static void Plan(PlanDraft draft)
    {
        var cluster = draft.Cluster;
        draft.AuthHash = Keep(draft, Names.AuthSecret(draft.Name), "secret", (s, _) => SecretBuilder.Auth(cluster, s)) is { } auth ? PodParts.Hash(auth) : null;
        var superuser = Keep(draft, Names.SuperuserSecret(draft.Name), "password", (s, old) => SecretBuilder.Superuser(cluster, s, old));
        var app = Keep(draft, Names.AppSecret(draft.Name), "password", (s, old) => SecretBuilder.App(cluster, s, old));
        draft.SecretsHash = superuser is null || app is null ? null : PodParts.Hash(superuser + '\0' + app);
        HandOver(draft);
    }

    /// <summary>Writes on a new pod which secrets it starts with.</summary>
    public static void Stamp(PlanDraft draft, V1Pod pod)
    {
        if (draft.AuthHash is { } auth)
        {
            pod.Metadata.Annotations[Names.AuthHashAnnotation] = auth;
        }

        if (pod.Role() == Names.Compute && draft.SecretsHash is { } secrets)
        {
            pod.Metadata.Annotations[Names.SecretsHashAnnotation] = secrets;
        }
    }

    /// <summary>Whether a pod was started with another shared secret than its peers will be: it reads it at its start only.</summary>
    public static bool HasOldSharedSecret(PlanDraft draft, V1Pod pod) =>
        draft.AuthHash is { } wanted && pod.Metadata.Annotation(Names.AuthHashAnnotation) is { } has && has != wanted;

    /// <returns>The value in force from now on; null when it is not known before the Secret is made.</returns>
    private static string? Keep(PlanDraft draft, string name, string key, Func<string, V1Secret?, V1Secret> build)
    {
        var existing = draft.Snapshot.Secrets.FirstOrDefault(s => s.Metadata.Name == name);
        if (existing?.Data is not null && existing.Data.TryGetValue(key, out var value) && value.Length > 0)
        {
            var text = Encoding.UTF8.GetString(value);
            draft.Apply(build(text, IsInForce(draft) ? null : existing));
            return text;
        }

        var known = draft.Snapshot.LostSecrets.GetValueOrDefault($"{name}/{key}");
        var restored = known ?? draft.Snapshot.NewPassword();
        if (existing is null)
        {
            // Created, not applied: should one exist that was not seen yet, its password must win.
            PlannedEvent[] told = draft.OldStatus.ComputeGeneration is null ? []
                : [known is not null
                    ? new PlannedEvent(true, "SecretRestored", $"Secret {name} was deleted and is made again with the same {key}")
                    : new PlannedEvent(true, "SecretRenewed", $"Secret {name} is gone and is made again with a new {key}; PostgreSQL takes it over: read it again")];
            draft.Create(build(restored, null), $"{name} is missing", told);
            return known;
        }

        draft.Apply(build(restored, null));
        draft.Event("SecretRenewed", $"Secret {name} had no {key} and gets {(known is null ? "a new one" : "the last one back")}", warning: true);
        return restored;
    }

    private static V1Pod? Current(PlanDraft draft) => draft.ComputePods.LastOrDefault(p => !p.IsTerminating() && !p.IsTerminal());

    /// <summary>Whether PostgreSQL has had the time to take the passwords over that the Secrets hold, and says nothing to the contrary.</summary>
    private static bool IsInForce(PlanDraft draft)
    {
        if (Current(draft) is not { } pod || pod.Metadata.Annotation(Names.SecretsHashAnnotation) is not { } told)
        {
            return true;
        }

        var wanted = Hash(draft);
        var handed = DateTime.TryParse(
            pod.Metadata.Annotation(Names.SecretsTimeAnnotation), CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal, out var at) ? at : DateTime.MinValue;
        var left = handed == DateTime.MinValue ? TimeSpan.Zero : handed + TakeOver - draft.Snapshot.Now;
        if (told == wanted && left > TimeSpan.Zero)
        {
            draft.CheckAgain(left);
        }

        return wanted is null || (told == wanted && left <= TimeSpan.Zero
            && string.IsNullOrEmpty(draft.Snapshot.Reports.GetValueOrDefault(pod.Metadata.Name)?.Compute?.AdministrationProblem));
    }

    private static string? Hash(PlanDraft draft)
    {
        string? Value(string name) => draft.Snapshot.Secrets.FirstOrDefault(s => s.Metadata.Name == name)?.Data is { } data && data.TryGetValue("password", out var v) && v.Length > 0
            ? Encoding.UTF8.GetString(v) : null;
        return Value(Names.SuperuserSecret(draft.Name)) is { } superuser && Value(Names.AppSecret(draft.Name)) is { } app ? PodParts.Hash(superuser + '\0' + app) : null;
    }

    /// <summary>Tells the kubelet that the pod's mounts are to be renewed at once: it does so for a pod that changes.</summary>
    private static void HandOver(PlanDraft draft)
    {
        if (draft.SecretsHash is not { } wanted || Current(draft) is not { } pod || pod.Metadata.Annotation(Names.SecretsHashAnnotation) == wanted)
        {
            return;
        }

        draft.Steps.Add(new PlanStep.AnnotatePod(
            ObjectKey.Of(pod),
            new Dictionary<string, string>
            {
                [Names.SecretsHashAnnotation] = wanted,
                [Names.SecretsTimeAnnotation] = draft.Snapshot.Now.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
            },
            "a password has changed")
        {
            Told = pod.Metadata.Annotation(Names.SecretsHashAnnotation) is null ? []
                : [new PlannedEvent(false, "PasswordChanged", "A password in a Secret has changed and is handed to PostgreSQL; the connection strings follow when it is in force")],
        });
    }
}
