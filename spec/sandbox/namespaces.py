# attack: leaves or makes namespaces, mounts, changes the root
# wall: no capability; the filter; none of any kind can be made in the user namespace
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes
import ctypes
import os
import signal

import probe

flags = {"mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000, "pid": 0x20000000,
         "net": 0x40000000, "time": 0x80}
for name, flag in flags.items():
    probe.refused("unshare", flag)
    probe.refused("unshare", flag | flags["user"])
    if flag != 0x80:  # which clone takes for an exit signal
        for whole in (flag | signal.SIGCHLD, flag | flags["user"] | signal.SIGCHLD, (1 << 40) | flag | signal.SIGCHLD):
            outcome = probe.call("clone", whole, 0, 0, 0, 0)
            if outcome[0] == 0:
                os._exit(0)
            if outcome[0] > 0:
                probe.breach(f"clone with {whole:#x}")
                os.waitpid(outcome[0], 0)
    block = (ctypes.c_uint64 * 11)(flag, 0, 0, 0, signal.SIGCHLD)
    outcome = probe.call("clone3", ctypes.byref(block), 88)
    if outcome[0] == 0:
        os._exit(0)
    if outcome[0] > 0:
        probe.breach(f"clone3 with {flag:#x}")
# A child of the runner's own, that nobody would look for among ours.
for flag in (0x8000, 0x2000):
    outcome = probe.call("clone", flag | signal.SIGCHLD, 0, 0, 0, 0)
    if outcome[0] == 0:
        os._exit(0)
    if outcome[0] > 0:
        probe.breach(f"clone with {flag:#x}")
for name in os.listdir("/proc/self/ns"):
    descriptor = os.open(f"/proc/self/ns/{name}", os.O_RDONLY)
    probe.refused("setns", descriptor, 0)
    for request in (0xB701, 0xB702):  # the user namespace that owns it, and its parent
        probe.refused("ioctl", descriptor, request)
    os.close(descriptor)

for kind in (b"tmpfs", b"proc", b"sysfs", b"cgroup", b"cgroup2", b"overlay", b"devpts", b"ext4", b"fuse", b"mqueue", b"bpf"):
    probe.refused("mount", kind, b"/tmp", kind, 0, 0)
    probe.refused("fsopen", kind, 0)
for change in (4096, 32 | 4096, 32, 1 << 18, 1 << 20, 8192):
    probe.refused("mount", b"/tmp", b"/usr", 0, change, 0)
for place in (b"/", b"/usr", b"/proc", b"/tmp", b"/dev/shm", b"/usr/src"):
    probe.refused("umount2", place, 2)
    probe.refused("chroot", place)
    probe.refused("open_tree", -100, place, 1)
    probe.refused("fspick", -100, place, 0)
    probe.refused("mount_setattr", -100, place, 0, (ctypes.c_uint64 * 4)(0, 1), 32)
    probe.refused("move_mount", -100, place, -100, b"/tmp", 0)
probe.refused("pivot_root", b"/tmp", b"/tmp")
for name in ("uid_map", "gid_map", "setgroups"):
    probe.fails(name, lambda: open(f"/proc/self/{name}", "w").write("0 0 1"))
probe.finish()
