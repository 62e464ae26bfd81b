# attack: closes its streams and stays
# wall: limit of time by the clock: the end of output isn't the end of the program
# ending: wall
# limits: wall=300ms
import os
import time

os.closerange(0, 256)
time.sleep(1000)
