# attack: reads every file that it can find, and those whose paths it knows, for the host's secrets
# wall: a root of its own, made of the system's folders and nothing of the host's
# ending: exit 0
# output: held
# arguments: {secrets}
# with: probe.py
# modules: ctypes
# limits: cpu=6s wall=12s
import os
import stat
import sys

import probe

# Where a host keeps what is its own; the system's folders are everybody's.
elsewhere = ["/etc/shadow", "/etc/ssh", "/etc/ssl/private", "/root", "/home", "/var", "/srv", "/opt", "/mnt", "/media", "/run",
             "/boot", "/sys", "/proc/sys", "/proc/kcore", "/proc/kmsg", "/proc/mounts/..", "/dev/mem", "/dev/kmsg",
             "/dev/sda", "/dev/vda", "/dev/kvm", "/dev/fuse", "/var/run/docker.sock", "/.dockerenv", "/old_root"]
for path in elsewhere + sys.argv[1:]:
    probe.fails(path, lambda path=path: os.stat(path))
for path in sys.argv[1:]:
    for way in (f"/proc/1/root{path}", f"/proc/self/root{path}", f"/proc/{os.getppid()}/root{path}", f"/proc/1/cwd{path}",
                f"/proc/self/cwd/../../../../..{path}", f"/..{path}", f"/tmp/..{path}", f"/scratch{path}", f"//{path}"):
        probe.fails(way, lambda way=way: open(way, "rb").read())

for folder, folders, files in os.walk("/"):
    if folder in ("/", ):
        folders[:] = [name for name in folders if name not in ("usr", "proc")]
    if "CANARY" in folder:
        probe.breach(folder)
    for name in files:
        path = os.path.join(folder, name)
        try:
            if stat.S_ISREG(os.stat(path).st_mode):
                with open(path, "rb") as file:
                    found = probe.secrets(file.read(1 << 20))
                if found:
                    probe.breach(f"{path} holds {found}")
        except OSError:
            pass
top = set(os.listdir("/")) - {"bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "dev", "proc", "tmp", "scratch"}
if top:
    probe.breach(f"the root shows {top}")
devices = set(os.listdir("/dev")) - {"null", "zero", "full", "random", "urandom", "fd", "stdin", "stdout", "stderr", "shm"}
if devices:
    probe.breach(f"/dev shows {devices}")
settings = {name for name in os.listdir("/etc") if not name.startswith("python3")}
settings -= {"passwd", "group", "nsswitch.conf", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "timezone",
             "alternatives", "mime.types"}
if settings:
    probe.breach(f"/etc shows {settings}")
probe.finish()
