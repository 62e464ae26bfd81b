# honest: reads far more of the system's files than it may have memory: what the kernel keeps of them isn't the program's
# ending: exit 0
# output: read
# limits: memory=32M cpu=4s wall=10s
import os

left = 200 << 20
for folder, _, files in os.walk("/usr/lib"):
    for name in files:
        path = os.path.join(folder, name)
        if left > 0 and os.path.isfile(path):
            with open(path, "rb") as file:
                while piece := file.read(1 << 18):
                    left -= len(piece)
print("read")
