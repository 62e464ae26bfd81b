---@meta submitter.core.watchdog
--- Calls code that is not trusted to end.
local watchdog = {}
--- Calls body with the arguments, ending it after so many instructions of the Lua machine, or when the state holds 96 MiB
--- more than twice what it held at the beginning ("not enough memory", code "error"). It can't wait. A single long C call (string.find)
--- isn't interrupted: bound what the code may call.
---@param instructions integer 1 to 2^31 - 1
---@param body fun(...):...
---@return true|nil, any, string|nil ... true and its results; or nil, message, "budget" or "error"
function watchdog.call(instructions, body, ...) end
return watchdog
