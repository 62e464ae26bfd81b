# attack: becomes another user, takes capabilities, runs set-user-id programs, makes device files
# wall: no new privileges, no capabilities, an empty bounding set; nodev and nosuid everywhere; the filter
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes
import ctypes
import os
import stat

import probe

for user in (0, 1, 1001, 65534):
    probe.refused("setuid", user)
    probe.refused("setgid", user)
    probe.refused("setresuid", user, user, user)
    probe.refused("setresgid", user, user, user)
    probe.call("setfsuid", user)
    if probe.call("setfsuid", user)[0] == user:
        probe.breach(f"file user {user}")
probe.refused("setgroups", 1, (ctypes.c_uint32 * 1)(0))
probe.refused("capset", (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(~0, ~0, ~0, ~0, ~0, ~0))
for option in (24, 28, 8, 47, 35, 36 + 1000):  # bounding set, secure bits, keeping, ambient, memory map
    outcome = probe.call("prctl", option, 2, 21, 0, 0)
    if outcome[0] > 0 or (outcome[0] == 0 and option in (8, 28, 35)):
        probe.breach(f"prctl {option} gave {outcome[0]}")

with open("/proc/self/status") as file:
    status = dict(line.split(":", 1) for line in file)
for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
    if int(status[name], 16):
        probe.breach(f"{name} is {status[name].strip()}")
if status["NoNewPrivs"].strip() != "1" or status["Seccomp"].strip() != "2":
    probe.breach("no new privileges, or the filter, is off")
if set(status["Uid"].split()) != {"1000"} or set(status["Gid"].split()) != {"1000"} or status["Groups"].strip():
    probe.breach(f"users {status['Uid']}, groups {status['Gid']} {status['Groups']}")

# Set-user-id programs and device files do nothing wherever they stand, and only two places can be written.
with open("/proc/self/mountinfo") as file:
    for line in file:
        place, options = line.split()[4:6]
        options = options.split(",")
        if "nosuid" not in options:
            probe.breach(f"{place} is mounted {options}")
        if "nodev" not in options and not place.startswith("/dev/"):
            probe.breach(f"{place} is mounted {options}")
        if "ro" not in options and place not in ("/tmp", "/dev/shm", "/scratch", "/proc"):
            probe.breach(f"{place} is mounted {options}")

for device in (os.makedev(1, 1), os.makedev(8, 0), os.makedev(1, 3), os.makedev(0, 0)):
    for kind in (stat.S_IFCHR, stat.S_IFBLK):
        probe.fails("a device file", lambda: os.mknod("/tmp/device", kind | 0o666, device))
        outcome = probe.call("mknodat", -100, b"/tmp/device", kind | 0o666 | 1 << 32, device)
        if outcome[0] == 0:
            probe.breach("a device file got past the filter")
probe.finish()
