# attack: switches the network on, as a submission could in CVE-2024-29021: brings interfaces up, adds one, leaves the namespace
# wall: no capability, no netlink, no ioctl of interfaces, no way into another network namespace
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes fcntl socket
import fcntl
import os
import socket
import struct

import probe

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
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
probe.finish()
