# attack: leaves files in every place that can be written, for the next case to find
# wall: what can be written is one memory file system, made anew between cases; all else is read-only
# ending: exit 0
# output: only /dev/shm /tmp
# cases: 3
# limits: cpu=4s wall=8s
import os

writable = set()
old = []
for folder, folders, files in os.walk("/"):
    if folder == "/":
        folders.remove("proc")
    if folder in ("/tmp", "/dev/shm"):
        old += folders + files
    path = os.path.join(folder, "left-behind")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o666))
        writable.add(folder)
    except OSError:
        pass
    if folder.count("/") > 4:
        folders.clear()
for place in ("/tmp", "/dev/shm"):
    os.mkdir(f"{place}/folder")
    os.chmod(f"{place}/folder", 0o7777)
    os.symlink("/etc/passwd", f"{place}/link")
    os.link(f"{place}/left-behind", f"{place}/folder/hard")
    # The places themselves.
    for attempt in (lambda: os.rename(place, "/tmp/folder/moved"), lambda: os.rmdir(place), lambda: os.chmod(place, 0o777),
                    lambda: os.setxattr(place, "user.kept", b"x"), lambda: os.utime(place, (1, 1))):
        try:
            attempt()
            old.append(f"{place} could be changed")
        except OSError:
            pass
print("only", *sorted(writable), *old)
