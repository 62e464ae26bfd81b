# attack: the second case looks for the input and arguments of the first: files, memory, objects of the kernel
# wall: a fresh process each case, forked from one that never read an input; everything writable is made anew
# ending: exit 0
# output: held
# arguments: {number} argument-{number}-is-secret
# input: input-is-secret\n
# cases: 3
# with: probe.py
# modules: ctypes
import os
import re
import sys

import probe

number = int(sys.argv[1])
pattern = re.compile(rb"argument-([0-9])-is-sec" + rb"ret")
with open("/proc/self/maps") as file:
    ranges = [line.split() for line in file]
with open("/proc/self/mem", "rb", buffering=0) as memory:
    for place, rights, *rest in ranges:
        if rights.startswith("r") and not rest[-1].startswith("[v"):
            start, end = (int(part, 16) for part in place.split("-"))
            try:
                memory.seek(start)
                found = {int(digit) for digit in pattern.findall(memory.read(end - start))} - {number}
            except OSError:
                continue
            if found:
                probe.breach(f"memory at {place} tells of cases {found}")
for folder in ("/tmp", "/dev/shm", "/scratch"):
    if os.path.isdir(folder) and os.access(folder, os.R_OK) and os.listdir(folder):
        probe.breach(f"{folder} holds {os.listdir(folder)}")
# What was never written must not be what somebody else wrote.
for path in ("/tmp/new", "/dev/shm/new"):
    with open(path, "w+b") as file:
        file.truncate(1 << 20)
        if file.read().strip(b"\0"):
            probe.breach(f"{path} begins with old bytes")
with open("/tmp/kept", "w") as file:
    file.write(sys.argv[2] + sys.stdin.read())
probe.finish()
