# attack: asks for sockets of protocols that the kernel would load a module for: SCTP, DCCP, MPTCP, L2TP, SMC, …
# wall: the filter refuses the families; refused later, by the protocol, the module would be loaded already
# ending: exit 0
# output: held
# with: probe.py
# modules: ctypes
import errno

import probe

for family in (2, 10):
    for kind in (1, 2, 5, 6):
        for protocol in (33, 47, 115, 132, 136, 256, 262, 6 | 1 << 8):
            for above in (0, 1 << 32):
                # The answer of the filter; the kernel's own, "no such protocol", comes after it has looked for a module.
                probe.refused("socket", family, kind, protocol | above, reasons=(errno.EAFNOSUPPORT,))
                probe.refused("socket", family, kind | 0o2000000, protocol | above, reasons=(errno.EAFNOSUPPORT,))
    for kind in (4, 5, 6, 7, 10):
        probe.refused("socket", family, kind, 0, reasons=(errno.EAFNOSUPPORT,))
probe.finish()
