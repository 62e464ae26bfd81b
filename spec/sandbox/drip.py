# attack: a byte each 50 ms for ever: never silent, never much
# wall: limit of time by the clock, whatever comes meanwhile
# ending: wall
# limits: wall=400ms
# alone: yes
import sys
import time

while True:
    sys.stdout.write(".")
    sys.stdout.flush()
    sys.stderr.write(".")
    time.sleep(0.05)
