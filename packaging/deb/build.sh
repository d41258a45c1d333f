#!/usr/bin/env bash
# Builds the Debian package from a binary that is there already: packaging/deb/build.sh target/release/ringfence OUT
#
# Needs dpkg-deb, binutils and gzip, and no network. With SOURCE_DATE_EPOCH set, the same binary gives the same bytes.
#   DEB_COMPRESS   dpkg-deb's compression (xz)
set -euo pipefail
umask 022
[ $# -eq 2 ] || { echo "usage: $0 BINARY OUT-DIR" >&2; exit 2; }
binary=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
cd "$(dirname "$0")/../.."
version=$("$binary" --version | cut -d' ' -f2)
architecture=$(dpkg --print-architecture)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"

put() { # MODE FROM TO
    install -D -m "$1" "$2" "$tree/$3"
}
put 755 "$binary" usr/bin/ringfence
strip --strip-unneeded "$tree/usr/bin/ringfence"
put 644 packaging/systemd/ringfence-hub.service usr/lib/systemd/system/ringfence-hub.service
put 644 packaging/systemd/ringfence-guard.service usr/lib/systemd/system/ringfence-guard.service
put 644 packaging/systemd/ringfence.sysusers usr/lib/sysusers.d/ringfence.conf
put 644 packaging/deb/ringfence-hub.default etc/default/ringfence-hub
put 644 packaging/deb/ringfence-guard.default etc/default/ringfence-guard
install -d -m 755 "$tree/etc/ringfence"
put 644 packaging/grafana/hub.json usr/share/ringfence/grafana/hub.json
put 644 packaging/grafana/guard.json usr/share/ringfence/grafana/guard.json
put 644 packaging/prometheus/alerts.yaml usr/share/ringfence/prometheus/alerts.yaml
for page in docs/*.md README.md SECURITY.md; do
    put 644 "$page" "usr/share/doc/ringfence/$(basename "$page")"
done
gzip -9n <CHANGELOG.md >"$tree/usr/share/doc/ringfence/changelog.gz"
{
    printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n'
    printf 'Upstream-Name: ringfence\n\nFiles: *\nCopyright: the authors of Ringfence\nLicense: Apache-2.0\n'
    printf ' On Debian systems the text of the licence is in /usr/share/common-licenses/Apache-2.0.\n'
} >"$tree/usr/share/doc/ringfence/copyright"
python3 packaging/sbom.py >"$tree/usr/share/doc/ringfence/sbom.cdx.json"

# From the definitions that the program itself has.
"$binary" man --out "$tree/usr/share/man/man1" >/dev/null
gzip -9n "$tree"/usr/share/man/man1/*.1
mkdir -p "$tree"/usr/share/{bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
"$binary" completions bash >"$tree/usr/share/bash-completion/completions/ringfence"
"$binary" completions zsh >"$tree/usr/share/zsh/vendor-completions/_ringfence"
"$binary" completions fish >"$tree/usr/share/fish/vendor_completions.d/ringfence.fish"

# The C library has to know what the program asks it for.
libc=$(objdump -T "$tree/usr/bin/ringfence" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1 | cut -d_ -f2)
mkdir "$tree/DEBIAN"
for script in postinst prerm postrm; do
    install -m 755 "packaging/deb/$script" "$tree/DEBIAN/$script"
done
printf '/etc/default/ringfence-hub\n/etc/default/ringfence-guard\n' >"$tree/DEBIAN/conffiles"
(cd "$tree" && find usr etc -type f ! -path 'etc/*' -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
cat >"$tree/DEBIAN/control" <<CONTROL
Package: ringfence
Version: $version
Architecture: $architecture
Maintainer: the maintainers of Ringfence <maintainers@ringfence.invalid>
Installed-Size: $(du -sk --apparent-size "$tree" | cut -f1)
Depends: libc6 (>= ${libc:-2.31}), libgcc-s1, passwd
Recommends: ca-certificates
Section: net
Priority: optional
Description: exchange for cyber-threat intelligence between a programme and its members
 A hub shares indicators with members that are vetted by their ties; a guard
 protects customers with them by DNS, mail and flows. One program, ringfence,
 is both, and the command line for either.
CONTROL
find "$tree" -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0r touch -h -d "@$SOURCE_DATE_EPOCH"
dpkg-deb --root-owner-group -Z"${DEB_COMPRESS:-xz}" --build "$tree" "$out/ringfence_${version}_$architecture.deb" >/dev/null
echo "$out/ringfence_${version}_$architecture.deb"
