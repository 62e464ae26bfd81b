# attack: takes memory and has the kernel move it out to swap at once, so that little of it is ever there
# wall: swap counts towards the memory limit, or there is none for the case
# ending: memory
# ending in rlimit: exit 1
# errors: MemoryError
# limits: memory=64M cpu=5s wall=10s
# modules: mmap ctypes
import ctypes
import mmap

libc = ctypes.CDLL(None, use_errno=True)
MADV_COLD, MADV_PAGEOUT = 20, 21
kept = []
while True:
    try:
        kept.append(mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
    except OSError as failure:
        raise MemoryError from failure
    kept[-1].write(b"x" * (1 << 20))
    place = ctypes.addressof(ctypes.c_char.from_buffer(kept[-1]))
    for advice in (MADV_COLD, MADV_PAGEOUT):
        libc.madvise(ctypes.c_void_p(place), ctypes.c_size_t(1 << 20), advice)
