#!/bin/sh
# Stops the mesh that start-local.sh started in $VIRGA_HOME, by default .virga
# in the current folder. With nothing running there is nothing to do.
set -eu
clone=$(cd "$(dirname "$0")/.." && pwd)

if [ ! -x "$clone/bin/virga" ]; then
	(cd "$clone" && go build -o bin/virga ./cmd/virga)
fi
exec "$clone/bin/virga" down
