# honest: other programs, with pipes, shells and environments
# ending: exit 0
# output: HELLO 3 student 7
# modules: subprocess
import subprocess
import sys

first = subprocess.run(["tr", "a-z", "A-Z"], input="hello", capture_output=True, text=True, check=True).stdout
second = subprocess.run("printf 'b\\na\\nc\\n' | sort | wc -l", shell=True, capture_output=True, text=True).stdout.strip()
third = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
with subprocess.Popen([sys.executable, "-c", "import os; os._exit(int(os.environ['CODE']))"], env={"CODE": "7"}) as child:
    child.wait()
print(first, second, third, child.returncode)
