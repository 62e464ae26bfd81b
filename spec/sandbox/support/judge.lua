--- Whether a case ended as its program's header says.
local judge = {}

-- What a busy machine may be late by. "A case ends within 50 ms of its limit" holds where nothing else runs; programs that
-- measure that say so (alone: yes).
local late_ms, late_alone_ms = 200, 50

local function describe(result)
  if result.ending == "exit" then return "exit " .. result.exit_code end
  if result.ending == "signal" then return "signal " .. result.signal end
  return result.ending
end

local function shorten(text)
  return #text > 400 and ("%q… (%d bytes)"):format(text:sub(1, 400), #text) or ("%q"):format(text)
end

local function contains(list, value)
  for _, one in ipairs(list) do
    if one == value then return true end
  end
  return false
end

local function check_ending(wanted, result, complain)
  local ending = describe(result)
  if contains(wanted.ending, ending) then return end
  complain(("ended with %s instead of %s; stdout %s, stderr %s"):format(ending, table.concat(wanted.ending, " or "),
    shorten(result.stdout), shorten(result.stderr)))
end

local function check_output(header, wanted, result, complain)
  if result.ending ~= "exit" then return end
  local printed = result.stdout:gsub("\n$", "")
  if wanted.output and printed ~= wanted.output then
    complain(("printed %s instead of %s; stderr %s"):format(shorten(result.stdout), shorten(wanted.output),
      shorten(result.stderr)))
  end
  if header["output bytes"] and #result.stdout ~= header["output bytes"] then
    complain(("printed %d bytes instead of %d"):format(#result.stdout, header["output bytes"]))
  end
  if header.errors and not result.stderr:find(header.errors, 1, true) then
    complain(("said %s on standard error, without %q"):format(shorten(result.stderr), header.errors))
  end
end

-- That a limit was kept, and not used as an excuse.
local function check_limits(header, setting, result, complain)
  local limits, late = header.limits, (header.alone and late_alone_ms or late_ms) * setting.slowness
  local cpu_ms, wall_ms = result.cpu_us / 1000, result.wall_us / 1000
  if wall_ms > limits.wall_ms + late then
    complain(("ran for %.0f ms with a limit of %d by the clock"):format(wall_ms, limits.wall_ms), true)
  end
  if result.ending == "wall" and wall_ms < limits.wall_ms then
    complain(("is said to have reached %d ms by the clock after %.0f"):format(limits.wall_ms, wall_ms))
  end
  if cpu_ms > limits.cpu_ms + late then
    complain(("used %.0f ms of CPU time with a limit of %d"):format(cpu_ms, limits.cpu_ms), true)
  end
  if result.ending == "cpu" and cpu_ms < limits.cpu_ms then
    complain(("is said to have reached %d ms of CPU time with %.0f"):format(limits.cpu_ms, cpu_ms))
  end
  if header.within and wall_ms > header.within then
    complain(("took %.0f ms where %d should do"):format(wall_ms, header.within), true)
  end
  if setting.accounting == "cgroup" and result.memory_bytes > limits.memory_bytes * 1.05 + (1 << 20) then
    complain(("had %d bytes of memory with a limit of %d"):format(result.memory_bytes, limits.memory_bytes))
  end
  if #result.stdout > limits.output_bytes then complain("more output than its limit was kept") end
end

--- What is wrong with a case, as complaints.
---@param header table support/header.lua
---@param setting table of the whole run: accounting ("cgroup", "rlimit" or "container"), slowness (1 on an ordinary machine),
--- secret (what must not come out)
---@param result SandboxResult
---@param elapsed_ms integer how long we waited for it
---@return string[]
---@return boolean only_late all of them are that something took too long, which a busy machine can do as well
function judge.case(header, setting, result, elapsed_ms)
  local complaints, only_late = {}, true
  local function complain(text, late)
    complaints[#complaints + 1] = text
    only_late = only_late and late or false
  end
  local wanted = { ending = header.ending, output = header.output }
  wanted.ending = header["ending in " .. setting.accounting] or wanted.ending
  wanted.output = header["output in " .. setting.accounting] or wanted.output
  check_ending(wanted, result, complain)
  check_output(header, wanted, result, complain)
  check_limits(header, setting, result, complain)
  -- What comes after its end: killing, draining, making all as it was.
  if elapsed_ms > result.wall_us / 1000 + 1000 * setting.slowness then
    complain(("the verdict came %.0f ms after its end"):format(elapsed_ms - result.wall_us / 1000), true)
  end
  if (result.stdout .. result.stderr):find(setting.secret, 1, true) then complain("A SECRET CAME OUT") end
  return complaints, only_late
end

return judge
