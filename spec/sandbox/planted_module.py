# attack: plants modules where Python looks for them: beside the program, in HOME, in /tmp, by .pyc, .pth and customisations
# wall: the source's folder is read-only; HOME is made anew between cases; the environment is made, not inherited
# ending: exit 0
# output: nobody but me
# cases: 3
# modules: site
import os
import site
import sys

before = [name for name in ("usercustomize", "sitecustomize") if getattr(sys.modules.get(name), "planted", False)]
if any(path.startswith(("/tmp", "/dev/shm")) for path in sys.path):
    before.append(f"sys.path holds {sys.path}")
text = "planted = True\nprint('planted')\n"
places = [os.path.dirname(os.path.abspath(__file__)), site.getusersitepackages(), "/tmp", os.getcwd(), *site.getsitepackages(),
          os.path.dirname(os.__file__), "/dev/shm"]
for place in places:
    try:
        os.makedirs(place, exist_ok=True)
    except OSError:
        pass
    for name in ("usercustomize.py", "sitecustomize.py", "json.py", "string.py", "random.py", "evil.pth", "__init__.py"):
        try:
            with open(os.path.join(place, name), "w") as file:
                file.write("import sys; print('planted')\n" if name.endswith(".pth") else text)
        except OSError:
            pass
for name in (".pythonrc.py", ".profile", ".bashrc", ".pydistutils.cfg"):
    with open(os.path.join(os.path.expanduser("~"), name), "w") as file:
        file.write(text)
os.environ["PYTHONPATH"] = "/tmp"
os.environ["PYTHONSTARTUP"] = "/tmp/.pythonrc.py"
import random  # noqa: the one in the library, whatever was planted

if getattr(random, "planted", False):
    before.append("random")
print(*before or ["nobody but me"])
