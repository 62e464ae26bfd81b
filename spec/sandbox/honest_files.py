# honest: temporary files and folders, its own source, the current folder
# ending: exit 0
# output: kept 3 True /usr/src/submitter
# cases: 2
# modules: tempfile shutil
import os
import shutil
import tempfile

with tempfile.TemporaryFile("w+") as file:
    file.write("kept")
    file.seek(0)
    first = file.read()
with tempfile.TemporaryDirectory() as folder:
    for name in "abc":
        with open(os.path.join(folder, name), "w") as file:
            file.write(name)
    shutil.copytree(folder, folder + "2")
    second = len(os.listdir(folder + "2"))
with open(__file__) as file:
    third = "honest" in file.readline()
print(first, second, third, os.getcwd())
