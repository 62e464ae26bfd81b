# attack: lets children and grandchildren compute, each less than the limit
# wall: CPU time is the whole process tree's
# ending: cpu
# limits: cpu=400ms wall=3s
# alone: yes
import os

for _ in range(3):
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
        while True:
            pass
os.wait()
