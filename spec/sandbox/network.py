# attack: connects to whatever a host may have: loopback, docker0, the metadata address, sockets of the host's, vsock
# wall: a network namespace without any interface that is up; socket families; no path to the host's sockets
# ending: exit 0
# output: held
# arguments: {neighbour}
# with: probe.py
# modules: ctypes json socket
# within: 2s
import json
import socket
import sys

import probe

neighbour = json.loads(sys.argv[1])
port = neighbour["tcp"]


def connect(family, kind, where):
    with socket.socket(family, kind) as one:
        one.settimeout(0.2)
        one.connect(where)
        if kind == socket.SOCK_DGRAM:
            one.send(b"found")


for where in (("127.0.0.1", port), ("127.0.0.2", port), ("0.0.0.0", port), ("172.17.0.1", 2375), ("169.254.169.254", 80),
              ("169.254.170.2", 80), ("10.0.0.1", 80), ("192.168.0.1", 80), ("8.8.8.8", 53), ("255.255.255.255", 67)):
    probe.fails(f"tcp {where}", lambda where=where: connect(socket.AF_INET, socket.SOCK_STREAM, where))
    probe.fails(f"udp {where}", lambda where=where: connect(socket.AF_INET, socket.SOCK_DGRAM, where))
for where in (("::1", port), ("::ffff:127.0.0.1", port), ("fd00:ec2::254", 80), ("ff02::1%1", 5353)):
    probe.fails(f"tcp {where}", lambda where=where: connect(socket.AF_INET6, socket.SOCK_STREAM, where))
    probe.fails(f"udp {where}", lambda where=where: connect(socket.AF_INET6, socket.SOCK_DGRAM, where))
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
    for where in ("\0" + neighbour["abstract"], neighbour["path"], "/run/systemd/private", "/var/run/docker.sock", "/dev/log",
                  "/run/dbus/system_bus_socket", "\0/tmp/.X11-unix/X0", "/run/containerd/containerd.sock"):
        probe.fails(f"unix {where!r}", lambda where=where, kind=kind: connect(socket.AF_UNIX, kind, where))
probe.fails("a name", lambda: socket.getaddrinfo("example.com", 80))
for family, kind, protocol in ((socket.AF_NETLINK, socket.SOCK_RAW, 0), (socket.AF_PACKET, socket.SOCK_RAW, 768),
                               (socket.AF_INET, socket.SOCK_RAW, 1), (socket.AF_INET6, socket.SOCK_RAW, 58),
                               (socket.AF_INET, socket.SOCK_DGRAM, 1),
                               (40, socket.SOCK_STREAM, 0), (38, socket.SOCK_SEQPACKET, 0), (44, socket.SOCK_RAW, 0),
                               (17, socket.SOCK_DGRAM, 0), (16, socket.SOCK_DGRAM, 16), (31, socket.SOCK_RAW, 1),
                               (29, socket.SOCK_RAW, 1), (41, socket.SOCK_DGRAM, 0), (45, socket.SOCK_DGRAM, 0)):
    probe.fails(f"family {family}, kind {kind}", lambda: socket.socket(family, kind, protocol))
# The filter must look at what the kernel looks at: the low half of the argument.
outcome = probe.call("socket", (1 << 32) | 40, socket.SOCK_STREAM, 0)
if outcome[0] >= 0:
    probe.breach("a family above the low half got past the filter")
probe.finish()
