# attack: takes memory as files without a name, which without a cgroup nothing would count
# wall: the filter has none of these
# ending: exit 0
# output: refused
# limits: memory=64M files=32M cpu=5s
import os

kept = []
piece = b"x" * (1 << 20)
try:
    while True:
        kept.append(os.memfd_create("more"))
        for _ in range(16):
            os.write(kept[-1], piece)
except OSError:
    print("refused")
