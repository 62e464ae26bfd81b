--- Asks whether a suite can run here, for the Makefile:
---
---     if build/submitter run spec/able.lua root|cgroup|rlimit NAME; then COMMAND; fi
---
--- Exits 0 if it can. Otherwise it prints one skipped test with that name and the reason, and exits 1. spec/ability.lua says
--- what is tried.
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/.."
package.path = root .. "/?.lua;" .. package.path

local ability = require "spec.ability"

local need, name = arg[1], arg[2]
if not name or not ({ root = true, cgroup = true, rlimit = true })[need] then
  io.stderr:write("usage: able.lua root|cgroup|rlimit NAME\n")
  os.exit(2)
end
local reason = ability.reason_to_skip(need)
if reason then
  print(("ok 1 - %s # SKIP %s"):format(name, reason))
  os.exit(1)
end
