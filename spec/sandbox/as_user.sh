#!/bin/sh
# Runs a command as an ordinary user who has subordinate ids and a control group of his own, on a machine that has no such
# user, and without changing it. Started by root:
#
#     spec/sandbox/as_user.sh [--without-group] [--without-ids] BUILD COMMAND [ARGUMENT]…
#
# The command runs in a copy of the programs in BUILD (as build/), of lua/ and of spec/, which belongs to that user: folders
# below /root can't be read by others. The user exists in a mount namespace only, where copies of /etc/passwd, group, subuid
# and subgid with a line more stand in their places. His groups are below the one that this script is in: with version 1 one
# in each of the hierarchies that a sandbox needs, with version 2 one that is delegated, and the command in a leaf of it.
#
# Afterwards nothing of it is left, whatever the command left running. Ends as the command does.
set -u
umask 022

# The directory of the group that this process is in, in the hierarchy of a version 1 controller, or of version 2 for "".
group_directory() { # CONTROLLER
    awk -v controller="$1" '
        function listed(list) { return index("," list ",", "," controller ",") > 0 }
        FILENAME ~ /mountinfo$/ {
            for (i = 7; $i != "-"; i++) { }
            if (controller == "" ? $(i + 1) == "cgroup2" : $(i + 1) == "cgroup" && listed($NF)) { root = $4; place = $5 }
            next
        }
        {
            controllers = $0; sub(/^[^:]*:/, "", controllers); sub(/:.*/, "", controllers)
            if (controller == "" ? /^0::/ : listed(controllers)) { own = $0; sub(/^[^:]*:[^:]*:/, "", own) }
        }
        END {
            if (place == "" || own == "") exit 1
            if (root != "/" && index(own, root) == 1) own = substr(own, length(root) + 1)
            print place (own == "/" ? "" : own)
        }
    ' /proc/self/mountinfo /proc/self/cgroup
}

has() { # FILE WORD…: are they among its words?
    words=" $(cat "$1" 2>/dev/null) "
    shift
    for word in "$@"; do
        case $words in *" $word "*) ;; *) return 1 ;; esac
    done
}

# ---- within the mount namespace, still as root ----

if [ "${1-}" = --inside ]; then
    work=$2 name=$3
    shift 3
    for file in passwd group subuid subgid; do
        mount --bind "$work/etc/$file" "/etc/$file" || exit 3
    done
    while read -r group; do
        # Version 2 has no processes beside groups: the command gets a leaf.
        [ -d "$group/host" ] && group=$group/host
        echo $$ >"$group/cgroup.procs" || exit 3
    done <"$work/groups"
    cd "$work/tree" || exit 3
    exec setpriv --reuid "$name" --regid "$name" --init-groups --inh-caps=-all --ambient-caps=-all --pdeathsig TERM \
        --reset-env env LANG=C.UTF-8 SUBMITTER_BUILD=build SUBMITTER_TEST_SLOWNESS="${SUBMITTER_TEST_SLOWNESS-1}" "$@"
fi

# ---- outside ----

fail() {
    echo "as_user.sh: $*" >&2
    exit 3
}

with_group=yes with_ids=yes
while :; do
    case ${1-} in
        --without-group) with_group=no ;;
        --without-ids) with_ids=no ;;
        *) break ;;
    esac
    shift
done
[ $# -ge 2 ] || fail "usage: as_user.sh [--without-group] [--without-ids] BUILD COMMAND [ARGUMENT]..."
[ "$(id -u)" = 0 ] || fail "only root can take on another user"
build=$1
shift
script=$(cd "$(dirname "$0")" && pwd)/as_user.sh || exit 3
source=$(cd "$(dirname "$0")/../.." && pwd) || exit 3
work=$(mktemp -d) || exit 3
inner='' lender='' lent=''
: >"$work/groups"

# Kills what lives in a group or below it, and removes it.
# shellcheck disable=SC2317 # the trap calls it
remove_group() { # GROUP
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        [ -d "$1" ] || return 0
        find "$1" -depth -type d | while read -r group; do
            while read -r process; do kill -KILL "$process"; done <"$group/cgroup.procs"
            rmdir "$group"
        done 2>/dev/null
        sleep 0.1
    done
    [ ! -d "$1" ]
}

# What lives in no group of its own.
# shellcheck disable=SC2317 # the trap calls it
kill_processes() {
    awk -v user="${user_id-none}" '/^Uid:/ && ($2 == user || $3 == user) {
        split(FILENAME, part, "/"); print part[3] }' /proc/[0-9]*/status 2>/dev/null |
        while read -r process; do kill -KILL "$process" 2>/dev/null; done
}

