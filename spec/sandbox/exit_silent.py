# attack: says that all went well, and prints nothing
# wall: none is needed: an exit code alone is no answer
# ending: exit 0
# output:
import sys

sys.exit(0)
