# attack: 5,000 threads
# wall: number of processes counts threads
# ending: exit 0
# output: refused
# limits: processes=16 memory=256M
import threading

stay = threading.Event()
made = 0
try:
    for made in range(5000):
        threading.Thread(target=stay.wait, daemon=True).start()
except RuntimeError:
    pass
print("refused" if made < 16 else f"BREACH: {made} threads")
