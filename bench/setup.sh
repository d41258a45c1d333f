#!/bin/sh
# Installs what the measures compare with, by package name: nginx from Debian, the Python TAXII servers from the Python
# index, each in an environment of its own below bench/work/.
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
echo "ready: cargo run --release -p bench"
