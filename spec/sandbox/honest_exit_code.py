# honest: an exit code of its own
# ending: exit 42
# output: before
import sys

print("before")
sys.exit(42)
