# attack: looks through /proc for other processes, and through them at their files, memory, arguments and environment
# wall: a PID namespace; /proc with hidepid; the runner is another user's, and not dumpable
# ending: exit 0
# output: held
# arguments: {host}
# with: probe.py
# modules: ctypes
import os
import sys

import probe

own = {str(os.getpid()), "self", "thread-self"}
shown = set(os.listdir("/proc")) - own
if shown:
    probe.breach(f"/proc shows {shown}")
for number in [*probe.visible(), int(sys.argv[1])]:
    if number == os.getpid():
        continue
    for name in ("environ", "cmdline", "mem", "maps", "status", "stat", "cgroup", "mountinfo", "stack", "syscall", "auxv", "fd/0"):
        probe.fails(f"/proc/{number}/{name}", lambda path=f"/proc/{number}/{name}": open(path, "rb").read(16))
    for name in ("fd", "task", "map_files", "net"):
        probe.fails(f"/proc/{number}/{name}", lambda path=f"/proc/{number}/{name}": os.listdir(path))
    for name in ("exe", "root", "cwd", "ns/mnt", "ns/net"):
        probe.fails(f"/proc/{number}/{name}", lambda path=f"/proc/{number}/{name}": os.readlink(path))

# What one's own entry tells of the host.
for name in ("mountinfo", "cgroup", "environ", "cmdline", "maps", "mounts", "mountstats"):
    with open(f"/proc/self/{name}", "rb") as file:
        text = file.read()
    if probe.secrets(text):
        probe.breach(f"/proc/self/{name} holds a secret")
    if name == "cgroup" and b"submitter-" in text:
        probe.breach(f"/proc/self/cgroup tells where the host keeps its groups: {text}")
probe.finish()
