#!/usr/bin/env python3
"""The original's way, for comparison: runs SUBID.py in the current folder once for each line of test.in, which becomes its
arguments, and writes what came of it to SUBID.out. Installed in the image of spec/bench/containers.lua."""
import csv
import shlex
import subprocess
import sys

subid = sys.argv[1]
with open("test.in") as inputs, open("test.out") as outputs, open(subid + ".out", "w", newline="") as report:
    rows = csv.writer(report)
    for line, expected in zip(inputs, outputs):
        ended = subprocess.run(["python3", subid + ".py", *shlex.split(line)], stdout=subprocess.PIPE, text=True)
        line, expected, actual = line.rstrip("\n"), expected.rstrip("\n"), ended.stdout.rstrip("\n")
        rows.writerow([line, expected, actual, "Pass" if actual == expected else "Fail"])
