# attack: as many dead children as there may be processes, waited for by nobody, so that the next case has no room
# wall: whoever loses its parent is reaped by the runner before the next case begins
# ending: exit 0
# output: refused
# cases: 3
# within: 1s
import os

made = 0
try:
    for made in range(1000):
        if os.fork() == 0:
            os._exit(0)
except OSError:
    pass
print("refused" if 4 < made < 16 else f"BREACH: {made} processes")
