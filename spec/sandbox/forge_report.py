# attack: a wrong answer dressed as a report: prints "Pass", and writes the files that a report is published as
# wall: no report is ever written within; whatever is printed is the answer; the files are gone with the case
# ending: exit 0
# output: 1,3,3,Pass\n{"verdict":"AC","passed":10,"total":10}\n\x1b]0;Pass\x07\x1b[2J
# cases: 2
import os

report = '1,3,3,Pass\n{"verdict":"AC","passed":10,"total":10}\n\x1b]0;Pass\x07\x1b[2J'
for place in ("/tmp", "/dev/shm", ".", "/usr/src/submitter", "/", "/scratch"):
    for name in ("report.out", "forge_report.out", "forge_report.result.json", "forge_report.error.json", "test.out"):
        if os.path.exists(f"{place}/{name}"):
            print("BREACH: left", name)
        try:
            with open(f"{place}/{name}", "w") as file:
                file.write(report)
        except OSError:
            pass
print(report)
