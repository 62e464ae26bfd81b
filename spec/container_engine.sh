#!/bin/sh
# A container engine for tests, of which nothing is left on the machine:
#
#     spec/container_engine.sh docker|podman FOLDER CGROUP
#
# Answers "ready", or why not, and then takes commands from standard input, a line each: start, stop, kill (as by kill -9, with what
# it started to keep itself going), freeze and thaw. Each is answered by itself, or "failed: …". At the end of its input it stops
# the engine and clears up. The engine listens on FOLDER/socket; images and log stay in FOLDER for the next time, all else goes.
#
# The engine and its containers have a PID namespace of their own: they end with its first process, whatever happens. What it
# mounts is seen there only, and folders of the system in which engines write are hidden below empty ones. Groups are below
# CGROUP in every hierarchy. It makes no bridge, no rule of the firewall, and turns no forwarding on.
set -u

# Where engines write, wherever their data is.
WRITTEN="/etc/docker /run/docker /run/containerd /run/containers /run/libpod /run/runc /run/netns /run/lock /var/lib/cni
    /var/lib/containers /dev/shm"
SECONDS_TO_START=120
# Containers that take no notice of SIGTERM keep an engine waiting for ten seconds each.
SECONDS_TO_STOP=60
SECONDS_TO_END=3

# ---- inside ----

start_docker() {
    # A configuration of its own, or the machine's would count.
    echo '{}' >"$folder/daemon.json"
    dockerd --config-file "$folder/daemon.json" --data-root "$folder/data" --exec-root "$exec" \
        --pidfile "$folder/pid" --host "unix://$folder/socket" --cgroup-parent "/$cgroup" --exec-opt \
        native.cgroupdriver=cgroupfs --bridge=none --iptables=false --ip-forward=false --ip-masq=false \
        --shutdown-timeout 2 >>"$folder/log" 2>&1 </dev/null &
}

start_podman() {
    TMPDIR=$folder/tmp podman --root "$folder/data" --runroot "$exec" --network-config-dir "$folder/networks" \
        --storage-driver overlay --cgroup-manager cgroupfs --events-backend file --runtime runc \
        system service --time 0 "unix://$folder/socket" >>"$folder/log" 2>&1 </dev/null &
}

# Every program of docker's speaks to either.
answers() { timeout 20 docker --host "unix://$folder/socket" version >/dev/null 2>&1 </dev/null; }

start() {
    [ -z "$engine" ] || return 0
    rm -f "$folder/pid" "$folder/socket"
    "start_$kind"
    engine=$!
    deadline=$(($(date +%s) + SECONDS_TO_START))
    until [ -S "$folder/socket" ] && answers; do
        if ! kill -0 "$engine" 2>/dev/null; then
            engine=
            failure="the engine ended: $(tail -n 3 "$folder/log" | tr '\n' ' ')"
            return 1
        fi
        if [ "$(date +%s)" -ge "$deadline" ]; then
            kill_now
            failure="the engine doesn't answer: $(tail -n 3 "$folder/log" | tr '\n' ' ')"
            return 1
        fi
        sleep 0.05
    done
}

stop() { # SECONDS
    [ -n "$engine" ] || return 0
    kill -CONT "$engine" 2>/dev/null
    kill -TERM "$engine" 2>/dev/null
    # No signal interrupts waiting for it: one that doesn't end is ended.
    { sleep "$1" && kill -KILL "$engine"; } >/dev/null 2>&1 &
    watch=$!
    wait "$engine"
    kill "$watch" 2>/dev/null
    engine=
}

kill_now() {
    [ -n "$engine" ] || return 0
    kill -KILL "$engine"
    if [ "$kind" = docker ]; then kill -KILL "$(cat "$exec/containerd/containerd.pid")"; fi
    wait "$engine"
    engine=
}

keep() {
    trap '' PIPE # nobody may be left to be answered, and the rest is to be done all the same
    engine=
    echo ready
    while read -r command; do
        failure="$command: no such command, or no engine to do it to"
        case $command in
            start) start ;;
            stop) stop "$SECONDS_TO_STOP" ;;
            kill) kill_now ;;
            freeze) kill -STOP "$engine" ;;
            thaw) kill -CONT "$engine" ;;
            *) false ;;
        esac 2>>"$folder/log" || command="failed: $failure"
        echo "$command" 2>/dev/null
    done
    stop "$SECONDS_TO_END" 2>>"$folder/log"
}

if [ "${1-}" = --inside ]; then
    kind=$2 folder=$3 cgroup=$4
    for place in $WRITTEN; do
        mount -t tmpfs -o mode=0755 tmpfs "$place" || exit 3
    done
    chmod 1777 /dev/shm /run/lock
    # Sockets stand there, whose paths have 107 bytes at most. Podman takes no more than 50.
    exec=$folder/exec
    [ ${#exec} -le 50 ] || exec=/run/containers/exec
    mkdir -p "$exec" "$folder/tmp" || exit 3
    # Whatever the engine leaves behind is this process's, which waits for any.
    exec 3<&0
    keep <&3 3<&- &
    exec 3<&-
    wait
    exit
fi

# ---- outside ----

fail() {
    echo "$*"
    exit 3
}

# Where engines write but the system has no folder, and the groups that will come: Podman has one whose name is always the same.
note_what_comes() {
    for place in $WRITTEN; do
        [ -d "$place" ] && continue
        mkdir -p "$place" && echo "$place"
    done
    for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
        [ -e "$hierarchy/cgroup.procs" ] || continue
        for group in "$cgroup" libpod_parent; do
            [ -d "$hierarchy/$group" ] || echo "$hierarchy/$group"
        done
    done
}

# Removes what was noted, the last group first. A folder that goes takes along what another engine has mounted there: they go
# with the last of them, and what stays is noted for the next time. The lock is a folder's, so that it is no file either.
clear_up() {
    touch "$folder/made"
    alone=no
    flock -u 8 && flock -n 8 && alone=yes
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        left=
        while read -r place; do
            [ -d "$place" ] || continue
            case $place in /sys/*) ;; *) [ $alone = yes ] || continue ;; esac
            find "$place" -depth -type d -exec rmdir {} + 2>/dev/null || left=yes
        done <"$folder/made"
        [ -n "$left" ] || break
        sleep 0.2
    done
    while read -r place; do [ -d "$place" ] && echo "$place"; done <"$folder/made" | sort -u >"$folder/made.new"
    mv "$folder/made.new" "$folder/made"
    rm -rf "$folder/exec" "$folder/tmp" "$folder/socket" "$folder/pid"
}

supervise() {
    trap '' PIPE
    exec 8</var/lib
    clear_up # what one that was killed has left
    flock -s 8
    : >"$folder/log"
    note_what_comes >>"$folder/made"
    unshare --mount --propagation private --pid --fork --kill-child --mount-proc sh "$script" --inside "$kind" "$folder" \
        "$cgroup" 8<&-
    clear_up
}

[ $# -eq 3 ] || { echo "usage: container_engine.sh docker|podman FOLDER CGROUP" >&2; exit 2; }
kind=$1 cgroup=$3
script=$(cd "$(dirname "$0")" && pwd)/container_engine.sh
[ "$(id -u)" = 0 ] || fail "only root can start a container engine"
mkdir -p "$2" || fail "the folder $2 can't be made"
folder=$(cd "$2" && pwd) || exit 3
# Held by whatever lives of it.
exec 9>"$folder/lock"
flock -n 9 || fail busy

# In the background of a shell that only waits: who started this kills it when he ends, and then all has to be cleared up.
exec 3<&0
supervise <&3 3<&- &
exec 3<&-
wait
