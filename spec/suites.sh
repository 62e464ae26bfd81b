#!/bin/sh
# Runs test suites one after the other, shows what they print, and closes with one plain line over all of them:
#
#     spec/suites.sh LOGS 'NAME: COMMAND' ...
#
# LOGS is a folder for what each printed. Understood are TAP ("ok", "not ok"), busted's closing line, and "N passed, N failed[,
# N skipped]". A suite that ends with another exit code than 0 without counting a failure is itself one, and so is one that
# counted nothing or ran longer than SUITE_SECONDS (default 900). Exits 0 only if nothing failed. Suites know nothing of the
# databases that this user works with: PGHOST and all such variables are taken out.
set -u
for name in $(env | sed -n 's/^\(PG[A-Z]*\)=.*/\1/p'); do unset "$name"; done
logs=$1
shift
mkdir -p "$logs"
passed=0 failed=0 skipped=0

count() { # what the log in $1 counted: three numbers
    awk '
        /^not ok / { failed++; next }
        /^ok .*# [Ss][Kk][Ii][Pp]/ { skipped++; next }
        /^ok / { passed++; next }
        /^[0-9]+ success(es)? \/ [0-9]+ failures? \/ [0-9]+ errors? \/ [0-9]+ pending/ {
            passed += $1; failed += $4 + $7; skipped += $10; next }
        /^[0-9]+ passed, [0-9]+ failed/ { passed += $1; failed += $3; skipped += $5; next }
        END { print passed + 0, failed + 0, skipped + 0 }
    ' "$1"
}

for suite in "$@"; do
    name=${suite%%:*}
    command=${suite#*: }
    log="$logs/$name.log"
    printf '\n== %s\n' "$name"
    began=$(date +%s)
    # No pipe between the suite and this script: something it left running must not keep us waiting.
    timeout -k 10 "${SUITE_SECONDS:-900}" sh -c "$command" </dev/null >"$log" 2>&1
    code=$?
    cat "$log"
    counts=$(count "$log")
    p=${counts%% *} rest=${counts#* }
    f=${rest%% *} s=${rest#* }
    if [ "$code" -ne 0 ] && [ "$f" -eq 0 ]; then
        echo "$name: ended with exit code $code and counted no failure: that is one"
        f=1
    elif [ "$((p + f + s))" -eq 0 ]; then
        echo "$name: counted no test at all: that is a failure"
        f=1
    fi
    echo "-- $name: $p passed, $f failed, $s skipped in $(($(date +%s) - began)) s"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done

echo
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
