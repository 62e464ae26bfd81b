--- A bucket in memory. `store.objects` holds the texts by key; `store.calls` is what was asked, "put <key>" and so
--- on. `store.times` are the times of some, by key; the others have `store.modified_ms`. `store.fail(call)` may return a message
--- and a code, and then the call fails; or throw, which is a crash.
local host = require "submitter.host"

local Store = {}
Store.__index = Store

local function ask(self, verb, key)
  self.calls[#self.calls + 1] = verb .. " " .. key
  return self.fail(verb .. " " .. key)
end

local function metadata(self, key)
  local text = self.objects[key]
  return { etag = host.digest.md5(text), size_bytes = #text, modified_ms = self.times[key] or self.modified_ms }
end

function Store:get(key, options)
  local message, code = ask(self, "get", key)
  if message then return nil, message, code end
  local text = self.objects[key]
  if not text then return nil, "there is no object " .. key, "not_found" end
  if options and options.limit_bytes and #text > options.limit_bytes then
    return nil, ("%s has %d bytes, more than the %d allowed"):format(key, #text, options.limit_bytes), "too_large"
  end
  return text, metadata(self, key)
end

function Store:head(key)
  local message, code = ask(self, "head", key)
  if message then return nil, message, code end
  if not self.objects[key] then return nil, "there is no object " .. key, "not_found" end
  return metadata(self, key)
end

function Store:put(key, text, options)
  local message, code = ask(self, "put", key)
  if message then return nil, message, code end
  local present = self.objects[key]
  if options and options.if_none_match and present
    or options and options.if_match and not (present and host.digest.md5(present) == options.if_match) then
    return nil, key .. " is another by now", "conflict"
  end
  self.objects[key] = text
  return host.digest.md5(text)
end

function Store:delete(key)
  local message, code = ask(self, "delete", key)
  if message then return nil, message, code end
  self.objects[key] = nil
  return true
end

function Store:list(prefix)
  local message, code = ask(self, "list", prefix)
  if message then return nil, message, code end
  local found = {}
  for key in pairs(self.objects) do
    if key:sub(1, #prefix) == prefix then
      local entry = metadata(self, key)
      entry.key = key
      found[#found + 1] = entry
    end
  end
  table.sort(found, function(left, right) return left.key < right.key end)
  return found
end

--- The calls since the last `forget` that begin with a verb.
function Store:asked(verb)
  local found = {}
  for _, call in ipairs(self.calls) do
    if call:sub(1, #verb + 1) == verb .. " " then found[#found + 1] = call:sub(#verb + 2) end
  end
  return found
end

function Store:forget()
  self.calls = {}
end

return {
  open = function(objects)
    return setmetatable({
      objects = objects or {}, calls = {}, fail = function() end, modified_ms = 1700000000000, times = {},
    }, Store)
  end,
}
