-- Runs specs with busted inside the host, so that they use the very modules and the scheduler that the service uses:
--
--     build/submitter run spec/run.lua [BUSTED OPTION…] [FILE OR FOLDER…]
--
-- With nothing named it runs all of spec/ but what needs more than the embedded default (with_engine, with_postgres,
-- integration, bench).
-- Where this user can't have a sandbox, or none with control groups, tests with #rlimit or #cgroup in their names are left
-- out, and that is told as a skipped test.
local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. here .. "/../lua/?.lua;" .. here .. "/../lua/?/init.lua;" .. package.path

local named = false
for _, word in ipairs(arg) do
  named = named or not word:find("^%-")
end
if not named then
  local lfs = require "lfs"
  local needs_more = { ["."] = true, [".."] = true, integration = true, with_engine = true, with_postgres = true }
  for name in lfs.dir(here) do
    local is_folder = lfs.attributes(here .. "/" .. name, "mode") == "directory"
    if not needs_more[name] and (is_folder or name:find "_spec%.lua$") then arg[#arg + 1] = here .. "/" .. name end
  end
end

package.path = here .. "/../?.lua;" .. package.path
local loaded = {}
for name in pairs(package.loaded) do loaded[name] = true end
local ability = require "spec.ability"
for _, need in ipairs { "cgroup", "rlimit" } do
  local reason = ability.reason_to_skip(need)
  if reason then
    print(("ok - the tests that need a sandbox (%s) # SKIP %s"):format(need, reason))
    arg[#arg + 1] = "--exclude-tags=" .. need
  end
end
-- Each spec loads what it tests anew.
for name in pairs(package.loaded) do
  if not loaded[name] then package.loaded[name] = nil end
end

require "busted.runner" { standalone = false }
