namespace Redoubt.Operator.Runtime;

/// <summary>Kinds of lines of a watch. An error line is thrown as <see cref="KubeApiException"/> instead.</summary>
public enum WatchEventKind
{
    Added,
    Modified,
    Deleted,
    Bookmark,
}
