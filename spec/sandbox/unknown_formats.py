# attack: executes files in formats that the kernel doesn't know: older ones start a program of the host's each time, as root
#   and on nobody's account, that looks for a module which might
# wall: nothing that the student can write can be executed
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes
import errno
import os

import probe

unknown = b"\x7fQ\x91\x92" + bytes(60)
for place in ("/tmp/unknown", "/dev/shm/unknown"):
    with open(place, "wb") as file:
        file.write(unknown)
    os.chmod(place, 0o755)
    # The kernel's own answer, ENOEXEC, comes after it has looked for somebody who knows.
    probe.fails(place, lambda: os.execv(place, ["unknown"]), errno.EACCES, errno.EPERM)
    descriptor = os.open(place, os.O_RDONLY)
    probe.fails(f"{place} by descriptor", lambda: os.execve(descriptor, ["unknown"], {}), errno.EACCES, errno.EPERM)
for flags in (0, 1, 0x10):  # and to be closed then, and to be executed
    try:
        descriptor = os.memfd_create("unknown", flags)
    except OSError:
        continue
    os.write(descriptor, unknown)
    for way in (descriptor, f"/proc/self/fd/{descriptor}"):
        probe.fails(f"a memory file, flags {flags}", lambda: os.execve(way, ["unknown"], {}), errno.EACCES, errno.EPERM)
probe.finish()
