# attack: takes memory until there is none
# wall: the memory limit of the case's cgroup; the verdict is the kernel's own count of kills
# ending: memory
# ending in rlimit: exit 1
# errors: MemoryError
# limits: memory=64M cpu=5s
blocks = []
while True:
    blocks.append(bytearray(b"x") * (1 << 20))
