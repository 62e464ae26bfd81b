#!/bin/sh
# Runs fuzz targets that were built with libFuzzer and the sanitizers.
#
#     spec/fuzz.sh run FOLDER SECONDS NAME...   each for so long, from what is kept on; closes with "N passed, N failed"
#     spec/fuzz.sh keep FOLDER NAME...          keeps in spec/regress what was found since and reaches new code
#
# FOLDER holds the programs by their names. What they find to be new goes to FOLDER/corpus, an input that breaks something to
# FOLDER/findings, what they print to FOLDER/NAME.log.
set -u
action=$1 folder=$2
shift 2

# One allocation larger than any input can ask for is a finding too, and so is one input that takes long.
limits="-timeout=10 -malloc_limit_mb=64 -rss_limit_mb=2048"
# Memory that was freed is watched for a while, not for as long as for a program that runs once.
export ASAN_OPTIONS="quarantine_size_mb=16${ASAN_OPTIONS:+:$ASAN_OPTIONS}"

run() {
    seconds=$1
    shift
    passed=0 failed=0
    mkdir -p "$folder/findings"
    for name in "$@"; do
        corpus=$folder/corpus/$name dictionary=
        [ -f "csrc/test/$name.dict" ] && dictionary=-dict=csrc/test/$name.dict
        mkdir -p "$corpus"
        before=$(find "$folder/findings" -name "$name-*" | wc -l)
        # shellcheck disable=SC2086 # options, and no word where there is no dictionary
        "$folder/$name" -max_total_time="$seconds" $limits -print_final_stats=1 -artifact_prefix="$folder/findings/$name-" \
            $dictionary "$corpus" "spec/regress/$name" </dev/null >"$folder/$name.log" 2>&1
        code=$?
        if [ "$code" -eq 0 ] && [ "$(find "$folder/findings" -name "$name-*" | wc -l)" -eq "$before" ]; then
            passed=$((passed + 1))
            reached=$(grep -o 'cov: [0-9]* ft: [0-9]*' "$folder/$name.log" | tail -n 1)
            echo "ok - $name: $(grep '^Done' "$folder/$name.log") $reached"
            continue
        fi
        failed=$((failed + 1))
        tail -n 60 "$folder/$name.log"
        input=$(sed -n 's/.*Test unit written to //p' "$folder/$name.log" | tail -n 1)
        echo "not ok - $name: ended with exit code $code; all that it printed is in $folder/$name.log"
        [ -n "$input" ] && cat <<END
  once more:          $folder/$name $input
  made smaller:       $folder/$name -minimize_crash=1 -runs=100000 $input
  when it is mended:  mv $input spec/regress/$name/WHAT_IT_IS
END
    done
    echo
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}

keep() {
    for name in "$@"; do
        mkdir -p "spec/regress/$name" "$folder/corpus/$name"
        # shellcheck disable=SC2086 # options
        if ! "$folder/$name" -set_cover_merge=1 $limits "spec/regress/$name" "$folder/corpus/$name" \
            </dev/null >"$folder/$name-keep.log" 2>&1; then
            tail -n 40 "$folder/$name-keep.log"
            return 1
        fi
        count=$(find "spec/regress/$name" -type f | wc -l)
        echo "spec/regress/$name: $count inputs, $(du -sk --apparent-size "spec/regress/$name" | cut -f 1) KiB"
    done
}

"$action" "$@"
