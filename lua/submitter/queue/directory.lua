--- A queue in a directory. A message is one file and its state is its name, so that every transition is one atomic
--- rename or unlink, and whatever is killed at whatever instant leaves each message in exactly one state:
---
---     ready/<sent>-<id>.<receives>.<failures>
---     held/<deadline>-<sent>-<id>.<receives>.<failures>.<receipt>
---     dead/<id>.json
---
--- `sent` and `deadline` are milliseconds since the epoch in 13 digits, so that a sorted listing is in their order. A
--- held message past its deadline is given back by whoever receives next; `receipt` is "0" where nobody holds it and it
--- only waits out a delay. Of several who rename one source just one succeeds; the others are told ENOENT.
---
--- Listings are kept and used up (submitter.queue.listing): receiving thousands costs a few of them, not thousands.

local arguments = require "submitter.queue.arguments"
local attention = require "submitter.queue.attention"
local dead = require "submitter.queue.dead"
local host = require "submitter.host"
local letters = require "submitter.queue.letters"
local listing = require "submitter.queue.listing"
local names = require "submitter.queue.names"
local schema = require "submitter.schema"

local directory_queue = {}

--- The largest body.
directory_queue.body_limit_bytes = 256 << 10

-- A deadline farther ahead than any visibility was written before the clock was set back; counting it as past is what
-- keeps its message from being lost. The minute is for clocks that are adjusted by small steps.
local deadline_limit_ms = arguments.visibility_limit_ms + 60 * 1000

---@class Message
---@field id string
---@field body string
---@field receives integer how often it was received, this time included
---@field failures integer how often a failure was recorded
---@field sent_ms integer
---@field receipt table opaque: the right to act on it

---@class DirectoryQueue
local Queue = {}
Queue.__index = Queue

local function unavailable(what, message)
  return nil, ("the queue: %s: %s"):format(what, message), "unavailable"
end

-- Receiving -----------------------------------------------------------------------------------------------------

local parsers = { ready = names.parse_ready, held = names.parse_held }

-- Lists a folder anew and keeps the listing.
local function list(self, folder)
  local fresh, message = listing.new(self.directory, folder, parsers[folder], self.strangers)
  self[folder] = fresh
  if not fresh then
    return unavailable(folder .. "/ can't be listed", message)
  end
  return true
end

local function give_back(self, held)
  local moved, message, code = self.directory:rename("held/" .. held.name, "ready/" .. held.ready_name)
  if moved and self.ready then
    self.ready:insert(held.ready_name)
  elseif not moved and code ~= "ENOENT" then
    return unavailable("an expired message can't be given back", message)
  end
  return true
end

-- Gives back every held message whose time is over, as far as the listing of held/ knows: from its front those past
-- their deadline, from its end those whose deadline can't be true.
local function give_back_expired(self)
  if not self.held or not self.held:is_fresh() then
    local good, message, code = list(self, "held")
    if not good then
      return nil, message, code
    end
  end
  local held, now_ms = self.held, host.clock.now_ms()
  while true do
    local first, last = held:first(), held:last()
    local expired
    if first and names.parse_held(first).deadline_ms <= now_ms then
      expired = held:take_first()
    elseif last and names.parse_held(last).deadline_ms > now_ms + deadline_limit_ms then
      expired = held:take_last()
    else
      return true
    end
    local good, message, code = give_back(self, names.parse_held(expired))
    if not good then
      return nil, message, code
    end
  end
end

-- The next name that may be received; lists again when the kept listing ran dry or is old.
local function next_ready(self, listed)
  if not self.ready or not self.ready:is_fresh() or (not self.ready:first() and not listed.done) then
    local good, message, code = list(self, "ready")
    if not good then
      return nil, message, code
    end
    listed.done = true
  end
  return self.ready:take_first()
end

local function write_dead_letter(self, message, reason, class)
  local written, failure = letters.write(self.directory, message, reason, class)
  if not written then
    return unavailable("a dead letter can't be written", failure)
  end
  return true
end

-- A file that nobody can have sent: left in its place it would come back for ever.
local function set_aside(self, message, held)
  message.body = ""
  local aside = "dead/" .. message.id .. ".body"
  local reason = ("the message is larger than %d bytes, which send refuses: it was put there by other means and is now "
    .. "%s"):format(directory_queue.body_limit_bytes, aside)
  local good, failure, code = write_dead_letter(self, message, reason, "message")
  if not good then
    return nil, failure, code
  end
  local moved
  moved, failure, code = self.directory:rename("held/" .. held, aside)
  if not moved and code ~= "ENOENT" then
    return unavailable("a message that is too large can't be set aside", failure)
  end
  host.log.error("queue_message_too_large", { id = message.id, reason = reason })
  return nil
