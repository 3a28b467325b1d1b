#!/bin/bash
# Builds a Debian package of ./ferdag: packaging/deb.sh BUILD VERSION writes
# BUILD/ferdag_VERSION_ARCHITECTURE.deb and prints its path. `make deb` calls it.
#
# dpkg-shlibdeps finds the libraries that the program needs, and the versions of them. DEBFULLNAME
# and DEBEMAIL name the maintainer of the package, as for Debian's own tools.
set -eu
build=$1 version=$2
root=$build/deb
export LC_ALL=C.UTF-8
maintainer="${DEBFULLNAME:-The ferdag developers} <${DEBEMAIL:-ferdag@localhost.invalid}>"
architecture=$(dpkg --print-architecture)
package=$build/ferdag_${version}_$architecture.deb
# one time for all files, so that the same sources give the same package
date=$(git log -1 --format=%ct 2> /dev/null || date -r VERSION +%s)
export SOURCE_DATE_EPOCH=$date

rm -rf "$root" "$package"
mkdir -p "$root/DEBIAN" "$root/usr/share/doc/ferdag" "$build/debian"
make -s --no-print-directory -o ferdag install BUILD="$build" DESTDIR="$root" PREFIX=/usr > "$build/deb.log"
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/bin/ferdag"
gzip -9n "$root/usr/share/man/man1/ferdag.1"

# zsh of Debian looks for completions of packages here.
mv "$root/usr/share/zsh/site-functions" "$root/usr/share/zsh/vendor-completions"

cat > "$root/usr/share/doc/ferdag/copyright" << END
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: ferdag

Files: *
Copyright: 2026 The ferdag developers
License: Apache-2.0
 On Debian systems, the full text of the Apache License version 2.0 is in
 /usr/share/common-licenses/Apache-2.0.
END
{
    printf 'ferdag (%s) unstable; urgency=medium\n\n' "$version"
    printf '  * Version %s. The changes that users see are in CHANGELOG.md of the\n    source code.\n\n' "$version"
    printf ' -- %s  %s\n' "$maintainer" "$(date -u -R -d "@$date")"
} | gzip -9n > "$root/usr/share/doc/ferdag/changelog.gz"

# dpkg-shlibdeps reads debian/control of the folder that it runs in.
printf 'Source: ferdag\n\nPackage: ferdag\nArchitecture: any\n' > "$build/debian/control"
depends=$(cd "$build" && dpkg-shlibdeps -O --ignore-missing-info deb/usr/bin/ferdag 2> shlibdeps.log | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || { cat "$build/shlibdeps.log" >&2; exit 1; }

size=$(du -k -s --exclude=DEBIAN "$root" | cut -f1)
cat > "$root/DEBIAN/control" << END
Package: ferdag
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $size
Depends: $depends
Recommends: gnuplot-nox, groff, perl, bubblewrap
Section: science
Priority: optional
Description: reproduce a machine-learning paper as a graph of cached stages
 A YAML file describes an experiment as a graph of stages. ferdag runs the
 stages that are out of date, stores each result under the hash of everything
 that it depends on, and prints the paper's tables and plots beside the paper's
 own numbers, in a PDF.
 .
 The stage kinds that are built in serve one paper: facial expressions of
 FER2013 by CNNs and support vector machines. Any program can be a stage.
END
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) > "$root/DEBIAN/md5sums"
find "$root" -type d -exec chmod 755 {} +
dpkg-deb --root-owner-group --build "$root" "$package" > "$build/deb.log"
echo "$package"
