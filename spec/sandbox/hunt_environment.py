# attack: looks for the host's environment, in its own and on its stack
# wall: the environment is made, not inherited
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes
import os

import probe

known = {"PATH", "HOME", "LANG", "LC_CTYPE"}
if set(os.environ) - known:
    probe.breach(f"the environment holds {set(os.environ) - known}")
with open("/proc/self/maps") as file:
    ranges = [line.split() for line in file]
with open("/proc/self/mem", "rb", buffering=0) as memory:
    for place, rights, *rest in ranges:
        if rights.startswith("r") and rest[-1] not in ("[vvar]", "[vvar_vclock]", "[vsyscall]"):
            start, end = (int(part, 16) for part in place.split("-"))
            try:
                memory.seek(start)
                found = probe.secrets(memory.read(end - start))
            except OSError:
                continue
            if found:
                probe.breach(f"the memory at {place} holds {found}")
probe.finish()
