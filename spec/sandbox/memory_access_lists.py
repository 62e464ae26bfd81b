# attack: takes memory as long access lists, two for each folder: the kernel keeps them beside the file, and neither the
#   memory group nor the size of the file system counts them
# wall: the filter has no way to set an extended attribute
# ending: exit 0
# output: refused
# limits: memory=32M files=1M cpu=4s
import os
import struct

# Owner, one user over and over, the owner's group, mask, others: the kernel doesn't mind that it is always the same.
entry = struct.Struct("<HHI")
nobody = 0xFFFFFFFF
access_list = struct.pack("<I", 2) + b"".join([
    entry.pack(0x01, 7, nobody), entry.pack(0x02, 7, os.getuid()) * 8180, entry.pack(0x04, 7, nobody),
    entry.pack(0x10, 7, nobody), entry.pack(0x20, 7, nobody)])
total = 0
for number in range(800):
    os.mkdir(f"/tmp/{number}")
    folder = os.open(f"/tmp/{number}", os.O_RDONLY)
    for name in ("system.posix_acl_access", "system.posix_acl_default"):
        for target in (f"/tmp/{number}", folder):
            try:
                os.setxattr(target, name, access_list)
                total += len(access_list) if target == folder else 0
            except OSError:
                pass
    os.close(folder)
print("refused" if not total else f"BREACH: {total >> 20} MiB that no limit counts")
