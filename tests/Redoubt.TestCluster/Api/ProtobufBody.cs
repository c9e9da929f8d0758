using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;

namespace Redoubt.TestCluster.Api;

/// <summary>
/// Bodies in Kubernetes' protobuf encoding, of the kinds that helm and <c>kubectl create</c> send in it; answers are always JSON, which clients take too.
/// Field numbers are those of k8s.io/api and k8s.io/apimachinery (generated.proto).
/// </summary>
internal static class ProtobufBody
{
    private enum Kind
    {
        Text, Bytes, Number, Flag, Time, Texts, TextMap, BytesMap, Message, Messages,
    }

    private sealed record Field(string Name, Kind Kind, IReadOnlyDictionary<int, Field>? Message = null);

    private static readonly Dictionary<int, Field> OwnerReference = new()
    {
        [1] = new("kind", Kind.Text), [3] = new("name", Kind.Text), [4] = new("uid", Kind.Text), [5] = new("apiVersion", Kind.Text),
        [6] = new("controller", Kind.Flag), [7] = new("blockOwnerDeletion", Kind.Flag),
    };

    private static readonly Field Metadata = new("metadata", Kind.Message, new Dictionary<int, Field>
    {
        [1] = new("name", Kind.Text), [2] = new("generateName", Kind.Text), [3] = new("namespace", Kind.Text), [5] = new("uid", Kind.Text),
        [6] = new("resourceVersion", Kind.Text), [7] = new("generation", Kind.Number), [8] = new("creationTimestamp", Kind.Time),
        [9] = new("deletionTimestamp", Kind.Time), [10] = new("deletionGracePeriodSeconds", Kind.Number), [11] = new("labels", Kind.TextMap),
        [12] = new("annotations", Kind.TextMap), [13] = new("ownerReferences", Kind.Messages, OwnerReference), [14] = new("finalizers", Kind.Texts),
    });

    /// <summary>What is not listed (managed fields, status) is left out: the server keeps its own.</summary>
    private static readonly Dictionary<string, Dictionary<int, Field>> Kinds = new()
    {
        ["Namespace"] = new() { [1] = Metadata, [2] = new("spec", Kind.Message, new Dictionary<int, Field> { [1] = new("finalizers", Kind.Texts) }) },
        ["Secret"] = new()
        {
            [1] = Metadata, [2] = new("data", Kind.BytesMap), [3] = new("type", Kind.Text), [4] = new("stringData", Kind.TextMap), [5] = new("immutable", Kind.Flag),
        },
        ["ConfigMap"] = new() { [1] = Metadata, [2] = new("data", Kind.TextMap), [3] = new("binaryData", Kind.BytesMap), [4] = new("immutable", Kind.Flag) },
        ["ServiceAccount"] = new() { [1] = Metadata, [4] = new("automountServiceAccountToken", Kind.Flag) },
        ["DeleteOptions"] = new()
        {
            [1] = new("gracePeriodSeconds", Kind.Number),
            [2] = new("preconditions", Kind.Message, new Dictionary<int, Field> { [1] = new("uid", Kind.Text), [2] = new("resourceVersion", Kind.Text) }),
            [3] = new("orphanDependents", Kind.Flag), [4] = new("propagationPolicy", Kind.Text), [5] = new("dryRun", Kind.Texts),
        },
    };

    /// <summary>The body as JSON.</summary>
    /// <exception cref="ApiException">415: this kind is only taken as JSON.</exception>
    /// <exception cref="FormatException">The bytes are no such message.</exception>
    public static JsonObject Read(ReadOnlyMemory<byte> body)
    {
        if (!body.Span.StartsWith("k8s\0"u8))
        {
            throw new FormatException("a protobuf body begins with k8s and a zero byte");
        }

        string apiVersion = "", kind = "";
        ReadOnlyMemory<byte> raw = default;
        for (var rest = body[4..]; Next(ref rest, out var number, out var value, out _);)
        {
            if (number == 2)
            {
                raw = value;
            }

            for (var type = number == 1 ? value : default; Next(ref type, out var part, out var text, out _);)
            {
                (apiVersion, kind) = part switch { 1 => (Encoding.UTF8.GetString(text.Span), kind), 2 => (apiVersion, Encoding.UTF8.GetString(text.Span)), _ => (apiVersion, kind) };
            }
        }

        if (!Kinds.TryGetValue(kind, out var fields))
        {
            throw ApiException.UnsupportedMediaType($"application/vnd.kubernetes.protobuf of {kind}");
        }

        var result = Message(raw, fields);
        result["apiVersion"] = apiVersion;
        result["kind"] = kind;
        return result;
    }

