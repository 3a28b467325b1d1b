#!/bin/bash
# The Debian package: builds it twice, to the same bytes; lintian finds no error and no warning; dpkg
# installs it into a folder, where it runs an installed experiment by name, and removes it again.
# Exit status 77 where a tool is missing. tests/long.sh calls it in the source folder.
set -u
for tool in dpkg-deb dpkg-shlibdeps dpkg lintian strip; do
    command -v $tool > /dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
fail() { echo "FAILED: $*"; exit 1; }
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

package=$(make -s deb | tail -n 1)
[ -f "$package" ] || fail "make deb: no package '$package'"
cp "$package" "$scratch/first.deb"
make -s deb > /dev/null || fail 'make deb again'
cmp "$scratch/first.deb" "$package" || fail 'the second package has other bytes'
lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$package" || fail 'lintian'

root=$scratch/root
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
touch "$root/var/lib/dpkg/status"
dpkg() { command dpkg --root="$root" --log=/dev/null --force-depends --force-not-root --force-script-chrootless "$@" > "$scratch/dpkg" 2>&1 || { cat "$scratch/dpkg"; fail "dpkg $*"; }; }
dpkg -i "$package"
mkdir "$scratch/elsewhere"
(
    cd "$scratch/elsewhere" && unset FERDAG_EXPERIMENTS FERDAG_CACHE
    "$root/usr/bin/ferdag" run demo.yaml --dry-run > plan 2> err || { cat err; exit 1; }
    grep -q '^would run faces$' plan || { cat plan; exit 1; }
    "$root/usr/bin/ferdag" --version
) || fail 'the installed program'
dpkg -P ferdag
[ -z "$(find "$root" -name '*ferdag*' ! -path '*/var/lib/dpkg/*')" ] || fail "left: $(find "$root" -name '*ferdag*')"
