# attack: fills /tmp and /dev/shm, where there is more room than memory
# wall: the memory limit of the case's cgroup, which the files of a memory file system count towards
# ending: memory
# ending in rlimit: exit 0
# output: full
# limits: memory=64M files=512M cpu=5s
piece = b"x" * (1 << 20)
try:
    for number in range(1024):
        with open(("/tmp/%d" if number % 2 else "/dev/shm/%d") % number, "wb") as file:
            file.write(piece)
except OSError:
    pass
print("full")
