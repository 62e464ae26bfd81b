--- The names that messages have in the directory queue, which are their state. Pure.

local names = {}

local time_digits = ("%d"):rep(13)
local ready_pattern = "^(" .. time_digits .. ")%-(%x+)%.(%d+)%.(%d+)$"
local held_pattern = "^(" .. time_digits .. ")%-(.+)%.(%x+)$"

-- More digits than any count can have.
local count_digits = 9
local id_digits = 32

--- The receipt of a message that nobody holds and that only waits out a delay.
names.nobody = "0"

--- What a message is called in ready/.
---@param message {sent_ms:integer, id:string, receives:integer, failures:integer}
---@return string
function names.ready(message)
  return ("%013d-%s.%d.%d"):format(message.sent_ms, message.id, message.receives, message.failures)
end

--- What it is called in held/.
---@param message table
---@param deadline_ms integer
---@param receipt string hexadecimal digits, fresh for every holder
---@return string
function names.held(message, deadline_ms, receipt)
  return ("%013d-%s.%s"):format(deadline_ms, names.ready(message), receipt)
end

--- What a name in ready/ says, or nil when it isn't a message's.
---@param name string
---@return {sent_ms:integer, id:string, receives:integer, failures:integer}|nil
function names.parse_ready(name)
  local sent, id, receives, failures = name:match(ready_pattern)
  if not sent or #id ~= id_digits or #receives > count_digits or #failures > count_digits then
    return nil
  end
  return {
    sent_ms = math.tointeger(tonumber(sent)),
    id = id,
    receives = math.tointeger(tonumber(receives)),
    failures = math.tointeger(tonumber(failures)),
  }
end

--- What a name in held/ says, or nil when it isn't a message's.
---@param name string
---@return {name:string, deadline_ms:integer, ready_name:string}|nil
function names.parse_held(name)
  local deadline, ready_name = name:match(held_pattern)
  if not deadline or not names.parse_ready(ready_name) then
    return nil
  end
  return { name = name, deadline_ms = math.tointeger(tonumber(deadline)), ready_name = ready_name }
end

return names