    private static JsonObject Message(ReadOnlyMemory<byte> bytes, IReadOnlyDictionary<int, Field> fields)
    {
        var result = new JsonObject();
        while (Next(ref bytes, out var number, out var value, out var integer))
        {
            if (!fields.TryGetValue(number, out var field))
            {
                continue;
            }

            switch (field.Kind)
            {
                case Kind.Text when value.Length > 0:
                    result[field.Name] = Encoding.UTF8.GetString(value.Span);
                    break;
                case Kind.Number:
                    result[field.Name] = (long)integer;
                    break;
                case Kind.Flag:
                    result[field.Name] = integer != 0;
                    break;
                case Kind.Time when value.Length > 0:
                    result[field.Name] = Time(value);
                    break;
                case Kind.Texts:
                    List(result, field.Name).Add(Encoding.UTF8.GetString(value.Span));
                    break;
                case Kind.Message:
                    result[field.Name] = Message(value, field.Message!);
                    break;
                case Kind.Messages:
                    List(result, field.Name).Add((JsonNode)Message(value, field.Message!));
                    break;
                case Kind.TextMap or Kind.BytesMap:
                    var (key, content) = Entry(value);
                    result.Child(field.Name)[key] = field.Kind == Kind.TextMap ? Encoding.UTF8.GetString(content) : Convert.ToBase64String(content);
                    break;
            }
        }

        return result;
    }

    private static JsonArray List(JsonObject owner, string name)
    {
        if (owner[name] is not JsonArray list)
        {
            owner[name] = list = [];
        }

        return list;
    }

    private static (string Key, byte[] Value) Entry(ReadOnlyMemory<byte> bytes)
    {
        var (key, content) = ("", Array.Empty<byte>());
        while (Next(ref bytes, out var number, out var value, out _))
        {
            (key, content) = number == 1 ? (Encoding.UTF8.GetString(value.Span), content) : (key, value.ToArray());
        }

        return (key, content);
    }

    private static string? Time(ReadOnlyMemory<byte> bytes)
    {
        var seconds = 0L;
        while (Next(ref bytes, out var number, out _, out var integer))
        {
            seconds = number == 1 ? (long)integer : seconds;
        }

        return DateTimeOffset.FromUnixTimeSeconds(seconds).ToString("yyyy-MM-ddTHH:mm:ssZ", System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>The next field: its number, and its bytes or its integer. False at the end.</summary>
    private static bool Next(ref ReadOnlyMemory<byte> bytes, out int number, out ReadOnlyMemory<byte> value, out ulong integer)
    {
        (number, value, integer) = (0, default, 0);
        if (bytes.IsEmpty)
        {
            return false;
        }

        var tag = Varint(ref bytes);
        number = (int)(tag >> 3);
        switch (tag & 7)
        {
            case 0:
                integer = Varint(ref bytes);
                return true;
            case 1 when bytes.Length >= 8:
                integer = BinaryPrimitives.ReadUInt64LittleEndian(bytes.Span);
                bytes = bytes[8..];
                return true;
            case 2 when Varint(ref bytes) is var length && length <= (ulong)bytes.Length:
                value = bytes[..(int)length];
                bytes = bytes[(int)length..];
                return true;
            case 5 when bytes.Length >= 4:
                integer = BinaryPrimitives.ReadUInt32LittleEndian(bytes.Span);
                bytes = bytes[4..];
                return true;
            default:
                throw new FormatException("the protobuf body is damaged");
        }
    }

    private static ulong Varint(ref ReadOnlyMemory<byte> bytes)
    {
        var result = 0UL;
        for (var shift = 0; shift < 64; shift += 7)
        {
            if (bytes.IsEmpty)
            {
                throw new FormatException("the protobuf body ends in the middle");
            }

            var part = bytes.Span[0];
            bytes = bytes[1..];
            result |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
            {
                return result;
            }
        }

        throw new FormatException("a number in the protobuf body is too long");
    }
}
