#!/bin/sh
# Runs the tests of the sandbox in a virtual machine with Debian's kernel, systemd and version 2 of control groups, which a
# test machine may not have itself. Prints what the tests within printed (TAP), or one skipped test where it can't be done.
#
#     spec/virtual/machine.sh BUILD [SUITE…]     BUILD holds the programs and test/; SUITEs as in inside.sh, default: all
#
# The system on its disk is made of this machine's own packages (mmdebstrap) and kept in BUILD/virtual for the next time. What
# the programs here are linked against is what stands there. Nothing of this machine is changed but BUILD/virtual.
set -u
build=$1
shift
suites=${*:-all}
here=$(cd "$(dirname "$0")" && pwd) || exit 1
source=$(cd "$here/../.." && pwd) || exit 1
work=$build/virtual
# Under emulation all takes some ten times as long. With that the whole takes some ten minutes.
seconds=2400 slowness=10

skip() {
    echo "ok 1 - virtual machine # SKIP $*"
    exit 0
}
fail() {
    echo "not ok 1 - virtual machine: $*"
    exit 1
}

[ "$(uname -m)" = x86_64 ] || skip "written for x86_64, not $(uname -m)"
[ "$(id -u)" = 0 ] || skip "its disk is made by root only"
for program in qemu-system-x86_64 mmdebstrap mke2fs busybox cpio apt-get; do
    command -v "$program" >/dev/null || skip "$program isn't installed"
done
# shellcheck source=/dev/null
. /etc/os-release
case ${ID-} in
    debian) kernel=linux-image-cloud-amd64 ;;
    ubuntu) kernel=linux-image-virtual ;;
    *) skip "made of Debian's or Ubuntu's packages, this is ${ID-an unknown system}" ;;
esac
mkdir -p "$work" || exit 1
work=$(cd "$work" && pwd)
exec 9>"$work/lock"
flock -n 9 || fail "another one runs in $work"

# ---- the parts, kept for the next time ----

# Where this machine's own packages come from; third parties' lists are left out.
sources() {
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list.d/ubuntu.sources; do
        [ -s "$list" ] && grep -q "$VERSION_CODENAME" "$list" && echo "$list"
    done
}

# A system that starts systemd, and what our programs and tests need.
make_root() {
    [ -e "$work/root.made" ] && return 0
    rm -rf "$work/root"
    # shellcheck disable=SC2046 # words on purpose
    mmdebstrap --quiet --variant=minbase --include=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,uidmap \
        --include=python3,liblua5.4-0,libuv1,libssl3,lua-cjson,lua-expat,lua-argparse,lua-busted \
        "$VERSION_CODENAME" "$work/root" $(sources) >"$work/root.log" 2>&1 || return 1
    touch "$work/root.made"
}

# The kernel that the meta-package stands for.
make_kernel() {
    [ -e "$work/kernel.made" ] && return 0
    rm -rf "$work/kernel" && mkdir "$work/kernel" || return 1
    (
        cd "$work/kernel" || exit 1
        packages=$(apt-cache depends "$kernel" | sed -n 's/.*Depends: \(linux-image-[^ ]*\)/\1/p')
        # Ubuntu keeps the modules apart; what this machine needs of them is built in there.
        # shellcheck disable=SC2086 # words on purpose
        apt-get -qq -o APT::Sandbox::User=root download $packages || exit 1
        for package in *.deb; do dpkg-deb -x "$package" . || exit 1; done
    ) >"$work/kernel.log" 2>&1 </dev/null || return 1
    touch "$work/kernel.made"
}

# Only what brings the disk in.
make_initramfs() {
    rm -rf "$work/initramfs"
    mkdir -p "$work/initramfs/bin" "$work/initramfs/dev" "$work/initramfs/root" || return 1
    cp "$(command -v busybox)" "$work/initramfs/bin/busybox" && cp "$here/init" "$work/initramfs/init" || return 1
    version=$(cd "$work/kernel/boot" && echo vmlinuz-*) && version=${version#vmlinuz-}
    mkdir -p "$work/initramfs/lib/modules/$version"
    (
        cd "$work/kernel" || exit 1
        find lib/modules \( -path '*/drivers/virtio/*.ko' -o -name virtio_blk.ko \) -print0 |
            cpio --null --quiet -pdm "$work/initramfs"
    ) || return 1
    busybox depmod -b "$work/initramfs" "$version"
    (cd "$work/initramfs" && find . | cpio --quiet -o -H newc) >"$work/initramfs.cpio"
}

# The programs, the tests, and the service that runs them.
put_in() {
    place=$work/root/opt/submitter
    rm -rf "$place"
    mkdir -p "$place/build/test" || return 1
    mkdir -p "$place/docker" && cp -R "$source/docker/systemd" "$place/docker/" || return 1
    cp -R "$source/lua" "$source/spec" "$place/" || return 1
    cp "$build/submitter" "$build/submitter-sandbox" "$build/submitter-runner" "$place/build/" || return 1
    for test in runner walls alone container; do
        cp "$build/test/test_$test" "$place/build/test/" || return 1
    done
    printf 'SUITES=%s\nSUBMITTER_TEST_SLOWNESS=%s\n' "$suites" "$slowness" >"$place/environment"
    cp "$here/submitter-test.service" "$work/root/etc/systemd/system/" || return 1
    mkdir -p "$work/root/etc/systemd/system/multi-user.target.wants"
    ln -sf ../submitter-test.service "$work/root/etc/systemd/system/multi-user.target.wants/"
}

make_disk() {
    rm -f "$work/disk"
    truncate -s 2G "$work/disk" && mke2fs -q -t ext4 -O ^has_journal -d "$work/root" "$work/disk" >"$work/disk.log" 2>&1
}

make_kernel || skip "the kernel can't be had: $(tail -n 3 "$work/kernel.log" | tr '\n' ' ')"
make_root || skip "the system can't be made: $(tail -n 3 "$work/root.log" | tr '\n' ' ')"
make_initramfs || fail "its first file system can't be made"
put_in || fail "the programs can't be put in; build them first"
make_disk || fail "its disk can't be made: $(tail -n 3 "$work/disk.log" | tr '\n' ' ')"

# ---- the machine ----

accelerator=tcg,thread=multi
grep -qE '^flags.* (vmx|svm)( |$)' /proc/cpuinfo && [ -w /dev/kvm ] && accelerator=kvm
echo "# $(qemu-system-x86_64 --version | head -n 1), accelerator $accelerator, kernel $version"
rm -f "$work/console.log" "$work/results.log"
timeout -k 5 "$seconds" qemu-system-x86_64 -accel "$accelerator" -cpu max -smp 2 -m 2048 -nodefaults -no-user-config \
    -display none -no-reboot -kernel "$work/kernel/boot/vmlinuz-$version" -initrd "$work/initramfs.cpio" \
    -append "console=ttyS0 panic=-1 quiet systemd.show_status=no" \
    -drive "file=$work/disk,if=virtio,format=raw,cache=unsafe" \
    -serial "file:$work/console.log" -serial "file:$work/results.log" -monitor none </dev/null
code=$?
# The last line counts what the others say.
tr -d '\r' <"$work/results.log" | grep -vE '^[0-9]+ passed, [0-9]+ failed'
if tr -d '\r' <"$work/results.log" | grep -qE '^[0-9]+ passed, [0-9]+ failed'; then
    echo "ok - the virtual machine came to its end"
else
    echo "not ok - the virtual machine came to its end # qemu ended with $code; its console: $(tail -n 5 "$work/console.log")"
    exit 1
fi
