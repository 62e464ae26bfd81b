#!/bin/sh
# The installed tree works from another folder, and LuaRocks' way of building it too. Prints TAP.
#
#     spec/integration/installed.sh BUILD
# shellcheck disable=SC2317 # check calls the function
set -u
build=$(cd "$1" && pwd)
source=$(pwd)
. spec/check.sh

stage=$build/stage
rm -rf "$stage"
check "make install puts it below DESTDIR and PREFIX" make BUILD="$build" DESTDIR="$stage" PREFIX=/usr install
check "and the AppArmor profile, for the program where it is then" \
    grep -F 'profile submitter-sandbox /usr/bin/submitter-sandbox ' "$stage/usr/share/submitter/apparmor/submitter-sandbox"
check "and the service's unit" grep -Fx 'ExecStart=/usr/bin/submitter serve' "$stage/usr/lib/systemd/system/submitter.service"
check "and the filter that the workers' pods are given" cmp docker/worker-seccomp.json \
    "$stage/usr/share/submitter/worker-seccomp.json"
submitter=$stage/usr/bin/submitter
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
printf 'import sys\nprint(sum(map(int, sys.argv[1:])))\n' >sum.py
printf '1 2 3\n-5 5\n' >test.in
printf '6\n0\n' >test.out
check "the installed program says its version" "$submitter" --version
check "it grades" "$submitter" grade sum.py --in test.in --out test.out
check "it runs scripts that use its modules" sh -c "echo 'require(\"submitter.host\").clock.sleep_ms(1)' >nap.lua &&
    '$submitter' run nap.lua"
rock() { # in a copy: LuaRocks builds in the folder that it is called in
    git clone -q "$source" "$work/source" && cd "$work/source" &&
        luarocks --lua-version 5.4 make --deps-mode=none --tree "$work/rocks" rockspec/submitter-scm-1.rockspec
}
tables() { # the SQL files are found: without them it says so before it connects
    echo 'print(#assert(require("submitter.database.migrations").read()).list > 0)' >tables.lua && "$1" run tables.lua | grep -qx true
}
check "it finds the grade book's tables where they were installed" tables "$submitter"
check "which are those of this version" diff -r -x README.md "$source/docker/postgres" "$stage/usr/share/submitter/postgres"
check "luarocks builds and installs it" rock
cd "$work" || exit 1
check "what luarocks installed grades" "$work/rocks/bin/submitter" grade sum.py --in test.in --out test.out
check "and finds the tables" tables "$work/rocks/bin/submitter"
echo "1..$number"
[ "$failures" -eq 0 ]
