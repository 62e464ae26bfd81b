# attack: makes the machine's disks write out all they hold, over and over, by flushing files of the system's that it can only
#   read: all others wait meanwhile
# wall: the filter only pretends to flush: what can be written is memory
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes
import os

import probe

# Each of these the kernel would refuse: what is no file has nothing to flush.
end, other = os.pipe()
for name in ("fsync", "fdatasync", "syncfs"):
    for descriptor in (end, other, 1000):
        outcome = probe.call(name, descriptor)
        if outcome != (0, 0):
            probe.breach(f"{name} reached the kernel: {outcome}")
outcome = probe.call("sync_file_range", end, 0, 0, 7)
if outcome != (0, 0):
    probe.breach(f"sync_file_range reached the kernel: {outcome}")
# A map of a file is flushed likewise, and this is nobody's address.
outcome = probe.call("msync", 1 << 20, 4096, 4)
if outcome != (0, 0):
    probe.breach(f"msync reached the kernel: {outcome}")
probe.finish()
