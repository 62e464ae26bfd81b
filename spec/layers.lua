--- Checks that the rooms call each other only as the design allows, and that the tree holds what was agreed. Prints TAP.
---
---     lua5.4 spec/layers.lua
---
--- C: main → bind → host → io → {aws, protocol} → base, left to right only. lua.h in bind/, host/ and main.c only; uv.h in io/
--- and host/; sandbox/ and runner/ are programs of their own. Lua: only submitter/host.lua requires the C modules.
local sql_rule = require "spec.sql_rule"

local tests, failures = 0, 0

local function check(problems, name)
  tests = tests + 1
  if #problems > 0 then failures = failures + 1 end
  print(("%sok %d - %s"):format(#problems == 0 and "" or "not ", tests, name))
  for _, problem in ipairs(problems) do print("  # " .. problem) end
end

local function files(pattern)
  local list = {}
  -- Also what git doesn't know yet, so that a new file is checked before it is committed.
  local pipe = assert(io.popen("git ls-files --cached --others --exclude-standard -- " .. pattern))
  for name in pipe:lines() do list[#list + 1] = name end
  pipe:close()
  return list
end

local function read(name)
  local file = io.open(name, "rb")
  if not file then return "" end -- deleted, not committed yet
  local text = file:read "a"
  file:close()
  return text
end

-- ---- C ----

local may_include = {
  [""] = { bind = true, host = true },
  bind = { bind = true, host = true, io = true, aws = true, protocol = true, base = true },
  host = { host = true, io = true, base = true },
  io = { io = true, aws = true, protocol = true, base = true },
  aws = { aws = true, base = true },
  protocol = { protocol = true, base = true },
  base = { base = true },
  sandbox = { sandbox = true },
  runner = { runner = true, protocol = true },
}
local library_rooms = {
  ["lua%.h"] = { [""] = true, bind = true, host = true }, ["lauxlib%.h"] = { [""] = true, bind = true, host = true },
  ["uv%.h"] = { io = true, host = true }, ["curl/"] = { io = true }, ["libpq"] = { io = true },
  ["seccomp%.h"] = { sandbox = true },
}

local wrong_rooms, wrong_libraries = {}, {}
for _, name in ipairs(files "'csrc/*.c' 'csrc/*.h'") do
  local room = name:match "^csrc/([^/]+)/" or ""
  if room ~= "test" then
    for included in read(name):gmatch '#include%s+"([^"]+)"' do
      local target = included:match "^%.%./([^/]+)/" or (included:match "/" and included:match "^([^/]+)/") or room
      if not (may_include[room] and may_include[room][target]) then
        wrong_rooms[#wrong_rooms + 1] = name .. " includes " .. included
      end
    end
    for included in read(name):gmatch "#include%s+<([^>]+)>" do
      for library, rooms in pairs(library_rooms) do
        if included:find("^" .. library) and not rooms[room] then
          wrong_libraries[#wrong_libraries + 1] = name .. " includes <" .. included .. ">"
        end
      end
    end
  end
end
check(wrong_rooms, "C rooms include only what lies to their right")
check(wrong_libraries, "libraries are used in their rooms only")

local resumers = {}
for _, name in ipairs(files "'csrc/*.c'") do
  local text = read(name)
  -- watchdog.c runs policy code to its end in a coroutine that can't yield: no scheduling.
  if name ~= "csrc/host/task.c" and name ~= "csrc/host/watchdog.c" and text:find "lua_resume%s*%(" then
    resumers[#resumers + 1] = name .. " resumes"
  end
  if name ~= "csrc/host/task.c" and text:find "lua_yieldk?%s*%(" then resumers[#resumers + 1] = name .. " yields" end
end
check(resumers, "only host/task.c resumes and yields")

-- ---- Lua ----

local requirers, printers = {}, {}
for _, name in ipairs(files "'lua/*.lua'") do
  local text = read(name)
  if name ~= "lua/submitter/host.lua" and not name:find "^lua/meta/" and text:find 'require%s*%(?"submitter%.core' then
    requirers[#requirers + 1] = name
  end
  if name:find "^lua/submitter/" and not name:find "^lua/submitter/cli/" and text:find "[^%w_.:]print%s*%(" then
    printers[#printers + 1] = name
  end
end
check(requirers, "only lua/submitter/host.lua requires the C modules")
check(printers, "nothing but the command line prints")

local composed = {}
for _, name in ipairs(files "'lua/*.lua'") do
  for _, problem in ipairs(sql_rule.problems(name, read(name))) do composed[#composed + 1] = problem end
end
check(composed, "SQL is written down, never put together")

local pending = {}
for _, name in ipairs(files "'spec/*.lua'") do
  if name ~= "spec/layers.lua" and read(name):find "%f[%w]pending%s*%(" then pending[#pending + 1] = name end
end
check(pending, "no spec is pending")

-- ---- the tree ----

local allowed = { csrc = true, lua = true, spec = true, rockspec = true, docker = true, Makefile = true,
  ["README.md"] = true, LICENSE = true }
local strangers, seen = {}, {}
for _, name in ipairs(files ".") do
  local top = name:match "^[^/]+"
  if not allowed[top] and not top:find "^%." and not seen[top] then strangers[#strangers + 1] = top end
  seen[top] = true
end
check(strangers, "the top level holds what was agreed")

local unfinished, long = {}, {}
for _, name in ipairs(files "csrc lua spec Makefile .ci README.md") do
  local text = read(name)
  local _, lines = text:gsub("\n", "")
  if name ~= "spec/layers.lua" and (text:find "%f[%w]TODO%f[%W]" or text:find "%f[%w]FIXME%f[%W]") then
    unfinished[#unfinished + 1] = name
  end
  if name:find "%.[chl]u?a?$" and lines > 800 then long[#long + 1] = ("%s (%d lines)"):format(name, lines) end
end
check(unfinished, "nothing is marked as unfinished")
check(long, "no source file is longer than 800 lines")

print("1.." .. tests)
os.exit(failures == 0)
