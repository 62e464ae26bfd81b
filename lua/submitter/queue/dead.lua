--- What an operator does with dead letters of the directory queue, as its methods `drop` and `retry`.
local dead = {}

local function remove(queue, name)
  local removed, message, code = queue.directory:remove("dead/" .. name)
  if removed or code == "ENOENT" then return true end
  return nil, ("the dead letter %s can't be removed: %s"):format(name, message), "unavailable"
end

--- Removes the files of a letter.
---@async
---@param queue DirectoryQueue
---@param letter table of queue:dead_letters()
---@return true|nil
---@return string|nil message
---@return "unavailable"|nil code
function dead.drop(queue, letter)
  -- The body that was set aside first: its letter is what leads to it.
  local removed, message, code = remove(queue, letter.id .. ".body")
  if not removed then return nil, message, code end
  return remove(queue, letter.id .. ".json")
end

--- Sends the message of a letter, then removes the letter.
---@async
---@param queue DirectoryQueue
---@param letter table of queue:dead_letters()
---@return string|nil id of the new message
---@return string|nil message
---@return "unavailable"|"too_large"|nil code
function dead.retry(queue, letter)
  if letter.body == "" then
    return nil, ("the dead letter %s has no message that could be queued again (%s); drop it"):format(
      letter.id, letter.reason), "too_large"
  end
  local id, message, code = queue:send(letter.body)
  if not id then return nil, message, code end
  local dropped
  dropped, message, code = dead.drop(queue, letter)
  if not dropped then return nil, message, code end
  return id
end

return dead
