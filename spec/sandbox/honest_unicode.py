# honest: output in all scripts, and its length as text
# ending: exit 0
# output: äöü Ω 中文 العربية 🎉 é 4
# arguments: Ωµ中🎉
import sys

print("äöü Ω 中文 العربية 🎉 é", len(sys.argv[1]))
