# attack: reads exact counters of the machine's, which also tell the next case what this one did: the numbers of files that stand
#   for processes, the cookies of sockets and of the network namespace; has its memory merged with what others have alike
# wall: the filter has none of these: descriptors of processes, all options of sockets but a few, that advice
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes
import ctypes
import errno
import mmap
import os
import socket

import probe

reasons = (errno.EPERM, errno.ENOSYS)
probe.refused("pidfd_open", os.getpid(), 0, reasons=reasons)
# clone with CLONE_PIDFD, and with a bit above those that the kernel looks at.
number = ctypes.c_int()
for above in (0, 1 << 32):
    probe.refused("clone", 0x1000 | 17 | above, 0, ctypes.addressof(number), 0, 0, reasons=reasons)
pair = socket.socketpair()
value, length = ctypes.create_string_buffer(64), ctypes.c_uint(64)
# SO_COOKIE, SO_NETNS_COOKIE, SO_PEERPIDFD, SO_PEERSEC, SO_INCOMING_NAPI_ID, SO_MEMINFO
for option in (57, 71, 77, 31, 56, 55):
    for above in (0, 1 << 32):
        probe.refused("getsockopt", pair[0].fileno(), 1, option | above, ctypes.addressof(value), ctypes.addressof(length),
                      reasons=reasons)
memory = mmap.mmap(-1, 1 << 20)
place = ctypes.addressof(ctypes.c_char.from_buffer(memory))
for above in (0, 1 << 32):
    probe.refused("madvise", place, 1 << 20, 12 | above, reasons=reasons)
probe.finish()
