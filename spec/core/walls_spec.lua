--- What a runner could do that its student took over: a program of the test's own stands in its place.
local host = require "submitter.host"
local python = require "submitter.python"

local program = [[
import os, signal, socket, stat

def report(name, value):
    print(name, value, flush=True)

# Directories among what was handed over lead nowhere else.
for descriptor in range(3, 64):
    try:
        about = os.fstat(descriptor)
    except OSError:
        continue
    if not stat.S_ISDIR(about.st_mode):
        continue
    above = os.open("../../../../../../../../..", os.O_PATH, dir_fd=descriptor)
    there = os.fstat(above)
    if (there.st_dev, there.st_ino) != (about.st_dev, about.st_ino):
        report("climbed", descriptor)
    for attempt in range(8):
        try:
            os.mkdir(f"more-{attempt}", dir_fd=descriptor)
        except OSError:
            break
        try:
            os.mkdir(f"more-{attempt}/deeper", dir_fd=descriptor)
            report("deeper", descriptor)
        except OSError:
            pass
    else:
        report("groups", attempt)

for family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, 40):
    try:
        socket.socket(family, socket.SOCK_DGRAM)
        report("family", family)
    except OSError:
        pass

children = []
try:
    while len(children) < 1000:
        child = os.fork()
        if child == 0:
            signal.pause()
        children.append(child)
except OSError:
    pass
report("children", "few" if len(children) < 20 else len(children))
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)

child = os.fork()
if child == 0:
    hoard = bytearray(700 << 20)
    for place in range(0, len(hoard), 4096):
        hoard[place] = 1
    os._exit(0)
report("memory", "bounded" if os.waitpid(child, 0)[1] == signal.SIGKILL else "endless")
]]

describe("the walls around a runner that was taken over", function()
  it("leave it neither the host's files, nor the network, nor more of the machine than its share #cgroup", function()
    local programs = host.system.executable():match "^(.*)/"
    local interpreter = assert(python.find())
    local escaped = program:gsub("\\", "\\\\"):gsub("\n", "\\n"):gsub("'", "\\'")
    -- Its standard input stays open: the end of that would be the host's.
    local child <close> = assert(host.child.start {
      program = programs .. "/submitter-sandbox", arguments = { "--spec-fd", "3" }, environment = {},
      stdin = "pipe", stdout = "pipe", stderr = "pipe", descriptors = {
        [3] = ("version=1\nprogram=%s\noutput_bytes=0\nargument=-c\nargument=exec('%s')\n")
          :format(interpreter, escaped),
      },
    })
    local printed = { stdout = "", stderr = "" }
    for name in pairs(printed) do
      repeat
        local piece = assert(child:read(name))
        printed[name] = printed[name] .. piece
      until piece == ""
    end
    assert.are.same({ stderr = "", stdout = "children few\nmemory bounded\n" }, printed)
    assert.are.equal(0, child:wait().exit_code)
  end)
end)
