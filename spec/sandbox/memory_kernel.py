# attack: lets the kernel take memory on its behalf: full pipes, sockets with unread messages, watches, timers
# wall: the memory limit of the case's cgroup, which counts the kernel's memory too; number of open files
# ending: memory or exit 0
# output: bounded
# limits: memory=48M processes=12 cpu=5s wall=5s
import os
import socket
import time

piece = b"x" * 65536
for _ in range(8):
    if os.fork() == 0:
        kept = []
        try:
            while True:
                ends = os.pipe()
                kept.append(ends)
                os.set_blocking(ends[1], False)
                os.write(ends[1], piece)
        except OSError:
            pass
        try:
            while True:
                os.close(kept.pop()[0])
                os.close(os.open("/tmp", os.O_RDONLY))
                one, other = socket.socketpair()
                kept.append((os.dup(one.fileno()), other))
                one.setblocking(False)
                while True:
                    try:
                        one.send(piece)
                    except BlockingIOError:
                        break
        except (OSError, IndexError):
            pass
        time.sleep(1000)
time.sleep(0.6)
print("bounded")
