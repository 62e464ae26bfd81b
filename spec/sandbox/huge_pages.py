# attack: takes the machine's huge pages, which somebody reserved and no memory group counts
# wall: the filter looks at the flags of mmap and memfd_create
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes
import errno

import probe

# ENOMEM, the kernel's own answer, would mean only that there is none left to take.
MAP_PRIVATE, MAP_SHARED, MAP_ANONYMOUS, MAP_HUGETLB, MFD_HUGETLB = 0x02, 0x01, 0x20, 0x40000, 0x4
for sharing in (MAP_PRIVATE, MAP_SHARED):
    for size in (0, 21 << 26, 30 << 26):
        for above in (0, 1 << 32):
            probe.refused("mmap", 0, 1 << 21, 3, sharing | MAP_ANONYMOUS | MAP_HUGETLB | size | above, -1, 0,
                          reasons=(errno.EPERM,))
for above in (0, 1 << 32):
    probe.refused("memfd_create", b"huge", MFD_HUGETLB | above, reasons=(errno.EPERM, errno.ENOSYS))
probe.finish()
