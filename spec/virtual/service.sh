#!/bin/sh
# The worker as a service of systemd with a delegated control group: it grades, its sandboxes' groups stand within its own and
# nowhere else, and when it is stopped nothing is left. Prints TAP.
# shellcheck disable=SC2317 # check and wait_until call the functions
set -u
. spec/check.sh

unit=submitter-worker
group=/sys/fs/cgroup/system.slice/$unit.service
var=/var/lib/submitter-test
program=/opt/submitter/build/submitter
fixtures=/opt/submitter/spec/fixtures/sum
mkdir -p "$var/bucket/a/e/s/grading"
cp "$fixtures"/test.in "$fixtures"/test.out "$var/bucket/a/e/s/grading/" || exit 1
printf 'import sys\nprint(sum(int(word) for word in sys.argv[1:]))\n' >"$var/sum.py"
# Emulation is slow: a case may take more than usual.
mkdir -p "$var/policy"
echo 'return { limits = { cpu = "20s", wall = "60s" } }' >"$var/policy/default.lua"

submit() {
    "$program" submit "$var/sum.py" --admin a --event e --assignment s --token 0123456789abcdef0123456789abcdef --wait
}
lives_in_leaf() { grep -qx "$(systemctl show -P MainPID "$unit")" "$group/worker/cgroup.procs"; }
sandboxes() { find "$1" -maxdepth 1 -type d -name 'submitter-[0-9]*' | grep -q .; }
none_beside() { ! find /sys/fs/cgroup -type d -name 'submitter-[0-9]*' | grep -v "^$group/"; }
wait_until() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 30 ] || return 1
        sleep 1
    done
}
nothing_left() { [ ! -d "$group" ] && ! grep -s '^submitter' /proc/[0-9]*/comm; }

export SUBMITTER_VAR=$var
check "it starts with Delegate=yes" systemd-run --quiet --unit=$unit --property=Delegate=yes --setenv=SUBMITTER_VAR=$var \
    "$program" serve
check "it moved into a leaf of its group" wait_until lives_in_leaf
check "its warm sandboxes' groups stand beside the leaf" wait_until sandboxes "$group"
check "there are none elsewhere" none_beside
check "it grades" submit
check "it stops" systemctl stop $unit
check "nothing is left" wait_until nothing_left
[ "$failures" -eq 0 ] || journalctl --no-pager -u $unit | tail -n 40 | sed 's/^/  # /'
exit "$failures"
