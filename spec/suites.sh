#!/bin/sh
# Runs test suites one after the other, shows what they print, and closes with one plain line over all of them:
#
#     spec/suites.sh LOGS ['beside NAME: COMMAND' ...] 'NAME: COMMAND' ... ['wait' 'NAME: COMMAND' ...]
#
# One that is to run beside the others is started at once and waited for at 'wait', or at the end: for what takes one processor for
# long and neither measures nor looks at the machine. What follows 'wait' has the machine to itself.
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

# No pipe between a suite and this script: something it left running must not keep us waiting.
run() { # name, command
    began=$(date +%s)
    timeout -k 10 "${SUITE_SECONDS:-900}" sh -c "$2" </dev/null >"$logs/$1.log" 2>&1 &
    waited=$!
    wait "$waited"
    echo "$? $(($(date +%s) - began))" >"$logs/$1.end"
}

tell() { # name
    read -r code seconds <"$logs/$1.end" || code=1 seconds=0
    printf '\n== %s\n' "$1"
    cat "$logs/$1.log"
    counts=$(count "$logs/$1.log")
    p=${counts%% *} rest=${counts#* }
    f=${rest%% *} s=${rest#* }
    if [ "$code" -ne 0 ] && [ "$f" -eq 0 ]; then
        echo "$1: ended with exit code $code and counted no failure: that is one"
        f=1
    elif [ "$((p + f + s))" -eq 0 ]; then
        echo "$1: counted no test at all: that is a failure"
        f=1
    fi
    echo "-- $1: $p passed, $f failed, $s skipped in $seconds s"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

beside='' lanes='' waited=''
# Whoever ends this script ends what it started.
end_all() {
    for process in $waited $lanes; do kill "$process" 2>/dev/null; done
    exit 1
}
trap end_all TERM INT HUP

collect() {
    for lane in $lanes; do wait "$lane"; done
    for name in $beside; do tell "$name"; done
    beside='' lanes=''
}

for suite in "$@"; do
    case $suite in
        wait) collect ;;
        "beside "*)
            name=${suite%%:*} name=${name#beside }
            rm -f "$logs/$name.end"
            (
                trap 'kill "$waited" 2>/dev/null; exit 1' TERM
                run "$name" "${suite#*: }"
            ) &
            lanes="$lanes $!" beside="$beside $name"
            ;;
        *)
            name=${suite%%:*}
            rm -f "$logs/$name.end"
            run "$name" "${suite#*: }"
            tell "$name"
            ;;
    esac
done
collect

echo
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
