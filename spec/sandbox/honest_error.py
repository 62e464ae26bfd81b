# honest: an exception that nobody catches, with its traceback
# ending: exit 1
# output: before
# errors: ZeroDivisionError
print("before")
print(1 // 0)
