# honest: comes close to each of its limits without harm
# ending: exit 0
# output bytes: 65536
# limits: memory=64M output=64K files=4M processes=8 cpu=3s
# cases: 2
import sys
import threading
import time

block = bytearray(b"x") * (36 << 20)
with open("/tmp/file", "wb") as file:
    file.write(b"x" * (3 << 20))
threading.stack_size(1 << 18)
stay = threading.Event()
threads = [threading.Thread(target=stay.wait) for _ in range(6)]
for thread in threads:
    thread.start()
stay.set()
for thread in threads:
    thread.join()
until = time.process_time() + 0.2
while time.process_time() < until:
    pass
sys.stdout.write("x" * 65536)
