namespace Redoubt.Compute.Postgres;

/// <summary>A parameter that is not in force as it was set.</summary>
/// <param name="Name">Its name; <c>pg_hba.conf</c> for that file, empty when no single line can be named.</param>
/// <param name="Value">As it was set, without quotes.</param>
/// <param name="Reason">Why: PostgreSQL's own sentence, or Redoubt's when it is one that Redoubt fixes.</param>
public sealed record RejectedParameter(string Name, string Value, string Reason)
{
    public override string ToString() => Name.Length == 0 ? Reason : $"{Name} = {Value}: {Reason}";
}
