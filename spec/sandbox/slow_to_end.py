# attack: makes its own end slow: much memory in small pieces, many processes, threads, files and maps
# wall: all of it is bounded; a case's end waits for nothing that the student can stretch
# ending: exit 0
# output: ready
# within: 6s
# limits: memory=256M processes=64 cpu=6s wall=8s files=32M
# modules: mmap threading
import mmap
import os
import threading

kept = []
for number in range(10000):
    kept.append(mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE))
    kept[-1][0] = 1
    if number % 4 == 0:
        with open(f"/tmp/{number}", "wb") as file:
            file.write(b"x")
try:
    for _ in range(20):
        if os.fork() == 0:
            for _ in range(2):
                threading.Thread(target=threading.Event().wait).start()
            os.kill(os.getpid(), 19)
except OSError:
    pass
print("ready")
