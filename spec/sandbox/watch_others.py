# attack: watches the system's files, which all sandboxes share, to see which of them other programs open
# wall: the filter has neither inotify nor the older directory notices
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes fcntl
import fcntl
import os

import probe

probe.refused("inotify_init1", 0)
probe.refused("fanotify_init", 0, 0)
folder = os.open("/usr/lib", os.O_RDONLY)
for form in (fcntl.F_NOTIFY, fcntl.F_NOTIFY | 1 << 32):
    outcome = probe.call("fcntl", folder, form, 0x8000001F)
    if outcome[0] != -1:
        probe.breach("a folder's notices are delivered")
probe.finish()