end

-- Tries to become the holder of one message. Nil without a message when somebody else was faster.
local function claim(self, name, visibility_ms, claims)
  local message = names.parse_ready(name)
  message.receives = message.receives + 1
  local held = names.held(message, host.clock.now_ms() + visibility_ms, host.digest.random(8))
  local moved, failure, code = self.directory:rename("ready/" .. name, "held/" .. held)
  if not moved then
    if code == "ENOENT" then
      return nil
    end
    return unavailable("a message can't be taken", failure)
  end
  claims[#claims + 1] = { name = held, ready_name = name }
  local body
  body, failure, code = self.directory:read("held/" .. held, { limit_bytes = directory_queue.body_limit_bytes })
  if body then
    message.body = body
    message.receipt = { names = { held } }
    return message
  elseif code == "ENOENT" then
    return nil
  elseif code == "EFBIG" then
    return set_aside(self, message, held)
  end
  return unavailable("a message can't be read", failure)
end

local function claim_all(self, max, visibility_ms, claims)
  local good, failure, code = give_back_expired(self)
  if not good then
    return nil, failure, code
  end
  local messages, listed = {}, { done = false }
  while #messages < max do
    local name, message
    name, failure, code = next_ready(self, listed)
    if name then
      message, failure, code = claim(self, name, visibility_ms, claims)
    end
    if message then
      messages[#messages + 1] = message
    elseif failure and #messages == 0 then
      return nil, failure, code
    elseif failure or not name then
      -- What failed will fail again for the next receive, which has nothing else to say.
      break
    end
  end
  return messages
end

-- Takes up to max messages without waiting for more. An error thrown within (the task was cancelled) gives back what
-- was already taken, as if it had never been received.
local function take(self, max, visibility_ms)
  local claims = {}
  local good, messages, message, code = pcall(claim_all, self, max, visibility_ms, claims)
  if good then
    return messages, message, code
  end
  for _, held in ipairs(claims) do
    local returned, failure = give_back(self, held)
    if not returned then
      host.log.warn("queue_give_back_failed", { name = held.name, error = failure })
    end
  end
  error(messages, 0)
end

-- Waiting -------------------------------------------------------------------------------------------------------

-- Until when nothing can happen that no watch would tell: the next deadline of a held message.
local function longest_wait(self, remaining_ms)
  local first = self.held and self.held:first()
  if first then
    remaining_ms = math.min(remaining_ms, names.parse_held(first).deadline_ms - host.clock.now_ms())
  end
  return math.max(remaining_ms, 1)
end

local receive_options = { max = true, wait_ms = true, visibility_ms = true }

--- Takes up to `max` messages (default 1), the oldest first, and hides them from others for `visibility_ms`. If there
--- is none it waits up to `wait_ms` (default 0) and returns {} when none came. A cancelled receive has taken nothing.
---@async
---@param options {max:integer|nil, wait_ms:integer|nil, visibility_ms:integer|nil}|nil
---@return Message[]|nil
---@return string|nil message
---@return "unavailable"|nil code
function Queue:receive(options)
  schema.check_options(options, receive_options, "queue:receive{ max =, wait_ms =, visibility_ms = }")
  options = options or {}
  local max, wait_ms = options.max or 1, options.wait_ms or 0
  local visibility_ms = options.visibility_ms or self.visibility_ms
  arguments.check_hidden(visibility_ms, "visibility_ms")
  local messages, message, code = take(self, max, visibility_ms)
  if not messages or #messages > 0 or wait_ms <= 0 then
    return messages, message, code
  end
  local until_ms = host.clock.monotonic_ms() + wait_ms
  local waiter <close> = self.attention:waiter()
  while true do
    waiter:clear()
    -- A message that others hold or delay decides how long to wait: look again.
    self.held = nil
    messages, message, code = take(self, max, visibility_ms)
    local remaining_ms = until_ms - host.clock.monotonic_ms()
    if not messages or #messages > 0 or remaining_ms <= 0 then
      return messages, message, code
    end
    waiter:wait(longest_wait(self, remaining_ms))
  end
end

--- Waits until anything in the queue may have changed: sent, received, given back, deleted.
---@async
---@param timeout_ms integer
---@return true|nil
---@return string|nil message
---@return "timeout"|nil code
function Queue:wait_for_change(timeout_ms)
  local waiter <close> = self.attention:waiter()
  local changed, message, code = waiter:wait(timeout_ms)
  return changed, message, code
end

-- Sending and giving up ------------------------------------------------------------------------------------------

local function new_id(self)
  -- The count keeps what one process sends within a millisecond in order.
  self.sent_count = (self.sent_count + 1) & 0xffffff
  return ("%06x"):format(self.sent_count) .. host.digest.random(13)
end

--- Puts a message into the queue, durably. With `delay_ms` nobody receives it before that time has passed.
---@async
---@param body string at most 256 KiB
---@param options {delay_ms:integer|nil}|nil
---@return string|nil id
---@return string|nil message
---@return "too_large"|"unavailable"|nil code
function Queue:send(body, options)
  local delay_ms = arguments.check_send(body, options)
  if #body > directory_queue.body_limit_bytes then
    return nil, ("the message has %d bytes; a queue takes at most %d"):format(#body, directory_queue.body_limit_bytes),
      "too_large"
  end
  local now_ms = host.clock.now_ms()
  local message = { id = new_id(self), sent_ms = now_ms, receives = 0, failures = 0 }
  local folder, name = "ready", names.ready(message)
  if delay_ms > 0 then
    folder, name = "held", names.held(message, now_ms + delay_ms, names.nobody)
  end
  local written, failure = self.directory:replace(folder .. "/" .. name, body, { exclusive = true })
  if not written then
    return unavailable("the message can't be written", failure)
  end
  if folder == "held" and self.held then
    self.held:insert(name)
  end
  return message.id
end

local function first_untried(message, tried)
  for _, name in ipairs(message.receipt.names) do
    if not tried[name] then
      return name
    end
  end
end

-- Does something to the held file of a message, under whichever of its names it has: there are two while an extend is
-- under way or after one was cancelled, and more may come while this waits. But never under the name `target`, which is
-- where it is going. The code is "lease_lost" when it has none.
local function act(message, target, what, operation)
  local tried = { [target or ""] = true }
  while true do
    local name = first_untried(message, tried)
    if not name then
      return nil, ("the message %s is not held any more: its visibility time-out passed or it was given back; another "
        .. "worker may have it"):format(message.id), "lease_lost"
    end
    tried[name] = true
    local done, failure, code = operation("held/" .. name)
    if done then
      return true
    elseif code ~= "ENOENT" then
      return unavailable(what, failure)
    end
  end
end

--- Hides a received message for another `visibility_ms` from now.
---@async
---@param message Message
---@param visibility_ms integer
---@return true|nil
---@return string|nil message
---@return "lease_lost"|"unavailable"|nil code
function Queue:extend(message, visibility_ms)
  arguments.check_hidden(visibility_ms, "visibility_ms")
  local target = names.held(message, host.clock.now_ms() + visibility_ms, host.digest.random(8))
  -- Known before it exists, so that a delete that overtakes this call finds the file.
  table.insert(message.receipt.names, target)
  local moved, failure, code = act(message, target, "a message can't be extended", function(path)
    return self.directory:rename(path, "held/" .. target)
  end)
  if not moved then
    return nil, failure, code
  end
  if message.receipt.names[1] then
    message.receipt.names = { target }
  end
  return true
end

--- Removes a received message for good.
---@async
---@param message Message
---@return true|nil
---@return string|nil message
---@return "lease_lost"|"unavailable"|nil code
function Queue:delete(message)
  local removed, failure, code = act(message, nil, "a message can't be deleted", function(path)
    return self.directory:remove(path)
  end)
  if not removed then
    return nil, failure, code
  end
  message.receipt.names = {}
  return true
end

local function give_up(self, message, delay_ms, failures)
  arguments.check_hidden(delay_ms, "delay_ms")
  local after = { id = message.id, sent_ms = message.sent_ms, receives = message.receives, failures = failures }
  local folder, name = "ready", names.ready(after)
  if delay_ms > 0 then
    folder, name = "held", names.held(after, host.clock.now_ms() + delay_ms, names.nobody)
  end
  local moved, failure, code = act(message, nil, "a message can't be given back", function(path)
    return self.directory:rename(path, folder .. "/" .. name)
  end)
  if not moved then
    return nil, failure, code
  end
  if self[folder] then
    self[folder]:insert(name)
  end
  message.receipt.names = {}
  message.failures = failures
  return true
end

--- Gives a received message back, to be received again after a delay. Nothing is counted against it.
---@async
---@param message Message
---@param delay_ms integer|nil default 0
---@return true|nil
---@return string|nil message
---@return "lease_lost"|"unavailable"|nil code
function Queue:release(message, delay_ms)
  return give_up(self, message, delay_ms or 0, message.failures)
end

--- Gives a received message back and records a failure.
---@async
---@param message Message
---@param delay_ms integer|nil default 0
---@return true|nil
---@return string|nil message
---@return "lease_lost"|"unavailable"|nil code
function Queue:fail(message, delay_ms)
  return give_up(self, message, delay_ms or 0, message.failures + 1)
end

--- Takes a received message out of the queue and keeps it with the reason. When that is interrupted, the message comes
--- back and the letter is written again under the same name.
---@async
---@param message Message
---@param reason string for people
---@param class string for machines, one word
---@return true|nil
---@return string|nil message
---@return "lease_lost"|"unavailable"|nil code
function Queue:dead_letter(message, reason, class)
  if type(reason) ~= "string" or type(class) ~= "string" then
    error("expected queue:dead_letter(message, reason, class), both texts", 2)
  end
  -- Who doesn't hold the message any more must not write a letter about it; who does has time to.
  local good, failure, code = self:extend(message, math.max(self.visibility_ms, 30 * 1000))
  if not good then
    return nil, failure, code
  end
  good, failure, code = write_dead_letter(self, message, reason, class)
  if not good then
    return nil, failure, code
  end
  return self:delete(message)
end

-- Looking in -----------------------------------------------------------------------------------------------------

local function list_names(self, folder)
  local found, message = listing.names(self.directory, folder, parsers[folder], self.strangers)
  if not found then
    return unavailable(folder .. "/ can't be listed", message)
  end
  return found
end

--- All dead letters, the oldest death first.
---@async
---@return DeadLetter[]|nil
---@return string|nil message
---@return "unavailable"|nil code
function Queue:dead_letters()
  local found, message = letters.all(self.directory)
  if not found then
    return unavailable("dead/ can't be listed", message)
  end
  return found
end

--- Forgets a dead letter. True also when it was gone already.
---@async
---@param letter DeadLetter of queue:dead_letters()
---@return true|nil
---@return string|nil message
---@return "unavailable"|nil code
function Queue:drop(letter)
  return dead.drop(self, letter)
end

--- Queues the message of a dead letter once more, as a new message. When that is interrupted both are there: grading a
--- submission twice does no harm, losing it would.
---@async
---@param letter DeadLetter of queue:dead_letters()
---@return string|nil id of the new message
---@return string|nil message
---@return "unavailable"|"too_large"|nil code
function Queue:retry(letter)
  return dead.retry(self, letter)
end

--- How many messages are ready, held (received or delayed) and dead.
---@async
---@return {ready:integer, held:integer, dead:integer}|nil
---@return string|nil message
---@return "unavailable"|nil code
function Queue:depth()
  local ready, held, found, message, code
  -- One that is given back between the two listings is in neither, and may be taken again before a third: nobody may
  -- take that for an empty queue. To be missed in all four it would have to be given back twice.
  for _ = 1, 2 do
    ready, message, code = list_names(self, "ready")
    if not ready then
      return nil, message, code
    end
    held, message, code = list_names(self, "held")
    if not held then
      return nil, message, code
    end
    if #ready + #held > 0 then
      break
    end
  end
  found, message = letters.names(self.directory)
  if not found then
    return unavailable("dead/ can't be listed", message)
  end
  return { ready = #ready, held = #held, dead = #found }
end

--- Gives back the watches of a queue that is not used any more.
function Queue:close()
  self.attention:close()
end

--- Opens the queue in a directory, which it makes ready.
---@async
---@param options {directory:Directory, visibility_ms:integer|nil} visibility_ms: default of receive, 30000
---@return DirectoryQueue|nil
---@return string|nil message
---@return "unavailable"|nil code
function directory_queue.open(options)
  schema.check_options(options, { directory = true, visibility_ms = true },
    "queue.open{ directory =, visibility_ms = }")
  if not options or not options.directory then
    error("expected queue.open{ directory = Directory, visibility_ms = 30000 }", 2)
  end
  arguments.check_hidden(options.visibility_ms or 30000, "visibility_ms")
  for _, folder in ipairs { "ready", "held", "dead" } do
    local made, message = options.directory:make(folder, { parents = true })
    if not made then
      return unavailable("its folder " .. folder .. "/ can't be made", message)
    end
  end
  return setmetatable({
    directory = options.directory,
    visibility_ms = options.visibility_ms or 30000,
    attention = attention.new(options.directory, { "ready", "held" }),
    strangers = {},
    sent_count = 0,
  }, Queue)
end

return directory_queue
