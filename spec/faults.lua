--- Seeds faults one at a time in a copy of the tree (a flipped condition, a dropped call, an off-by-one) and runs the tests
--- that should notice: each fault must turn one of them red.
---
---     build/submitter run spec/faults.lua [NAME PATTERN]
---
--- The copy is below the build folder, objects included, so that a fault in C recompiles one file. First the suites are run on
--- the untouched copy: a suite that is red anyway proves nothing.
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/.."
package.path = root .. "/?.lua;" .. package.path

local host = require "submitter.host"
local faults = require "spec.faults_list"

local pattern = arg[1] or ""
local build = host.system.executable():match "^(.*)/"
local tree = build .. "/faults"

local function must(value, message)
  if value == nil then error(message, 2) end
  return value
end

local environment = { PATH = os.getenv "PATH", HOME = os.getenv "HOME", LANG = "C.UTF-8" }

--- Runs a command of the shell in the copy: true if it exits 0, and what it printed.
local function shell(command, seconds)
  local ended = must(host.child.run { program = "/usr/bin/timeout",
    arguments = { "-k", "5", tostring(seconds), "/bin/sh", "-c", "cd '" .. tree .. "' && " .. command .. " 2>&1" },
    environment = environment, limit_bytes = 4 << 20 })
  return ended.exit_code == 0, ended.stdout
end

local function copy()
  local parent = must(host.file.directory(build))
  must(parent:remove_tree "faults")
  must(parent:make "faults")
  local folder = host.system.lua_directory():gsub("/lua$", "")
  local taken = {}
  for index, name in ipairs { "csrc", "docker", "lua", "spec", "Makefile" } do
    taken[index] = ("'%s/%s'"):format(folder, name)
  end
  local command = "cp -a %s . && mkdir build && cp -a '%s/obj' '%s'/submitter* build/ && make programs"
  local ok, output = shell(command:format(table.concat(taken, " "), build, build), 300)
  must(ok or nil, "the copy can't be built: " .. output)
end

--- The text of a fault's file and where its place is in it, which must be there exactly once.
local function place(directory, fault)
  local text = must(directory:read(fault.file))
  local first, last = text:find(fault.from, 1, true)
  must(first, ("%s: the place of this fault is gone from %s; bring the list up to date"):format(fault.name, fault.file))
  must(not text:find(fault.from, last + 1, true) or nil,
    ("%s: its place isn't unique in %s"):format(fault.name, fault.file))
  return text, first, last
end

--- Puts the fault in; returns what takes it out again.
local function seed(directory, fault)
  local text, first, last = place(directory, fault)
  must(directory:write(fault.file, text:sub(1, first - 1) .. fault.to .. text:sub(last + 1)))
  return function() must(directory:write(fault.file, text)) end
end

local chosen, suites = {}, {}
for _, fault in ipairs(faults) do
  if fault.name:find(pattern) then
    chosen[#chosen + 1] = fault
    for _, suite in ipairs(fault.suites) do suites[suite] = true end
  end
end

copy()
local directory = must(host.file.directory(tree))
for _, fault in ipairs(chosen) do place(directory, fault) end
local names = {}
for suite in pairs(suites) do names[#names + 1] = suite end
table.sort(names)
for _, suite in ipairs(names) do
  local ok, output = shell(suite, 300)
  must(ok or nil, ("without any fault this is red already: %s\n%s"):format(suite, output:sub(-3000)))
end

local missed = 0
for index, fault in ipairs(chosen) do
  local restore = seed(directory, fault)
  local built, output = shell("make programs", 300)
  must(built or nil, fault.name .. ": this doesn't compile, which is no test: " .. output)
  local noticed, by = false, nil
  for _, suite in ipairs(fault.suites) do
    if noticed then break end
    noticed, by = not shell(suite, 120), suite
  end
  restore()
  if not noticed then missed = missed + 1 end
  print(("%sok %d - %s: %s%s"):format(noticed and "" or "not ", index, fault.file, fault.name,
    noticed and " # " .. by or " # nothing noticed it"))
  io.stdout:flush()
end
print("1.." .. #chosen)
os.exit(missed == 0)
