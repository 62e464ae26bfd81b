# attack: takes memory in anonymous shared maps
# wall: the memory limit of the case's cgroup
# ending: memory
# ending in rlimit: exit 1
# errors: memory
# limits: memory=64M cpu=5s
# modules: mmap
import mmap

kept = []
while True:
    kept.append(mmap.mmap(-1, 4 << 20))
    kept[-1].write(b"x" * (4 << 20))
