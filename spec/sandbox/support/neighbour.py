"""Stands for all that else runs on the machine: a process that keeps secrets and offers services.

Says in one line of JSON how it could be reached; when its standard input ends it says "nobody", or who came, and ends.
Started with the path for its socket; its secret is in its environment and on descriptor 9.
"""
import ctypes
import errno
import json
import os
import select
import socket
import sys

secret = os.environ["SECRET"]
visitors = []
places = {}
address = {"pid": os.getpid()}


def offer(name, family, kind, where):
    """Listens somewhere, if this machine has such a place."""
    try:
        one = socket.socket(family, kind)
        one.bind(where)
        if kind == socket.SOCK_STREAM:
            one.listen(16)
    except OSError as reason:
        if reason.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.ENODEV):
            return None
        raise
    one.setblocking(False)
    places[one.fileno()] = (name, one, kind)
    return one


def greet(number):
    """Nobody may come here: whoever does is noted, and given the secret."""
    name, one, kind = places[number]
    visitors.append(name)
    if kind == socket.SOCK_STREAM:
        visitor, _ = one.accept()
        visitor.sendall(secret.encode())
        visitor.close()
    else:
        one.recvfrom(4096)


tcp = offer("tcp", socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
address["tcp"] = tcp.getsockname()[1]
offer("tcp6", socket.AF_INET6, socket.SOCK_STREAM, ("::1", address["tcp"]))
offer("udp", socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", address["tcp"]))
address["abstract"] = "submitter-attacks-" + os.urandom(8).hex()
offer("abstract", socket.AF_UNIX, socket.SOCK_STREAM, "\0" + address["abstract"])
address["path"] = sys.argv[1]
offer("path", socket.AF_UNIX, socket.SOCK_STREAM, address["path"])
os.chmod(address["path"], 0o777)
if hasattr(socket, "AF_VSOCK"):
    vsock = offer("vsock", socket.AF_VSOCK, socket.SOCK_STREAM, (socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
    if vsock:
        address["vsock"] = vsock.getsockname()[1]

# System V memory with a key that can be guessed, open to all.
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
address["shm"] = 0x5B17E500 + os.getpid() % 256
shared = libc.shmget(address["shm"], 4096, 0o1000 | 0o666)
if shared >= 0:
    place = libc.shmat(shared, None, 0)
    ctypes.memmove(place, secret.encode(), len(secret))

print(json.dumps(address), flush=True)
while True:
    ready, _, _ = select.select([0, *places], [], [])
    for number in ready:
        if number:
            greet(number)
    if 0 in ready:
        break
if shared >= 0:
    if ctypes.string_at(place, len(secret)) != secret.encode():
        visitors.append("System V memory")
    libc.shmctl(shared, 0, None)
os.unlink(address["path"])
print(", ".join(visitors) or "nobody", flush=True)
