--- Which tests can run here: what kind of sandbox this machine lets this user build, by trying it.
---
--- Root is never excused: what he can't build is a failure, since nothing but a fault of ours would keep him from it on a
--- machine that the tests are meant for. An ordinary user may lack a control group or subordinate ids; then what needs them is
--- skipped, with that reason.
local host = require "submitter.host"
local python = require "submitter.python"

local ability = {}

local limits = {
  memory_bytes = 64 << 20, cpu_ms = 300, wall_ms = 3000, output_bytes = 65536, processes = 16, file_bytes = 1 << 20,
}

---@async
local function try(accounting)
  local interpreter, reason = python.find()
  if not interpreter then return nil, reason end
  local box, message = host.sandbox.start { limits = limits, interpreter = interpreter, accounting = accounting }
  if not box then return nil, message end
  assert(box:close())
  return accounting
end

--- By what the sandboxes that can be built here bound and measure programs.
---@async
---@return "cgroup"|"rlimit"|nil
---@return string|nil reason why not by control groups, or why none can be built
function ability.accounting()
  local best, no_group = try "cgroup"
  if best then return best end
  local second, reason = try "rlimit"
  if second then return second, no_group end
  return nil, reason
end

--- Why something must be skipped, in one line; nil when it must run, be it to fail.
---@async
---@param need "root"|"cgroup"|"rlimit"
---@return string|nil
function ability.reason_to_skip(need)
  if host.system.user_id() == 0 then return nil end
  if need == "root" then
    return ("only root can run it; this is user %d (sudo make test runs everything)"):format(host.system.user_id())
  end
  local best, reason = ability.accounting()
  if best == "cgroup" or best == need then return nil end
  return (reason:gsub("%s+", " "))
end

return ability
