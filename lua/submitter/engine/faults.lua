--- Names for what goes wrong with an engine, and what each means to a worker. None of it is ever a student's fault. A message
--- begins with the name. Pure.
local host = require "submitter.host"
local units = require "submitter.units"

local faults = {}

local MESSAGE_BYTES = 600

-- "unavailable" may pass by itself, "environment" takes an operator, "sandbox" is over with another container.
local codes = {
  ["engine away"] = "unavailable",
  ["engine slow"] = "unavailable",
  ["engine failed"] = "unavailable",
  ["out of disk"] = "unavailable",
  ["engine closed to this user"] = "environment",
  ["engine too old"] = "environment",
  ["engine refused"] = "environment",
  ["no such image"] = "environment",
  ["image doesn't fit"] = "environment",
  ["no such container"] = "sandbox",
  ["name taken"] = "sandbox",
  ["container killed from outside"] = "sandbox",
  ["container died"] = "sandbox",
}

-- An engine's own words, of which there may be many lines.
local function told(text)
  local line = host.text.repair(tostring(text)):gsub("%s+", " ")
  return (units.cut(line, MESSAGE_BYTES))
end

--- A failure with a name, as functions return it.
---@param name string one of those above
---@param text string what happened
---@return nil
---@return string message
---@return "unavailable"|"environment"|"sandbox" code
---@return string name
function faults.failure(name, text)
  local code = codes[name]
  if not code then error(("faults.failure: no fault is called %q"):format(tostring(name)), 2) end
  return nil, ("%s: %s"):format(name, told(text)), code, name
end

-- Both engines say why in words only. Docker's: moby/daemon/errors.go and containerd's; Podman's: libpod/define/errors.go.
local function holds(text, ...)
  for _, part in ipairs { ... } do
    if text:find(part, 1, true) then return true end
  end
  return false
end

-- What the image would have to hold isn't there, or isn't for this kind of machine.
local function is_images_fault(text)
  return holds(text, "oci runtime", "runc create failed", "crun:")
    and holds(text, "no such file or directory", "executable file not found", "exec format error", "not found")
end

local function name_of_answer(status, text)
  text = text:lower()
  if holds(text, "no space left on device", "disk quota exceeded") then
    return "out of disk"
  elseif status == 404 and holds(text, "no such image", "image not known") then
    return "no such image"
  elseif status == 404 then
    return "no such container"
  elseif is_images_fault(text) then
    return "image doesn't fit"
  elseif status == 409 then
    return holds(text, "already in use") and "name taken" or "engine failed"
  elseif status >= 500 then
    -- Podman's for a name that is taken is 500; Docker's is 409.
    return holds(text, "that name is already in use") and "name taken" or "engine failed"
  end
  return "engine refused"
end

-- What to do, where the engine's words don't lead there.
local advice = { ["image doesn't fit"] = "; docker/README.md says how one is made that does" }

--- What an answer other than the one hoped for means.
---@param status integer
---@param text string the engine's own message
---@param what string what was asked: "POST /containers/create"
---@return nil, string, string, string as faults.failure
function faults.of_answer(status, text, what)
  local name = name_of_answer(status, text)
  return faults.failure(name, ("%s (HTTP %d to %s)%s"):format(text, status, what, advice[name] or ""))
end

--- What it means that there was no answer.
---@param code string of host.http and host.sandbox.attach
---@param text string
---@param socket string
---@param denied boolean|nil this user may not use the socket
---@return nil, string, string, string as faults.failure
function faults.of_silence(code, text, socket, denied)
  if not text:find(socket, 1, true) then text = ("%s: %s"):format(socket, text) end
  if denied then
    return faults.failure("engine closed to this user", ("%s; let the worker's user into the group that owns the "
      .. "socket, and mind that this is as good as root"):format(text))
  elseif code == "timeout" then
    return faults.failure("engine slow", text)
  elseif code == "library" then
    return faults.failure("engine refused", text)
  end
  return faults.failure("engine away", text .. "; is the engine running?")
end

return faults
