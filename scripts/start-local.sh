#!/bin/sh
# Starts a mesh of N nodes (default 3) on this machine: builds ./bin/virga and
# ./bin/virgad of this clone, then runs "virga up". State, logs and pid files
# lie in $VIRGA_HOME, by default .virga in the current folder.
set -eu
clone=$(cd "$(dirname "$0")/.." && pwd)
nodes=${1:-3}

(cd "$clone" && go build -o bin/virga ./cmd/virga && go build -o bin/virgad ./cmd/virgad)
exec "$clone/bin/virga" up -n "$nodes"