# shellcheck disable=SC2317 # the trap calls it
clean_up() {
    code=$?
    trap '' TERM INT HUP
    kill_processes
    while read -r group; do
        remove_group "$group" || { echo "as_user.sh: the group $group can't be removed" >&2; code=3; }
    done <"$work/groups"
    [ -z "$lent" ] || echo "$lent" >"$lender/cgroup.subtree_control"
    rm -rf "$work"
    exit "$code"
}
trap clean_up EXIT
trap 'exit 143' TERM INT HUP

# Above all that distributions, systemd and sandboxes started by root (csrc/sandbox/namespaces.c) hand out; by process number,
# so that two of these don't meet.
invent_user() {
    slot=$(($$ % 3000))
    user_id=$((0x74000000 + slot))
    first_id=$((0x74100000 + 65536 * slot))
    name=submitter-test-$$
    ! getent passwd "$user_id" >/dev/null || fail "there is a user $user_id on this machine"
    mkdir "$work/etc" || exit 3
    for file in passwd group subuid subgid; do
        [ -e "/etc/$file" ] || fail "/etc/$file is missing, and can't be replaced by a copy: make it (it may be empty)"
        awk 1 "/etc/$file" >"$work/etc/$file" || exit 3
    done
    echo "$name:x:$user_id:$user_id::$work/home:/bin/sh" >>"$work/etc/passwd"
    echo "$name:x:$user_id:" >>"$work/etc/group"
    [ $with_ids = yes ] || return 0
    echo "$name:$first_id:65536" >>"$work/etc/subuid"
    echo "$name:$first_id:65536" >>"$work/etc/subgid"
}

copy_tree() {
    mkdir -p "$work/tree/build" "$work/home" || exit 3
    chmod 0755 "$work"
    cp "$build/submitter" "$build/submitter-sandbox" "$build/submitter-runner" "$work/tree/build/" || exit 3
    cp -R "$source/lua" "$source/spec" "$work/tree/" || exit 3
    chown -R "$user_id:$user_id" "$work/tree" "$work/home" || exit 3
}

make_group() { # PARENT: its path is noted before it is made, so that it is removed whatever happens
    group=$1/ordinary-$$
    [ -d "$group" ] && return 0
    echo "$group" >>"$work/groups"
    mkdir "$group" || fail "no group can be made in $1"
    chown "$user_id:$user_id" "$group" "$group/cgroup.procs" || exit 3
}

# Has a group hand controllers down, until the end. A group that holds processes can't, unless it is the topmost.
lend() { # GROUP CONTROLLER…
    place=$1 words=''
    shift
    has "$place/cgroup.controllers" "$@" || return 1
    for controller in "$@"; do words="$words +$controller"; done
    { echo "$words" >"$place/cgroup.subtree_control"; } 2>/dev/null || return 1
    lender=$place lent="$lent$(echo "$words" | tr + -)"
}

# The nearest group above that hands memory and pids down, or can be made to; and the processor, where it is there.
make_delegated_group() {
    parent=$(group_directory '') || fail "there are neither the version 1 controllers memory, pids and cpuacct nor version 2"
    until has "$parent/cgroup.subtree_control" memory pids || lend "$parent" memory pids; do
        parent=${parent%/*}
        [ -f "$parent/cgroup.procs" ] || fail "no group above this process can hand memory and pids down"
    done
    has "$parent/cgroup.subtree_control" cpu || lend "$parent" cpu
    make_group "$parent"
    chown "$user_id:$user_id" "$group/cgroup.subtree_control" "$group/cgroup.threads" || exit 3
    mkdir "$group/host" || fail "no leaf can be made in $group"
    chown -R "$user_id:$user_id" "$group/host" || exit 3
}

make_groups() {
    if memory=$(group_directory memory) && pids=$(group_directory pids) && cpu=$(group_directory cpuacct); then
        # The share of processors is another hierarchy's, often the same as that of CPU time.
        for parent in "$memory" "$pids" "$cpu" "$(group_directory cpu)"; do
            [ -z "$parent" ] || make_group "$parent"
        done
    else
        make_delegated_group
    fi
}

invent_user
copy_tree
[ $with_group = no ] || make_groups

unshare --mount --propagation private sh "$script" --inside "$work" "$name" "$@" &
inner=$!
trap 'kill -TERM $inner 2>/dev/null' TERM INT HUP
wait $inner
code=$?
# A signal ends the waiting, not what is waited for.
while kill -0 $inner 2>/dev/null; do
    wait $inner
    code=$?
done
exit $code
