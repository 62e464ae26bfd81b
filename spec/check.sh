#!/bin/sh
# Read by scripts: tests that are commands, told in TAP.
number=0 failures=0
check() { # NAME COMMAND…
    name=$1
    shift
    number=$((number + 1))
    if "$@" >/tmp/check.$$ 2>&1; then
        echo "ok $number - $name"
    else
        failures=$((failures + 1))
        echo "not ok $number - $name"
        sed 's/^/  # /' /tmp/check.$$
    fi
    rm -f /tmp/check.$$
}
