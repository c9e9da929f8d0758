using Redoubt.Cli.Local;
using Redoubt.Cli.Toolchain;

namespace Redoubt.Cli.Tests;

/// <summary>The manifest of <c>kubectl apply</c>, read by <c>up -f</c>.</summary>
public sealed class ManifestTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void The_examples_say_the_same_here_as_on_Kubernetes()
    {
        var minimal = ManifestReader.Read(Path.Combine(RepositoryLayout.Root, "examples", "minimal.yaml"));
        Assert.Equal(("demo", null, 1, null, "app"), (minimal.Name, minimal.Postgres, minimal.Copies, minimal.Groups, minimal.Database));
        var standard = ManifestReader.Read(Path.Combine(RepositoryLayout.Root, "examples", "standard.yaml"));
        Assert.Equal(("orders", 17, 6, "orders", "200"), (standard.Name, standard.Postgres, standard.Copies, standard.Owner, standard.Parameters["max_connections"]));
    }

    [Theory]
    [InlineData("kind: Pod", "no object of kind DatabaseCluster")]
    [InlineData("kind: DatabaseCluster\napiVersion: redoubt.dev/v9", "write redoubt.dev/v1alpha1")]
    [InlineData("kind: [", "is not YAML")]
    [InlineData("kind: DatabaseCluster\napiVersion: redoubt.dev/v1alpha1\nspec: {}", "metadata.name")]
    [InlineData("kind: DatabaseCluster\napiVersion: redoubt.dev/v1alpha1\nmetadata: {name: a}\nspec: {storage: {copies: many}}", "line 4: spec.storage.copies must be of type integer, not many")]
    [InlineData("kind: DatabaseCluster\napiVersion: redoubt.dev/v1alpha1\nmetadata: {name: a}\nspec:\n  storage: {copys: 3}", "line 5: spec.storage.copys is no field; spec.storage takes copies, ")]
    [InlineData("kind: DatabaseCluster\napiVersion: redoubt.dev/v1alpha1\nmetadata: {name: a}\nspec:\n  replicass: 2", "line 5: spec.replicass is no field")]
    [InlineData("kind: DatabaseCluster\napiVersion: redoubt.dev/v1alpha1\nmetadata: {name: a}\nspec:\n  storage:\n    copies: 4", "line 6: spec.storage.copies must be 6")]
    [InlineData("kind: DatabaseCluster\napiVersion: redoubt.dev/v1alpha1\nmetadata: {name: a}\nspec: {storage: {antiAffinity: Never}}", "write one of Preferred, Required")]
    [InlineData("kind: DatabaseCluster\napiVersion: redoubt.dev/v1alpha1\nmetadata: {name: a}\nspec: {database: {name: template1}}", "is one of PostgreSQL's own databases")]
    [InlineData("kind: DatabaseCluster\napiVersion: redoubt.dev/v1alpha1\nmetadata: {name: a}\nspec: {database: {name: A-b}}", "it must match ^[a-z_]")]
    [InlineData("kind: DatabaseCluster\napiVersion: redoubt.dev/v1alpha1\nmetadata: {name: a}\nspec: []", "spec must be of type object")]
    [InlineData("kind: DatabaseCluster\napiVersion: redoubt.dev/v1alpha1\nmetadata: {name: a}\nspec: {postgres: {parameters: {fsync: 'off'}}}", "the parameter fsync is set by Redoubt")]
    public void A_bad_manifest_is_refused_with_what_to_do(string text, string says)
    {
        File.WriteAllText(_file, text);
        var refused = Assert.Throws<CliException>(() => ManifestReader.Read(_file));
        Assert.Equal(CliException.WrongUsage, refused.ExitCode);
        Assert.Contains(says, refused.Message, StringComparison.Ordinal);
    }
}
