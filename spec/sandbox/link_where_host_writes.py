# attack: puts links where somebody privileged may write next, a program to run, an input, an output, a report, so that he
#   writes to where they point: how CVE-2024-28185 of Judge0 led out of its sandbox
# wall: the host writes nothing that the student can reach: the source once, before any of his programs runs, all else goes
#   through pipes; the writable places are replaced, not written to
# ending: exit 0
# output: fresh
# arguments: {number} {secrets}
# input: given\n
# cases: 3
import os
import stat
import sys

old = []
targets = sys.argv[2:] + ["/etc/passwd", "/usr/bin/env", "/proc/self/mem", "/proc/1/mem"]
names = ["run", "run.sh", "run_script", "compile", "stdin", "stdout", "stderr", "stdin.txt", "stdout.txt", "input", "output",
         "source", "metadata", "metadata.txt", "result.json", "link_where_host_writes.py", "link_where_host_writes.out",
         "link_where_host_writes.result.json", "case", "tmp", "shm", "box", "report.out"]
for folder in ("/tmp", "/dev/shm", "/usr/src/submitter", "/usr/src", "/scratch", "/", "/dev", "/etc", "/proc/self"):
    for number, name in enumerate(names):
        path = f"{folder}/{name}"
        if os.path.islink(path) and folder in ("/tmp", "/dev/shm"):
            old.append(path)
        try:
            os.symlink(targets[number % len(targets)], path)
        except OSError:
            continue
        if folder not in ("/tmp", "/dev/shm"):
            old.append(f"{path} could be made")
# A link in the place of a whole folder, and one that is swapped with what it points to.
for place in ("/tmp/folder", "/dev/shm/folder"):
    os.mkdir(place)
    os.rename(place, place + ".old")
    os.symlink(os.path.dirname(targets[0]), place)
for what, attempt in {
    "the source": lambda: os.replace("/tmp/run", os.path.abspath(__file__)),
    "the folder of the source": lambda: os.rename("/tmp/folder", os.getcwd()),
    "the writable place": lambda: os.rename("/dev/shm/folder", "/tmp"),
}.items():
    try:
        attempt()
        old.append(f"{what} could be replaced")
    except OSError:
        pass
if not stat.S_ISREG(os.lstat(__file__).st_mode):
    old.append("the source is no file")
if sys.stdin.read() != "given\n":
    old.append("the input is another")
print(*old or ["fresh"])
