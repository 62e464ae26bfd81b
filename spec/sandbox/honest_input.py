# honest: reads its input line by line, and again at its end
# ending: exit 0
# output: 2 lines, then EOFError
# input: one\ntwo\n
lines = [input(), input()]
try:
    input()
except EOFError:
    print(len(lines), "lines, then EOFError")
