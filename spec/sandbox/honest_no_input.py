# honest: asks for input where there is none
# ending: exit 1
# output:
# errors: EOFError: EOF when reading a line
input()
