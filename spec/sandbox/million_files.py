# attack: a million files
# wall: the number of files in the writable places
# ending: exit 0
# output: refused
# limits: files=1M cpu=5s
import os

made = 0
try:
    for made in range(1000000):
        os.close(os.open(f"/tmp/{made}", os.O_CREAT | os.O_WRONLY))
except OSError:
    pass
print("refused" if made < 20000 else f"BREACH: {made} files")
