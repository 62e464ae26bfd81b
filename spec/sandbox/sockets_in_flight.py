# attack: sends sockets through each other and closes them all, so that nobody holds what they hold
# wall: the memory limit counts it; the kernel's collection of such sockets; number of open files
# ending: exit 0 or memory
# output: went on
# cases: 2
# limits: memory=48M cpu=4s
# modules: socket array
import array
import socket

piece = b"x" * 32768
try:
    for _ in range(400):
        one, other = socket.socketpair()
        for end in (one, other):
            end.setblocking(False)
            try:
                end.send(piece)
            except BlockingIOError:
                pass
            rights = array.array("i", [one.fileno(), other.fileno()])
            end.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        one.close()
        other.close()
except OSError:
    pass
print("went on")
