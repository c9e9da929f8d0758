using System.Globalization;
using System.Text.Json.Nodes;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Patching;

/// <summary>
/// <c>metadata.managedFields</c>: who owns which field. Plain writes take the fields they change; applies take what they name, conflict with
/// other owners over differing values, and drop what they named before and name no more.
/// </summary>
internal static class ManagedFields
{
    private sealed record Entry(string Manager, string Operation, string Subresource, string Time, FieldSet Set)
    {
        public bool Same(string manager, string operation, string subresource) =>
            Manager == manager && Operation == operation && Subresource == subresource;
    }

    private static List<Entry> Read(JsonObject o) =>
    [
        .. o.Objects("metadata", "managedFields").Select(e => new Entry(
            e.Text("manager") ?? "", e.Text("operation") ?? "", e.Text("subresource") ?? "", e.Text("time") ?? "",
            FieldSet.FromFieldsV1(e.Object("fieldsV1")))),
    ];

    private static void Write(JsonObject o, List<Entry> entries, string apiVersion)
    {
        o.Meta()["managedFields"] = new JsonArray([.. entries.Where(e => !e.Set.IsEmpty).Select(e =>
        {
            var json = new JsonObject
            {
                ["manager"] = e.Manager,
                ["operation"] = e.Operation,
                ["apiVersion"] = apiVersion,
                ["time"] = e.Time,
                ["fieldsType"] = "FieldsV1",
                ["fieldsV1"] = e.Set.ToFieldsV1(),
            };
            if (e.Subresource.Length > 0)
            {
                json["subresource"] = e.Subresource;
            }
            return (JsonNode)json;
        })]);
    }

    public static string Now() => DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    /// <summary>After a create, update or patch: the manager owns what changed.</summary>
    public static void RecordUpdate(JsonObject? old, JsonObject updated, Schema schema, string manager, string subresource)
    {
        var entries = old is null ? [] : Read(old);
        var after = FieldSet.Of(updated, schema);
        var before = old is null ? FieldSet.Empty : FieldSet.Of(old, schema);
        var changed = after.Where(p => !Json.Same(
            FieldSet.Lookup(updated, p, out _), old is null ? null : FieldSet.Lookup(old, p, out _)) || !before.Covers(p));
        // A map list item is changed when it is new; its leaves speak for themselves.
        changed = changed.Where(p => !p[^1].StartsWith("k:", StringComparison.Ordinal) || !before.Covers(p));
        entries = [.. entries.Select(e => e with { Set = Living(e.Set, updated).Except(e.Same(manager, "Update", subresource) ? FieldSet.Empty : changed) })];
        if (!changed.IsEmpty)
        {
            var own = entries.FirstOrDefault(e => e.Same(manager, "Update", subresource));
            entries.RemoveAll(e => e.Same(manager, "Update", subresource));
            entries.Add(new Entry(manager, "Update", subresource, Now(), (own?.Set ?? FieldSet.Empty).Union(changed)));
        }
        Write(updated, entries, updated.Text("apiVersion") ?? "");
    }

    private static FieldSet Living(FieldSet set, JsonObject o) => set.Where(p =>
    {
        FieldSet.Lookup(o, p, out var found);
        return found;
    });

    /// <summary>Server-side apply.</summary>
    /// <param name="live">The object now; null: it is created.</param>
    /// <param name="applied">What the manager wants, pruned of unknown fields.</param>
    /// <param name="schema">Its schema.</param>
    /// <param name="manager">The field manager.</param>
    /// <param name="subresource">"" or "status".</param>
    /// <param name="force">Take fields from other managers.</param>
    /// <exception cref="ApplyConflictException">Another manager owns a field with another value.</exception>
    public static JsonObject Apply(JsonObject? live, JsonObject applied, Schema schema, string manager, string subresource, bool force)
    {
        var entries = live is null ? [] : Read(live);
        var wanted = FieldSet.Of(applied, schema);
        var merged = (JsonObject)Merge(live, applied, schema)!;
        var others = entries.Where(e => !e.Same(manager, "Apply", subresource)).ToList();
        if (live is not null)
        {
            var conflicts = others.SelectMany(e => e.Set.Intersect(wanted)
                .Where(p => !p[^1].StartsWith("k:", StringComparison.Ordinal) &&
                            !Json.Same(FieldSet.Lookup(live, p, out _), FieldSet.Lookup(merged, p, out _)))
                .Paths.Select(p => (e.Manager, Path: p))).ToList();
            if (conflicts.Count > 0 && !force)
            {
                throw new ApplyConflictException([.. conflicts.Select(c => (c.Manager, FieldSet.Readable(c.Path)))]);
            }
            var taken = conflicts.Select(c => string.Join('\u0000', c.Path)).ToHashSet();
            others = [.. others.Select(e => e with { Set = e.Set.Where(p => !taken.Contains(string.Join('\u0000', p))) })];
        }
        var previous = entries.FirstOrDefault(e => e.Same(manager, "Apply", subresource));
        if (previous is not null)
        {
            // Deepest first, so that an item goes only when nobody needs it.
            foreach (var path in previous.Set.Except(wanted).Paths.OrderByDescending(p => p.Length))
            {
                if (!others.Any(e => e.Set.Covers(path)) && !wanted.Covers(path))
                {
                    FieldSet.Remove(merged, path);
                }
            }
        }
        var time = previous is not null && previous.Set.Equals(wanted) && live is not null && SameBody(live, merged) ? previous.Time : Now();
        others = [.. others.Select(e => e with { Set = Living(e.Set, merged) })];
        others.Add(new Entry(manager, "Apply", subresource, time, wanted));
        Write(merged, [.. others.OrderBy(e => e.Operation, StringComparer.Ordinal).ThenBy(e => e.Time, StringComparer.Ordinal)], merged.Text("apiVersion") ?? "");
        return merged;
    }

    private static bool SameBody(JsonObject left, JsonObject right)
    {
        left = left.Clone();
        right = right.Clone();
        left.Meta().Remove("managedFields");
        right.Meta().Remove("managedFields");
        return Json.Same(left, right);
    }

    private static JsonNode? Merge(JsonNode? live, JsonNode? applied, Schema schema)
    {
        switch (live, applied)
        {
            case (JsonObject l, JsonObject a) when !schema.AtomicMap:
                var result = l.Clone();
                foreach (var (name, value) in a)
                {
                    result[name] = Merge(l[name], value, schema.Field(name) ?? Schema.Anything);
                }
                return result;
            case (JsonArray l, JsonArray a) when schema.ListType == "map":
                var items = l.Select(i => i!.AsObject().Clone()).ToList();
                foreach (var item in a.OfType<JsonObject>())
                {
                    var key = new JsonObject(schema.ListMapKeys.Select(k =>
                        KeyValuePair.Create(k, (item[k] ?? schema.Items?.Field(k)?.Default ?? (k == "protocol" ? JsonValue.Create("TCP") : null))?.DeepClone()))
                        .Where(p => p.Value is not null));
                    var at = items.FindIndex(i => FieldSet.Matches(i, key));
                    if (at >= 0)
                    {
                        items[at] = (JsonObject)Merge(items[at], item, schema.Items!)!;
                    }
                    else
                    {
                        items.Add(item.Clone());
                    }
                }
                return new JsonArray([.. items]);
            case (JsonArray l, JsonArray a) when schema.ListType == "set":
                return new JsonArray([.. l.Concat(a.Where(i => !l.Any(e => Json.Same(e, i)))).Select(i => i?.DeepClone())]);
            default:
                return applied?.DeepClone();
        }
    }
}
