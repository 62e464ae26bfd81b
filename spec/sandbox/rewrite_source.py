# attack: rewrites, renames, replaces, covers and removes its own source, so that the next case runs another
# wall: the source is the runner's, in a file system that is made read-only before the first case
# ending: exit 0
# output: original
# cases: 3
# with: probe.py
# modules: ctypes
import os

import probe

word = "original"
path = os.path.abspath(__file__)
folder = os.path.dirname(path)
with open(path) as file:
    changed = file.read().replace('word = "original"', 'word = "BREACH: changed"')
with open("/tmp/changed.py", "w") as file:
    file.write(changed)
for what, attempt in {
    "writing": lambda: open(path, "r+"),
    "appending": lambda: open(path, "a"),
    "cutting": lambda: os.truncate(path, 0),
    "renaming": lambda: os.rename(path, path + ".old"),
    "moving away": lambda: os.rename(path, "/tmp/old.py"),
    "moving over": lambda: os.rename("/tmp/changed.py", path),
    "removing": lambda: os.unlink(path),
    "linking": lambda: os.link(path, folder + "/other.py"),
    "linking softly": lambda: os.symlink("/tmp/changed.py", folder + "/other.py"),
    "changing its mode": lambda: os.chmod(path, 0o666),
    "changing its owner": lambda: os.chown(path, os.getuid(), os.getgid()),
    "changing its times": lambda: os.utime(path, (1, 1)),
    "changing its attributes": lambda: os.setxattr(path, "user.kept", b"x"),
    "renaming the folder": lambda: os.rename(folder, folder + ".old"),
    "changing the folder's mode": lambda: os.chmod(folder, 0o777),
    "a file beside it": lambda: open(folder + "/new", "w"),
    "a file by /proc": lambda: open("/proc/self/cwd/new", "w"),
}.items():
    probe.fails(what, attempt)
descriptor = os.open(path, os.O_RDONLY)
probe.fails("writing by a reopened descriptor", lambda: os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR))
probe.fails("writing by a descriptor", lambda: os.write(descriptor, b"x"))
for flags in (4096, 32, 4096 | 16384):
    outcome = probe.call("mount", b"/tmp/changed.py", path.encode(), 0, flags, 0)
    if outcome[0] == 0:
        probe.breach("mounting over")
probe.finish(word)
