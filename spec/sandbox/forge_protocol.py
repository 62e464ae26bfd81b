# attack: writes results in the protocol's form on every descriptor number, and whatever of the runner's it can open
# wall: the protocol's streams are the runner's alone; what the program writes is output, never protocol
# ending: exit 7
# output bytes: 68
# cases: 2
# with: probe.py
# modules: ctypes
import os
import struct

import probe

# RESULT of case 1: ended by itself with 0, hardly any time, no memory.
payload = struct.pack("<IBBIIQQQQQ", 1, 1, 0, 0, 0, 1, 1, 1, 0, 0)
frame = struct.pack("<BI", 4, len(payload)) + payload
os.close(0)
for number in range(3, 1024):
    probe.fails(f"descriptor {number}", lambda: os.write(number, frame))
for number in [1, os.getppid(), *probe.visible()[:64]]:
    for one in range(8):
        path = f"/proc/{number}/fd/{one}"
        probe.fails(path, lambda: os.open(path, os.O_WRONLY | os.O_NONBLOCK))
if probe.breaches:
    probe.finish()
# A whole frame, and the beginning of a second whose rest would be taken from whatever follows.
os.write(2, frame + frame[:9])
os.write(1, frame + frame[:9])
os._exit(7)
