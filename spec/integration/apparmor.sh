#!/bin/sh
# The AppArmor profiles are ones that apparmor_parser reads. Prints TAP. The rule that they are about came with AppArmor 4: an older
# parser is shown the rest, and without a parser nothing can be said.
# shellcheck disable=SC2317 # check calls the functions
set -u
. spec/check.sh

parser=$(PATH=$PATH:/usr/sbin:/sbin command -v apparmor_parser) || {
    echo "ok 1 - AppArmor profiles # SKIP apparmor_parser isn't installed (package apparmor)"
    exit 0
}
text=$(mktemp) && wrong=$(mktemp) || exit 1
trap 'rm -f "$text" "$wrong"' EXIT
version=$("$parser" --version 2>/dev/null | sed -n 's/.*version \([0-9]*\)\..*/\1/p')

reads() { "$parser" --skip-kernel-load --skip-cache "$1"; }
refuses() { ! reads "$1"; }

for profile in docker/apparmor/submitter-sandbox docker/k8s/apparmor/submitter-pod; do
    if [ "${version:-0}" -ge 4 ]; then
        cat "$profile" >"$text"
    else
        sed -e '/^abi /d' -e '/^  userns,$/d' "$profile" >"$text"
    fi
    sed 's/flags=([a-z]*/flags=(unknown/' "$text" >"$wrong"
    check "$profile: version ${version:-unknown} of the parser reads it" reads "$text"
    check "$profile: a mistake in it would be seen" refuses "$wrong"
done
if [ "${version:-0}" -lt 4 ]; then
    number=$((number + 1))
    echo "ok $number - AppArmor profiles: userns # SKIP AppArmor 4 brought it, this is ${version:-unknown}"
fi
echo "1..$number"
[ "$failures" -eq 0 ]
