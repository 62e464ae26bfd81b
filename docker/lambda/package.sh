#!/bin/sh
# Makes what AWS Lambda runs on provided.al2023 out of what this machine has built:
#
#     docker/lambda/package.sh [BUILD] [OUTPUT]        default: build, BUILD/lambda.zip
#
# A zip where OUTPUT ends in .zip, else a folder, which must not be there yet. It holds the host program, every library that it
# loads down to the loader, the Lua modules, and bootstrap.
set -eu
here=$(dirname "$0")
build=${1:-build}
output=${2:-$build/lambda.zip}

fail() {
    echo "package.sh: $1" >&2
    exit 3
}

case "$build" in -*)
    sed -n '2,/^set/{/^set/d; s/^# \{0,1\}//; p}' "$0"
    exit 2
    ;;
esac
[ -x "$build/submitter" ] || fail "$build/submitter is missing; run make"
[ -d "$here/../../lua/submitter" ] || fail "run it from the source tree"
[ "$output" = "${output%.zip}" ] || command -v zip >/dev/null || fail "zip is missing; install the package zip"

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
trap 'exit 1' INT TERM
mkdir -p "$stage/bin" "$stage/lib/lua"

# The paths of what a program or library loads, but for the loader's.
libraries() {
    ldd "$1" | sed -n 's/.*=> \(\/[^ ]*\) (.*/\1/p'
}

copy_libraries() {
    for library in $(libraries "$1"); do
        [ -e "$stage/lib/$(basename "$library")" ] || cp -L "$library" "$stage/lib/"
    done
}

# Where the program itself finds a Lua module; $2: path or cpath.
module() {
    "$build/submitter" run - "$1" "$2" <<'LUA'
io.stdout:write(assert(package.searchpath(arg[1], package[arg[2]])), "\n")
LUA
}

cp "$build/submitter" "$stage/bin/"
copy_libraries "$build/submitter"
loader=$(ldd "$build/submitter" | sed -n 's/^[[:space:]]*\(\/[^ ]*ld-[^ ]*\) (.*/\1/p')
[ -n "$loader" ] || fail "ldd names no loader for $build/submitter; is it linked dynamically?"
cp -L "$loader" "$stage/lib/loader"
# What is loaded only when it is used: libcurl by the program, the others by the C library to look up names.
folder=$(dirname "$(libraries "$build/submitter" | grep '/libuv\.so')")
[ -e "$folder/libcurl.so.4" ] || fail "$folder/libcurl.so.4 is missing; install libcurl4"
for library in libcurl.so.4 libnss_dns.so.2 libnss_files.so.2 libresolv.so.2; do
    if [ -e "$folder/$library" ]; then
        cp -L "$folder/$library" "$stage/lib/"
        copy_libraries "$folder/$library"
    fi
done
# lxp reads XML: what STS answers where the configuration or the environment names a role.
for name in cjson lxp; do
    library=$(module "$name" cpath)
    cp -L "$library" "$stage/lib/lua/$name.so"
    copy_libraries "$library"
done
[ ! -r /etc/ssl/certs/ca-certificates.crt ] || cp -L /etc/ssl/certs/ca-certificates.crt "$stage/lib/"

cp -R "$here/../../lua" "$stage/lua"
rm -rf "$stage/lua/meta"
cp "$(module argparse path)" "$stage/lua/argparse.lua"
cp "$here/notify.lua" "$stage/"
install -m 0755 "$here/bootstrap" "$stage/bootstrap"
# Lambda runs it as a user of its own.
chmod -R a+rX "$stage"

if [ "$output" = "${output%.zip}" ]; then
    mkdir "$output"
    cp -R "$stage/." "$output"
else
    mkdir -p "$(dirname "$output")"
    rm -f "$output"
    archive=$(cd "$(dirname "$output")" && pwd)/$(basename "$output")
    (cd "$stage" && zip -q -X -r "$archive" .)
fi
echo "$output"
