# attack: tells the kernel that its memory may be taken, whereupon that stands among what is kept of files, and fills it again
# wall: the memory limit of the case's cgroup, which asks of no memory whose it is; in a container, what isn't page cache by its kind
#   is the program's wherever the kernel keeps it
# ending: exit 0 or memory
# output: no more than allowed
# limits: memory=64M cpu=4s wall=8s
import mmap
import time

MADV_FREE = 8
PIECE = 1 << 20
SIZE = 120 * PIECE
filling = bytes(range(256)) * (PIECE // 256)

try:
    memory = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for place in range(0, SIZE, PIECE):
        memory[place:place + PIECE] = filling
        memory.madvise(MADV_FREE, place, PIECE)
        memory[place:place + PIECE] = filling
except (MemoryError, OSError):
    print("no more than allowed")
else:
    time.sleep(0.2)
    held = sum(memory[place:place + PIECE] == filling for place in range(0, SIZE, PIECE))
    print(f"BREACH: {held} MiB" if held > 64 else "no more than allowed")
