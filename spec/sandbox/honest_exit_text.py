# honest: sys.exit with a text is exit code 1 and that text on standard error
# ending: exit 1
# output: before
# errors: something was wrong
import sys

print("before")
sys.exit("something was wrong")
