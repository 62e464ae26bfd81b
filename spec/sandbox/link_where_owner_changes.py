# attack: puts links, soft and hard, and folders of links, where somebody privileged may change owners or modes, so that what
#   they point to becomes the student's: how CVE-2024-28189 of Judge0 led out of its sandbox, past the mending of CVE-2024-28185
# wall: nobody ever changes an owner or a mode of what the student can write to: the writable places are replaced, not cleaned
# ending: exit 0
# output: nothing is mine
# arguments: {number} {secrets}
# cases: 3
import os
import sys

found = []
secrets = sys.argv[2:]
system = ["/etc/passwd", "/usr/bin/env", "/usr/bin", "/usr/src/submitter", os.path.abspath(__file__), "/dev/null", "/scratch", "/tmp",
          "/dev/shm", "/"]
for path in system:
    status = os.stat(path)
    if status.st_uid == os.getuid() or status.st_gid == os.getgid():
        found.append(f"{path} belongs to us")
    for attempt in (lambda: os.chown(path, os.getuid(), os.getgid()), lambda: os.chmod(path, 0o777),
                    lambda: os.chown(path, -1, os.getgid(), follow_symlinks=False)):
        try:
            attempt()
            found.append(f"{path} could be taken")
        except OSError:
            pass
for place in ("/tmp", "/dev/shm"):
    os.mkdir(f"{place}/box")
    os.mkdir(f"{place}/box/deep")
    for number, target in enumerate(secrets + system):
        for path in (f"{place}/{number}", f"{place}/box/{number}", f"{place}/box/deep/{number}"):
            os.symlink(target, path)
        # A link to a file itself needs no permission to change, where the kernel doesn't see to it.
        for path in (f"{place}/hard-{number}", f"{place}/box/hard-{number}"):
            try:
                os.link(target, path)
                found.append(f"{target} could be linked")
            except OSError:
                pass
    # And folders that look as if they were the places themselves.
    for name in ("tmp", "shm", "scratch", "submitter"):
        os.symlink(os.path.dirname(secrets[0]), f"{place}/{name}")
print(*found or ["nothing is mine"], sep="; ")
