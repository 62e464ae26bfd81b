#!/bin/sh
# What an ordinary user sees in a scope that systemd delegated to him (../delegated.sh): doctor is content, a program is graded
# with control groups, and nothing is left. Prints TAP.
# shellcheck disable=SC2317 # check calls the functions
set -u
. spec/check.sh

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export SUBMITTER_VAR="$work/var"
program=build/submitter
fixtures=spec/fixtures/sum
printf 'import sys\nprint(sum(int(word) for word in sys.argv[1:]))\n' >"$work/sum.py"
# Emulation is slow: a case may take more than usual.
echo 'return { limits = { cpu = "20s", wall = "60s" } }' >"$work/policy.lua"
scope=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup | sed 's/[/]host$//')

in_leaf() { grep -q 'user@.*[.]scope/host$' /proc/self/cgroup; }
grades() {
    "$program" grade "$work/sum.py" --in "$fixtures/test.in" --out "$fixtures/test.out" --policy "$work/policy.lua" --format json \
        >"$work/report" && grep '"accounting": "cgroup"' "$work/report"
}
none_left() { ! find "$scope" -mindepth 1 -type d ! -name host | grep .; }

check "the command runs in a leaf of a scope of its own" in_leaf
check "doctor is content" "$program" doctor
check "it grades with control groups" grades
check "nothing is left in the scope" none_left
[ "$failures" -eq 0 ]
