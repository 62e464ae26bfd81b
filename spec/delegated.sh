#!/bin/sh
# Runs a command where control groups are this user's to make, if the machine has a way to give him some:
#
#     spec/delegated.sh COMMAND [ARGUMENT]…
#
# Root makes his own. An ordinary user gets a delegated group from systemd's user manager: the command runs in a scope of
# its own, and there in a leaf, since a group of version 2 that holds processes can't hand its controllers down. Where there
# is no such manager, or the command runs in such a group already, it is simply run; what it can't have then it says itself.
set -u
[ $# -gt 0 ] || { echo "usage: delegated.sh COMMAND [ARGUMENT]..." >&2; exit 2; }

# The directory of this process's group in the hierarchy of version 2.
own_group() {
    place=$(awk '{ for (i = 7; $i != "-"; i++) { } if ($(i + 1) == "cgroup2") { print $5; exit } }' /proc/self/mountinfo)
    group=$(sed -n 's/^0:://p' /proc/self/cgroup)
    [ -n "$place" ] && [ -n "$group" ] && [ "$group" != / ] && echo "$place$group"
}

# Nobody but this process is in a new scope: with it in a leaf the scope can have other groups beside. If that fails the
# command is run nevertheless, and its sandboxes say what they miss.
enter_leaf() {
    group=$(own_group) || return 0
    mkdir "$group/host" && echo $$ >"$group/host/cgroup.procs"
}

if [ "${SUBMITTER_SCOPE-}" = new ]; then
    enter_leaf
    SUBMITTER_SCOPE=entered
    exec "$@"
fi
if [ "$(id -u)" = 0 ] || [ -n "${SUBMITTER_SCOPE-}" ] || ! command -v systemd-run >/dev/null; then
    exec "$@"
fi

# What su and sudo leave out.
runtime=/run/user/$(id -u)
if [ -z "${XDG_RUNTIME_DIR-}" ] && [ -S "$runtime/bus" ]; then
    export XDG_RUNTIME_DIR="$runtime"
fi

# Tried first: a manager that doesn't answer, or refuses, is no reason not to run the command.
scope="systemd-run --user --scope --quiet --collect --property=Delegate=yes --"
export SUBMITTER_SCOPE=new
# shellcheck disable=SC2086 # words on purpose
if timeout 10 $scope true >/dev/null 2>&1 </dev/null; then
    exec $scope "$0" "$@"
fi
unset SUBMITTER_SCOPE
exec "$@"
