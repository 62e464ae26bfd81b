# attack: asks for options of sockets that no student needs: packet filters, which the kernel also compiles, out of a budget that
#   the whole machine shares; time stamps, for which it changes its own code; the firewall's, for which it looks for a module;
#   and those with which a socket takes memory that no memory group counts
# wall: the filter has only those options of sockets that programs need
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes socket
import ctypes
import errno
import socket

import probe

# Accepts everything, after 4,095 steps that do nothing.
count = 4096
steps = b"\x00\x00\x00\x00\x00\x00\x00\x00" * (count - 1) + b"\x06\x00\x00\x00\xff\xff\xff\xff"
block = ctypes.create_string_buffer(steps)


class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]


whole = bytes(Filter(count, ctypes.addressof(block)))
general = [26, 50, 51, 52, 29, 35, 37, 63, 64, 65, 12, 32, 33, 36, 46, 69, 70]
options = {
    socket.SOL_SOCKET: general,
    socket.SOL_IP: [4, 16, 17, 19, 35, 36, 39, 41, 42, 46, 48, 64, 65, 96, 97],
    41: [2, 6, 20, 32, 33, 42, 46, 48, 54, 55, 57, 59, 64],
    socket.SOL_TCP: [13, 14, 19, 31, 33, 38],
    socket.SOL_UDP: [100, 101, 103, 104],
}
for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            one = socket.socket(family, kind)
        except OSError:
            continue  # even better
        for level, numbers in options.items():
            for option in numbers:
                for above in (0, 1 << 32):
                    # The kernel's own answers come after it has looked, and have other numbers or none.
                    outcome = probe.call("setsockopt", one.fileno(), level | above, option | above, whole, len(whole))
                    if outcome != (-1, errno.EPERM) and len(probe.breaches) < 20:
                        probe.breach(f"family {family}, level {level}, option {option} gave {outcome}")
        # What programs need is there.
        for option in (socket.SO_REUSEADDR, socket.SO_KEEPALIVE, socket.SO_SNDBUF, socket.SO_RCVBUF):
            one.setsockopt(socket.SOL_SOCKET, option, 1)
        one.settimeout(1)
        one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        one.close()
probe.finish()
