using k8s;
using k8s.Models;

namespace Redoubt.Operator.Runtime;

/// <summary>Namespace and name of an object; the namespace is empty for objects outside namespaces.</summary>
public readonly record struct ObjectKey(string Namespace, string Name)
{
    public static ObjectKey Of(IMetadata<V1ObjectMeta> value) => new(value.Metadata.NamespaceProperty ?? "", value.Metadata.Name);

    public override string ToString() => Namespace.Length == 0 ? Name : Namespace + "/" + Name;
}
