# attack: a single line of 10 MB
# wall: none is needed within the limit of output: all of it arrives
# ending: exit 0
# output bytes: 10000000
# limits: output=16M memory=128M
import sys

sys.stdout.write("x" * 10_000_000)
