#!/bin/sh
# The unit of docker/systemd is one that systemd reads, as hardened as it says, and what it lacks of hardening has its reason in
# the README beside it. Prints TAP. That the worker works in it, spec/virtual/service.sh shows.
#
#     spec/integration/unit.sh BUILD
# shellcheck disable=SC2317 # check calls the functions
set -u
. spec/check.sh

build=$(cd "$1" && pwd) || exit 1
readme=docker/systemd/README.md
# The highest exposure that systemd-analyze may find, in tenths.
threshold=65
command -v systemd-analyze >/dev/null || {
    echo "ok 1 - unit # SKIP systemd-analyze isn't installed (package systemd)"
    exit 0
}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
unit=$work/submitter.service
version=$(systemd-analyze --version | sed -n 's/^systemd \([0-9]*\).*/\1/p')

# The shipped file for the program that was built, changed by a sed script.
put() { sed -e "s|/usr/local/bin/submitter|$build/submitter|" -e "${1-}" docker/systemd/submitter.service >"$unit"; }
# Its verdict is what it prints: most mistakes don't change its exit code.
reads() {
    put "${1-}" || return 1
    systemd-analyze verify "$unit" >"$work/said" 2>&1
    cat "$work/said"
    [ ! -s "$work/said" ]
}
refuses() { ! reads "$1"; }
hardened() {
    put "${1-}" || return 1
    systemd-analyze security --offline=true --no-pager --threshold=$threshold "$unit" >"$work/said"
    code=$?
    tail -n 1 "$work/said"
    return "$code"
}
bare() { ! hardened "$1"; }

# The names of what systemd-analyze misses: "RestrictNamespaces=~user" is RestrictNamespaces.
missed() { hardened >/dev/null && sed -n 's/^✗ \([A-Za-z]*\)=.*/\1/p' "$work/said" | sort -u; }
explained() {
    missed >"$work/missed" || return 1
    while read -r directive; do
        grep -q "^|.*\`$directive=\`.*|" $readme || { echo "$directive: no line in $readme"; return 1; }
    done <"$work/missed"
    [ "$(wc -l <"$work/missed")" -gt 10 ]
}
# The lines of the README's table are about what isn't set, or is said there to be set to less than could be.
unset_as_told() {
    sed -n '/^| directive | why not/,/^$/s/^| \(`[^|]*\) |.*/\1/p' $readme | grep -o '[A-Za-z]*=' | sort -u >"$work/told"
    [ -s "$work/told" ] || return 1
    ! grep -o '^[A-Za-z]*=' docker/systemd/submitter.service | grep -Fx -f "$work/told"
}
user_is_the_same() {
    user=$(sed -n 's/^u \([^ ]*\) .*/\1/p' docker/systemd/submitter.sysusers)
    [ -n "$user" ] && grep -qx "User=$user" docker/systemd/submitter.service &&
        grep -qx "Group=$user" docker/systemd/submitter.service
}

check "unit: systemd $version reads it without a complaint" reads
check "unit: a misspelt directive would be seen" refuses 's/^ProtectSystem=/ProtectSistem=/'
check "unit: a wrong value would be seen" refuses 's/^KillMode=.*/KillMode=some/'
check "unit: a program that isn't there would be seen" refuses "s|$build/submitter|$build/none|"
check "unit: its exposure is ${threshold%?}.${threshold#?} at most" hardened
check "unit: less hardening would be seen" bare 's/^ProtectSystem=.*//; s/^ProtectHome=.*//'
if [ "$version" = 252 ]; then
    check "unit: each directive that it hasn't got has its reason" explained
else
    number=$((number + 1))
    echo "ok $number - unit: reasons # SKIP they are compared with what systemd 252 asks for, this is $version"
fi
check "unit: and it hasn't got those" unset_as_told
check "unit: its user is the one that is made" user_is_the_same
echo "1..$number"
[ "$failures" -eq 0 ]
