#!/usr/bin/env bash
# Builds the package twice, installs it into an empty root, and runs what is in it: packaging/deb/test.sh BINARY
#
# Needs root, as dpkg does. What is missing beside dpkg is told by name and left out.
set -euo pipefail
binary=$(realpath "$1")
cd "$(dirname "$0")/../.."
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
fail() { echo "packaging: $*" >&2; exit 1; }

export DEB_COMPRESS=${DEB_COMPRESS:-none} SOURCE_DATE_EPOCH=1700000000
package=$(packaging/deb/build.sh "$binary" "$root/one")
again=$(packaging/deb/build.sh "$binary" "$root/two")
cmp "$package" "$again" || fail "the same binary gives two packages"
[ -z "$(dpkg-deb -c "$package" | awk '$2 != "root/root"')" ] || fail "a file in it is not root's"
[ -z "$(dpkg-deb -c "$package" | awk '$1 ~ /^-/ && $1 ~ /w..w|ws|s/')" ] || fail "a file in it is open or setuid"

# An empty system: users, groups, and dpkg's own list.
mkdir -p "$root/sys/etc" "$root/sys/var/lib/dpkg/updates" "$root/sys/var/lib/dpkg/info"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/sys/etc/passwd"
echo 'root:x:0:' >"$root/sys/etc/group"
: >"$root/sys/etc/shadow" >"$root/sys/etc/gshadow"
: >"$root/sys/var/lib/dpkg/status" >"$root/sys/var/lib/dpkg/available"
install_it() {
    dpkg --root="$root/sys" --force-script-chrootless --force-depends --log=/dev/null -i "$package" >"$root/log" 2>&1 ||
        { cat "$root/log" >&2; fail "it does not install"; }
}
install_it
for user in ringfence ringfence-guard; do
    grep -q "^$user:.*:/usr/sbin/nologin$" "$root/sys/etc/passwd" || fail "there is no user $user"
done
echo 'RINGFENCE_HUB_OPTIONS="--listen 127.0.0.1:9"' >"$root/sys/etc/default/ringfence-hub"
install_it # again: users are there, and what people changed stays
grep -q 127.0.0.1:9 "$root/sys/etc/default/ringfence-hub" || fail "a changed configuration was overwritten"

installed=$root/sys/usr/bin/ringfence
[ "$("$installed" --version)" = "$("$binary" --version)" ] || fail "it is another program"
"$installed" init "$root/programme" >/dev/null
"$installed" check "$root/programme" >/dev/null || fail "the programme that it writes does not pass its check"
for page in ringfence ringfence-hub ringfence-guard ringfence-doctor; do
    gzip -t "$root/sys/usr/share/man/man1/$page.1.gz" || fail "there is no manual page $page"
done
bash -n "$root/sys/usr/share/bash-completion/completions/ringfence"
python3 -c 'import json,sys; json.load(open(sys.argv[1]))' "$root/sys/usr/share/doc/ringfence/sbom.cdx.json"

if command -v systemd-analyze >/dev/null; then
    for unit in ringfence-hub ringfence-guard; do
        # systemd's own units are not in the root, so it is asked about this one's lines only.
        told=$(systemd-analyze verify --recursive-errors=no --man=no --root="$root/sys" "/usr/lib/systemd/system/$unit.service" 2>&1 || true)
        ! grep -F "$unit.service" <<<"$told" | grep -Ev 'not found|Failed to (load|create)' || fail "$unit: systemd finds fault"
        systemd-analyze security --offline=true --threshold=20 --no-pager "packaging/systemd/$unit.service" >"$root/log" ||
            fail "$unit: $(tail -1 "$root/log")"
        tail -1 "$root/log"
    done
else
    echo "packaging: systemd-analyze is not here; the units were not looked at"
fi
if command -v lintian >/dev/null; then
    lintian --fail-on error "$package" || fail "lintian finds fault"
else
    echo "packaging: lintian is not here"
fi
dpkg --root="$root/sys" --force-script-chrootless --log=/dev/null -P ringfence >/dev/null || fail "it does not go away"
[ ! -e "$installed" ] || fail "purged, and there still"
echo "packaging: $(basename "$package") installs, runs and goes"
