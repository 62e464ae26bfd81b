# attack: hides a message for the next case in a counter of its network namespace: as many attempts to reach somebody as the
#   message is large
# wall: there are no sockets of the Internet, so nothing of the Internet's is ever counted
# ending: exit 0
# output: 0
# cases: 3
# modules: socket
import os
import socket


def counted():
    """What was counted of datagrams and connections in this network namespace, whatever the kernel calls it."""
    total = 0
    if os.path.exists("/proc/self/net/snmp"):
        with open("/proc/self/net/snmp") as file:
            lines = [line.split() for line in file]
        for names, values in zip(lines[::2], lines[1::2]):
            total += sum(int(value) for name, value in zip(names, values) if name in ("OutNoRoutes", "OutRequests", "ActiveOpens",
                                                                                     "AttemptFails", "OutDatagrams"))
    if os.path.exists("/proc/self/net/snmp6"):
        with open("/proc/self/net/snmp6") as file:
            total += sum(int(line.split()[1]) for line in file if "NoRoutes" in line or "OutRequests" in line)
    return total


found = counted()
for _ in range(200):
    for family, where in ((socket.AF_INET, ("192.0.2.1", 9)), (socket.AF_INET6, ("2001:db8::1", 9))):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            try:
                with socket.socket(family, kind) as one:
                    one.connect(where)
            except OSError:
                pass
print(found)
