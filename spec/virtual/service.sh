#!/bin/sh
# The worker by the unit that is shipped (docker/systemd), as an ordinary user with all of the unit's hardening: doctor finds
# everything in order there, the worker grades, its sandboxes' groups stand within its own and nowhere else, it comes back when it
# is killed, and when it is stopped nothing is left. Prints TAP.
# shellcheck disable=SC2317 # check and wait_until call the functions
set -u
. spec/check.sh

unit=submitter
group=/sys/fs/cgroup/system.slice/$unit.service
var=/var/lib/submitter
program=/opt/submitter/build/submitter
fixtures=/opt/submitter/spec/fixtures/sum

# The shipped file, for the programs where they are here.
unit_file() { sed "s|/usr/local/bin/submitter|$program|" docker/systemd/submitter.service; }
# The same surroundings, with doctor instead of the worker, in a leaf of the group as the worker is.
doctor_file() {
    unit_file | sed 's/^Type=.*/Type=oneshot/; s/^Restart=.*/Restart=no/; s/^Environment=/&SUBMITTER_SCOPE=new /
        s|^ExecStart=\(.*\) serve$|ExecStart=/opt/submitter/spec/delegated.sh \1 doctor|'
}
make_user() {
    systemd-sysusers "$PWD/docker/systemd/submitter.sysusers" &&
        usermod --add-subuids 400000-465535 --add-subgids 400000-465535 submitter
}
prepare() {
    unit_file >"/etc/systemd/system/$unit.service" && doctor_file >"/etc/systemd/system/$unit-doctor.service" || return 1
    # Emulation is slow: a case may take more than usual.
    mkdir -p "$var/bucket/a/e/s/grading" "$var/policy" &&
        echo 'return { limits = { cpu = "20s", wall = "60s" } }' >"$var/policy/default.lua" &&
        cp "$fixtures/test.in" "$fixtures/test.out" "$var/bucket/a/e/s/grading/" &&
        printf 'import sys\nprint(sum(int(word) for word in sys.argv[1:]))\n' >"$var/sum.py" &&
        chown -R submitter: "$var" && systemctl daemon-reload
}
doctor() {
    systemctl start "$unit-doctor"
    code=$?
    journalctl --no-pager -o cat -u "$unit-doctor"
    return "$code"
}
submit() { # TOKEN
    runuser -u submitter -- env SUBMITTER_VAR="$var" \
        "$program" submit "$var/sum.py" --admin a --event e --assignment s --token "$1" --wait
}
main_pid() { systemctl show -P MainPID "$unit"; }
lives_in_leaf() { grep -sqx "$(main_pid)" "$group/worker/cgroup.procs"; }
is_ordinary() { [ "$(stat -c %U "/proc/$(main_pid)")" = submitter ]; }
is_bounded() { # dac_override, setgid, setuid, sys_admin: bits 1, 6, 7, 21
    grep -qx 'CapEff:[[:space:]]*0000000000000000' "/proc/$(main_pid)/status" &&
        grep -qx 'CapBnd:[[:space:]]*00000000002000c2' "/proc/$(main_pid)/status"
}
sandboxes() { [ -d "$group" ] && find "$group" -maxdepth 1 -type d -name 'submitter-[0-9]*' | grep -q .; }
none_beside() { ! find /sys/fs/cgroup -type d -name 'submitter-[0-9]*' | grep -v "^$group/"; }
wait_until() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 60 ] || return 1
        sleep 0.5
    done
}
comes_back() {
    before=$(main_pid)
    systemctl kill --kill-who=main --signal=KILL "$unit" && wait_until is_another && wait_until lives_in_leaf
}
is_another() { now=$(main_pid) && [ "$now" != 0 ] && [ "$now" != "$before" ]; }
nothing_left() { [ ! -d "$group" ] && ! grep -s '^submitter' /proc/[0-9]*/comm; }

check "its user can be made, with subordinate ids" make_user
check "the unit is one that systemd reads" prepare
check "doctor finds everything in order within its hardening" doctor
check "it starts" systemctl start "$unit"
check "it moved into a leaf of its group" wait_until lives_in_leaf
check "it is an ordinary user's" is_ordinary
check "without a capability, and with newuidmap's to be had at most" is_bounded
check "its warm sandboxes' groups stand beside the leaf" wait_until sandboxes
check "there are none elsewhere" none_beside
check "it grades" submit 0123456789abcdef0123456789abcdef
check "killed, it comes back" comes_back
check "and grades" submit fedcba9876543210fedcba9876543210
check "it stops" systemctl stop "$unit"
check "nothing is left" wait_until nothing_left
[ "$failures" -eq 0 ] || journalctl --no-pager -u "$unit" | tail -n 40 | sed 's/^/  # /'
exit "$failures"
