--- Dead letters of the directory queue as files: `dead/<id>.json` holds the message, its counts, and why it was given up.

local host = require "submitter.host"

local letters = {}

-- A reason may quote what others wrote at any length; a letter has to stay one that can be read back.
local reason_limit_bytes = 8 << 10

-- A body of 256 KiB and a reason, every byte of them escaped, and what stands around them.
local letter_limit_bytes = 2 << 20

local order = { "id", "reason", "class", "receives", "failures", "sent_ms", "died_ms", "body" }

local kinds = {
  body = "string", reason = "string", class = "string", receives = "integer", failures = "integer",
  sent_ms = "integer", died_ms = "integer",
}

---@class DeadLetter
---@field id string
---@field body string
---@field reason string
---@field class string
---@field receives integer
---@field failures integer
---@field sent_ms integer
---@field died_ms integer

--- Writes a letter about a message, durably, over one that was written before.
---@async
---@param directory Directory the queue's
---@param message Message
---@param reason string cut when it is very long
---@param class string
---@return true|nil
---@return string|nil message
---@return string|nil code
function letters.write(directory, message, reason, class)
  if #reason > reason_limit_bytes then
    reason = ("%s… (cut, it had %d bytes)"):format(host.text.repair(reason:sub(1, reason_limit_bytes)), #reason)
  end
  local text = host.json.encode(host.json.ordered(order, {
    id = message.id,
    reason = reason,
    class = class,
    receives = message.receives,
    failures = message.failures + 1, -- what made it a letter is one, too
    sent_ms = message.sent_ms,
    died_ms = host.clock.now_ms(),
    body = message.body,
  }), { indent = 2 })
  return directory:replace("dead/" .. message.id .. ".json", text .. "\n")
end

--- The names of the files that are letters, or look like it.
---@async
---@param directory Directory
---@return string[]|nil
---@return string|nil message
---@return string|nil code
function letters.names(directory)
  local entries, message, code = directory:list("dead")
  if not entries then
    return nil, message, code
  end
  local found = {}
  for _, entry in ipairs(entries) do
    if entry.type == "file" and entry.name:find("^%x+%.json$") then
      found[#found + 1] = entry.name
    end
  end
  return found
end

-- One letter; nil and why when there is something else, whoever put it there.
local function read(directory, name)
  local text, failure, code = directory:read("dead/" .. name, { limit_bytes = letter_limit_bytes })
  if not text then
    return nil, failure, code
  end
  local letter = host.json.decode(text)
  if type(letter) ~= "table" then
    return nil, "it isn't a dead letter"
  end
  for field, kind in pairs(kinds) do
    if type(letter[field]) ~= kind and math.type(letter[field]) ~= kind then
      return nil, ("it isn't a dead letter: the field %s isn't %s"):format(field,
        kind == "string" and "a text" or "a whole number")
    end
  end
  -- What is dropped or queued again is found by its file.
  letter.id = name:match("^(%x+)")
  return letter
end

--- All letters, the oldest death first. What can't be read as one is logged.
---@async
---@param directory Directory
---@return DeadLetter[]|nil
---@return string|nil message
---@return string|nil code
function letters.all(directory)
  local names, message, code = letters.names(directory)
  if not names then
    return nil, message, code
  end
  local found = {}
  for _, name in ipairs(names) do
    local letter, failure, failure_code = read(directory, name)
    if letter then
      found[#found + 1] = letter
    elseif failure_code ~= "ENOENT" then
      host.log.warn("queue_dead_letter_unreadable", {
        name = directory:path() .. "/dead/" .. name,
        error = failure,
        hint = "it is left alone; mend or remove it by hand",
      })
    end
  end
  table.sort(found, function(left, right)
    if left.died_ms ~= right.died_ms then
      return left.died_ms < right.died_ms
    end
    return left.id < right.id
  end)
  return found
end

return letters
