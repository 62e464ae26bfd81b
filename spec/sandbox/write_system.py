# attack: writes into the system's folders, /proc, /sys and cgroup files, and makes itself dearer to the kernel
# wall: a read-only root; /proc without settings; no /sys; no capability
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes
import os

import probe

for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger",
             "/proc/sys/vm/drop_caches", "/proc/sys/kernel/ns_last_pid", "/proc/sys/fs/binfmt_misc/register", "/proc/kcore",
             "/proc/bus/pci/00", "/proc/irq/default_smp_affinity", "/proc/timer_list", "/proc/keys", "/proc/scsi/scsi",
             "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/release_agent",
             "/sys/kernel/uevent_helper", "/sys/power/state", "/sys/kernel/debug", "/sys/fs/bpf", "/sys/firmware",
             "/dev/mem", "/dev/kmsg", "/dev/port", "/dev/vda", "/dev/sda", "/dev/loop0", "/dev/fuse", "/dev/kvm"):
    probe.fails(path, lambda: os.open(path, os.O_WRONLY))
    probe.fails(path, lambda: os.stat(path))
for name, text in (("oom_score_adj", "-1000"), ("oom_score_adj", "0"), ("oom_adj", "-17"), ("uid_map", "0 0 1"), ("gid_map", "0 0 1"),
                   ("setgroups", "allow"), ("loginuid", "0"), ("timens_offsets", "monotonic 1 1"), ("attr/current", "unconfined"),
                   ("attr/exec", "unconfined"), ("sched", "0"), ("autogroup", "-20"), ("clear_refs", "9")):
    def write(path=f"/proc/self/{name}", text=text):
        with open(path, "w") as file:
            file.write(text)
    if name not in ("sched", "clear_refs", "setgroups"):
        probe.fails(f"{name} := {text}", write)
# Its own memory not by this way either: it would pass over what is mapped read-only.
for name in ("mem", "comm", "coredump_filter", "timerslack_ns", "clear_refs", "task"):
    probe.fails(f"{name} to be written", lambda: os.open(f"/proc/self/{name}", os.O_RDWR))
for name in ("root", "exe"):
    probe.fails(f"{name} to be written", lambda: os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_APPEND))
with open("/proc/self/oom_score_adj") as file:
    if file.read().strip() != "1000":
        probe.breach("the kernel was told to spare us")
for folder in ("/", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/src", "/usr/src/submitter", "/etc", "/bin",
               "/lib", "/dev", "/proc", "/proc/self", "/scratch", "/usr/lib/python3", "/usr/local/lib"):
    for attempt in (lambda: os.mkdir(folder + "/new"), lambda: open(folder + "/file", "w"), lambda: os.chmod(folder, 0o777),
                    lambda: os.symlink("/tmp", folder + "/link"), lambda: os.rename(folder, folder + "2"),
                    lambda: os.utime(folder), lambda: os.mkfifo(folder + "/fifo")):
        probe.fails(f"a change in {folder}", attempt)
for path in ("/etc/passwd", "/usr/bin/python3", "/bin/sh", "/etc/ld.so.cache", "/usr/lib/os-release"):
    if os.path.exists(path):
        for attempt in (lambda: open(path, "r+"), lambda: os.unlink(path), lambda: os.chmod(path, 0o777),
                        lambda: os.truncate(path, 0), lambda: os.rename(path, path + "2")):
            probe.fails(f"a change of {path}", attempt)
# Devices are there to be used, not to be changed.
for name in ("null", "zero", "full", "random", "urandom"):
    for attempt in (lambda: os.unlink(f"/dev/{name}"), lambda: os.chmod(f"/dev/{name}", 0o666), lambda: os.utime(f"/dev/{name}"),
                    lambda: os.chown(f"/dev/{name}", 1000, 1000)):
        probe.fails(f"a change of /dev/{name}", attempt)
probe.finish()
