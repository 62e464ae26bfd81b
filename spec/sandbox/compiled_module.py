# attack: plants byte code that the next case would run instead of the source, its own and the library's
# wall: the source's folder and the library are read-only
# ending: exit 0
# output: from the source
# cases: 2
# with: helper.py
# modules: py_compile
import importlib.util
import os
import py_compile

import helper

with open("/tmp/other.py", "w") as file:
    file.write("def answer():\n    return 'BREACH: from planted byte code'\n")
os.utime("/tmp/other.py", (os.stat(helper.__file__).st_mtime,) * 2)
for path in (helper.__file__, __file__, os.__file__, importlib.util.__file__):
    target = importlib.util.cache_from_source(path)
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        py_compile.compile("/tmp/other.py", cfile=target, dfile=path,
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
        print("BREACH: wrote", target)
    except OSError:
        pass
print(helper.answer())
