"""Writes the specification of the walls in a container (csrc/sandbox/spec.h), for the interpreter that runs this.

    python3 -I specification.py >container.spec

Run while the image is built. Refuses a Python older than 3.8.
"""
import os
import sys

PROGRAM = "/usr/lib/submitter/submitter-runner"
# Shown within the walls anyway.
SYSTEM = ("/usr/", "/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/")
# The walls put something else there.
TAKEN = ("/tmp", "/proc", "/dev", "/etc", "/sys", "/var", "/run", "/root")


def interpreter():
    """The path to start it by. A virtual environment is known by the name under which its link is called."""
    if sys.prefix != sys.base_prefix:
        return os.path.abspath(sys.executable)
    return os.path.realpath(sys.executable)


def shown(path):
    """The folders that Python needs and the walls don't show by themselves, none of them within another."""
    wanted = {os.path.realpath(one) for one in (sys.prefix, sys.base_prefix, sys.base_exec_prefix)}
    wanted |= {os.path.dirname(path), os.path.dirname(os.path.realpath(path))}
    folders = []
    for folder in sorted(wanted):
        if not (folder + "/").startswith(SYSTEM) and not any((folder + "/").startswith(one + "/") for one in folders):
            folders.append(folder)
    return folders


def main():
    if sys.version_info < (3, 8):
        sys.exit("The base's python3 is %d.%d, 3.8 is the least: name another, --build-arg BASE=…" % sys.version_info[:2])
    path = interpreter()
    lines = ["version=1", "program=" + PROGRAM, "accounting=container", "interpreter=" + path,
             "interpreter_version=" + sys.version.split()[0]]
    for folder in shown(path):
        if folder == "/" or any((folder + "/").startswith(one + "/") for one in TAKEN):
            sys.exit("The base's Python is in %s, which the walls can't show: install it below /usr or /opt" % folder)
        lines.append("bind_ro=" + folder)
    print("\n".join(lines))


main()
