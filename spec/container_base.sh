#!/bin/sh
# Makes a small Debian with Python, for images: no registry is needed, only the packages that this machine gets, too.
#
#     spec/container_base.sh FOLDER
#
# Writes FOLDER/base.tar unless it stands there already, and FOLDER/base.sha256. Made by one at a time.
set -u
# usr-is-merged: or else usrmerge comes, and brings all of Perl, half as much again.
packages=usr-is-merged,python3
folder=$1

fail() {
    echo "container_base.sh: $*" >&2
    exit 1
}

command -v mmdebstrap >/dev/null || fail "mmdebstrap isn't installed: apt-get install mmdebstrap"
# shellcheck source=/dev/null
. /etc/os-release
mkdir -p "$folder" || exit 1
exec 9>"$folder/base.lock"
flock 9 || exit 1
made="$ID $VERSION_CODENAME $packages"
[ "$(cat "$folder/base.made" 2>/dev/null)" = "$made" ] && exit 0

# Where this machine's own packages come from; third parties' lists are left out.
set --
for list in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list.d/ubuntu.sources; do
    if [ -s "$list" ] && grep -q "$VERSION_CODENAME" "$list"; then set -- "$@" "$list"; fi
done
# As slim images have it: no manuals, no other languages.
mmdebstrap --quiet --variant=minbase --include="$packages" --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' "$VERSION_CODENAME" "$folder/base.new" "$@" --format=tar \
    >"$folder/base.log" 2>&1 </dev/null || fail "$(tail -n 5 "$folder/base.log")"
sha256sum <"$folder/base.new" | cut -c 1-64 >"$folder/base.sha256" || exit 1
mv "$folder/base.new" "$folder/base.tar" && echo "$made" >"$folder/base.made"
