# attack: switches the network on, as a submission could in CVE-2024-29021: brings interfaces up, adds one, leaves the namespace
# wall: no capability, no netlink, no ioctl of interfaces, no way into another network namespace
# ending: exit 0
# output: held
# arguments: {neighbour}
# with: probe.py
# modules: ctypes fcntl json socket
# within: 3s
import fcntl
import json
import os
import socket
import struct
import sys

import probe

neighbour = json.loads(sys.argv[1])

try:
    attempted = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
except OSError:
    attempted = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
with attempted as one:
    for request in (0x8914, 0x8916, 0x891C, 0x8924, 0x89A0, 0x89F0, 0x400454CA):
        block = struct.pack("16sH22x", b"lo", 0x41)
        probe.fails(f"ioctl {request:#x}", lambda: fcntl.ioctl(one, request, block))
    for option in (socket.SO_BINDTODEVICE, 36, 32):  # and SO_MARK, SO_SNDBUFFORCE
        probe.fails(f"option {option}", lambda: one.setsockopt(socket.SOL_SOCKET, option, b"eth0\0\0\0\0"))
    probe.fails("being transparent", lambda: one.setsockopt(socket.SOL_IP, 19, 1))
for path in ("/proc/1/ns/net", f"/proc/{os.getppid()}/ns/net", "/var/run/netns", "/run/netns"):
    probe.fails(path, lambda: os.open(path, os.O_RDONLY))
own = os.open("/proc/self/ns/net", os.O_RDONLY)
probe.refused("setns", own, 0)
probe.refused("unshare", 0x40000000)
probe.fails("/dev/net/tun", lambda: os.open("/dev/net/tun", os.O_RDWR))
probe.fails("the list of interfaces", socket.if_nameindex)
# After all that: the services that stand nearest to a grader, its own database first.
for where in (("127.0.0.1", neighbour["tcp"]), ("0.0.0.0", neighbour["tcp"]), ("localhost", neighbour["tcp"]), ("127.0.0.1", 5432),
              ("db", 5432), ("172.17.0.1", 5432), ("169.254.169.254", 80)):
    probe.fails(f"reaching {where}", lambda: socket.create_connection(where, 0.2))
probe.finish()
