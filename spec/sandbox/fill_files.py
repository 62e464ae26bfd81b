# attack: fills both writable places to see whether each has the whole room
# wall: /tmp and /dev/shm are one memory file system of one size
# ending: exit 0
# output: one room
# limits: files=4M
total = 0
for place in ("/tmp", "/dev/shm"):
    try:
        for number in range(64):
            with open(f"{place}/{number}", "wb", buffering=0) as file:
                for _ in range(64):
                    total += file.write(b"x" * 65536)
    except OSError:
        pass
print("one room" if 3 << 20 <= total <= 4 << 20 else f"BREACH: {total} bytes")
