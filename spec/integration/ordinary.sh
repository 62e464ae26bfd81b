#!/bin/sh
# The demo as a newcomer without root finds it, with and without what he may lack. Started by root; prints TAP.
#
#     spec/integration/ordinary.sh BUILD
# shellcheck disable=SC2317 # check calls the function
set -u
. spec/check.sh

build=$1
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

demo() { # CODE [OPTION]…: how the demo is to end for a user whom as_user.sh makes with these options
    expected=$1
    shift
    spec/sandbox/as_user.sh "$@" "$build" build/submitter run spec/demo.lua </dev/null >"$log" 2>&1
    code=$?
    [ "$code" = "$expected" ] || { echo "exit code $code"; cat "$log"; return 1; }
}
says() { grep -E "$1" "$log" || { cat "$log"; return 1; }; }

check "without a control group the demo works by rlimits" demo 0 --without-group
check "and says what that costs" says 'the demo sets accounting = "rlimit"'
check "and shows which verdicts differ" says 'memory_hungry +RTE +RTE for MLE'
check "without subordinate ids it stops" demo 3 --without-ids
check "and says how to get some" says 'usermod --add-subuids'
echo "1..$number"
[ "$failures" -eq 0 ]
