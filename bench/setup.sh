#!/bin/sh
# Installs what the measures compare with, by package name: nginx, Unbound, BIND, dnsperf and ripgrep from Debian, the Python TAXII
# servers, the reference matcher of patterns and what computes ties from the Python index, each in an environment of its own below bench/work/, and differential-dataflow from the Rust
# registry, in a program of our own (bench/peers/ties/dd).
#
# OpenTAXII 0.9.3 does not start with today's libraries, so it gets those of its time.
set -eu
cd "$(dirname "$0")"
mkdir -p work

if [ ! -x /usr/sbin/nginx ]; then
    apt-get install -y --no-install-recommends nginx-light
fi
if [ ! -x work/medallion/bin/waitress-serve ]; then
    python3 -m venv work/medallion
    work/medallion/bin/pip install -q medallion waitress
fi
if [ ! -x work/opentaxii/bin/gunicorn ]; then
    python3 -m venv work/opentaxii
    work/opentaxii/bin/pip install -q 'opentaxii==0.9.3' 'SQLAlchemy<2' 'Flask<2.3' 'Werkzeug<2.3' 'marshmallow<4' gunicorn
fi
if [ ! -x work/ties/bin/python ] || ! work/ties/bin/python -c 'import duckdb, networkx, scipy' 2>/dev/null; then
    python3 -m venv work/ties
    work/ties/bin/pip install -q 'duckdb==2.0.0' 'networkx==3.6.1' 'numpy==2.4.6' 'scipy==1.17.1'
fi
if [ ! -x work/matcher/bin/python ] || ! work/matcher/bin/python -c 'import stix2matcher' 2>/dev/null; then
    python3 -m venv work/matcher
    work/matcher/bin/pip install -q 'stix2-matcher==3.0.0' 'stix2-patterns==2.1.2'
fi
# Packages of servers start them, unless this says no; only their programs are wanted.
for program in /usr/sbin/unbound:unbound /usr/sbin/named:bind9 /usr/bin/dnsperf:dnsperf /usr/bin/rg:ripgrep; do
    if [ ! -x "${program%%:*}" ]; then
        [ -e /usr/sbin/policy-rc.d ] || { printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d; }
        apt-get install -y --no-install-recommends "${program##*:}"
    fi
done
cargo build --release --locked -q --manifest-path peers/ties/dd/Cargo.toml --target-dir work/ties-dd
echo "ready: cargo run --release -p bench, cargo run --release -p bench -- ties, cargo run --release -p bench -- guard"
