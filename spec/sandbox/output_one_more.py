# attack: one byte more than its limit of output, then a clean end
# wall: bytes are counted, not those that were kept
# ending: output
# limits: output=64K
import sys

sys.stdout.write("x" * 65537)
