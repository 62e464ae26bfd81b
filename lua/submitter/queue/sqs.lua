--- A queue on Amazon SQS, with the calls of the directory queue. How SQS differs, and what that means here, is told in
--- this folder's README.md.
local arguments = require "submitter.queue.arguments"
local batches = require "submitter.queue.batches"
local failures = require "submitter.queue.failures"
local host = require "submitter.host"
local schema = require "submitter.schema"
local sqs = require "submitter.aws.sqs"
local sqs_letters = require "submitter.queue.sqs_letters"

local sqs_queue = {}

-- Of the 12 hours for which SQS hides a message, for what passes between SQS's clock and this one: SQS refuses what goes beyond.
local MARGIN_MS = 5000
-- What came damaged is left to others for a while, or it would come back at once.
local DAMAGED_S = 30
-- What can't be given up, because there is no queue for it, comes back later and later.
local UNBURIED_FIRST_MS, UNBURIED_LONGEST_MS = 60 * 1000, 60 * 60 * 1000
-- Longer than an answer is on its way after the server's wait.
local LAST_POLL_GRACE_MS = 3000
-- How long whoever stops a worker waits for its last poll at most: less than container engines wait before they kill.
local CLOSE_WAIT_MS = 5000
-- How many dead letters are listed, for how long they are hidden from others, and after how many empty answers in a row
-- there are no more.
local LETTERS_MOST, LETTERS_HIDDEN_S, LETTERS_EMPTY, LETTERS_WAIT_S = 500, 120, 2, 1

---@class SqsQueue
---@field depth_is_approximate true its counts lag behind by up to a minute
---@field once {wait_ms:integer, looks:integer} what shows that it is empty: so many long polls in a row without a message
--- while its counts say 0. A poll that waits asks all of SQS's servers, one that doesn't asks some.
---@field close_wait_ms integer how long `close` waits for a last poll
local Queue = {
  depth_is_approximate = true, once = { wait_ms = 2000, looks = 3 }, close_wait_ms = CLOSE_WAIT_MS,
}
Queue.__index = Queue

-- SQS knows whole seconds. Hidden for longer does no harm, for shorter it would.
local function seconds(milliseconds)
  return (milliseconds + 999) // 1000
end

-- Receiving -----------------------------------------------------------------------------------------------------

local function as_message(self, given)
  return {
    id = given.id, body = given.body, receives = given.receives, sent_ms = given.sent_ms or host.clock.now_ms(),
    failures = self.failures:of(given.id, given.receives),
    receipt = {
      handle = given.receipt, until_ms = host.clock.monotonic_ms() + arguments.visibility_limit_ms - MARGIN_MS,
    },
  }
end

-- Hides received messages for so many seconds more, 0 to give them back. What doesn't succeed comes back by itself.
local function hide(service, handles, seconds_more)
  for first = 1, #handles, sqs.batch_limit do
    local changes = {}
    for index = first, math.min(first + sqs.batch_limit - 1, #handles) do
      changes[#changes + 1] = { receipt = handles[index], seconds = seconds_more }
    end
    local outcomes, problem = service:change_visibility(changes)
    for _, outcome in ipairs(outcomes or { { message = problem } }) do
      -- Whoever has it by now is welcome to it.
      if not outcome.ok and outcome.code ~= "lease_lost" then
        host.log.warn("queue_give_back_failed", { queue = service.name, reason = outcome.message })
      end
    end
  end
end

-- Messages that must not be handled: they are logged, counted and hidden for a while.
local function put_off_damaged(self, damaged)
  local handles = {}
  for _, one in ipairs(damaged) do
    self.damaged = self.damaged + 1
    host.log.error("queue_message_damaged", { queue = self.service.name, id = one.id, reason = one.damaged,
      receives = one.receives, damaged = self.damaged })
    handles[#handles + 1] = one.receipt
  end
  hide(self.service, handles, DAMAGED_S)
end

local function ask(self, max, wait_s, visibility_s)
  local given, message, code = self.service:receive {
    max = max, wait_s = wait_s, visibility_s = visibility_s, attempt = host.digest.random(16),
  }
  if not given then return nil, message, code end
  local messages, damaged = {}, {}
  for _, one in ipairs(given) do
    if one.damaged then
      damaged[#damaged + 1] = one
    else
      messages[#messages + 1] = as_message(self, one)
    end
  end
  if #damaged > 0 then
    put_off_damaged(self, damaged)
    if #messages == 0 then
      -- As an empty answer it would be asked again at once.
      return nil, ("the queue %s: of %d messages that came none could be read: %s"):format(self.service.name, #damaged,
        damaged[1].damaged), "unavailable"
    end
  end
  return messages
end

-- A mistake in what reads the answers must not end the worker: to it the queue is in trouble.
local function ask_safely(self, poll, ...)
  local returned, messages, message, code = xpcall(ask, debug.traceback, self, ...)
  if returned then return messages, message, code end
  -- One that was left may have been cut by `close`, and nobody waits for its answer.
  if not poll.left then host.log.error("queue_poll_error", { queue = self.service.name, traceback = messages }) end
  return nil, ("the queue %s: the poll failed: %s"):format(self.service.name, tostring(messages):match "^[^\n]*"),
    "unavailable"
end

-- What a poll brought for nobody goes back into the queue.
local function give_back(self, messages)
  if not messages or #messages == 0 then return end
  local handles = {}
  for index, message in ipairs(messages) do handles[index] = message.receipt.handle end
  host.log.info("queue_messages_given_back", { queue = self.service.name, count = #handles })
  hide(self.service, handles, 0)
end

-- A poll in a task of its own: SQS may be handing out a message at the very moment when its caller is cancelled, and
-- would hand it out also to a connection that was just cut. So the poll is left to end, and gives back what it brings.
local function start_poll(self, max, wait_s, visibility_s)
  local poll = {
    ended = host.task.event(), left = false,
    until_ms = host.clock.monotonic_ms() + wait_s * 1000 + LAST_POLL_GRACE_MS,
  }
  self.polls[poll] = true
  poll.task = host.task.spawn("poll of " .. self.service.name, function()
    poll.answer = table.pack(ask_safely(self, poll, max, wait_s, visibility_s))
    if poll.left then give_back(self, poll.answer[1]) end
    self.polls[poll] = nil
    poll.ended:set()
  end)
  return poll
end

-- The caller of a poll was cancelled.
local function leave(self, poll)
  poll.left = true
  if not poll.answer then return end
  -- Its answer came in the same moment.
  self.polls[poll] = true
  poll.ended:clear()
  poll.task = host.task.spawn("last poll of " .. self.service.name, function()
    give_back(self, poll.answer[1])
    self.polls[poll] = nil
    poll.ended:set()
  end)
end

local receive_options = { max = true, wait_ms = true, visibility_ms = true }

--- Takes up to `max` messages (default 1; SQS gives at most 10 at once) and hides them from others for `visibility_ms`,
--- rounded up to whole seconds. If there is none it waits up to `wait_ms` (default 0; at most 20 s), and returns {} when
--- none came. When a receive is cancelled its poll goes on in the background and gives back at once what it brings;
--- `close` waits a while for that.
---@async
---@param options {max:integer|nil, wait_ms:integer|nil, visibility_ms:integer|nil}|nil
---@return Message[]|nil
---@return string|nil message with what to do about it
---@return "unavailable"|"environment"|nil code
function Queue:receive(options)
  schema.check_options(options, receive_options, "queue:receive{ max =, wait_ms =, visibility_ms = }")
  options = options or {}
  local visibility_ms = options.visibility_ms or self.visibility_ms
  arguments.check_hidden(visibility_ms, "visibility_ms")
  local wait_s = math.min(seconds(options.wait_ms or 0), sqs.wait_limit_s)
  local max = math.max(1, math.min(options.max or 1, sqs.batch_limit))
  local poll = start_poll(self, max, wait_s, seconds(visibility_ms))
  local waited, problem = pcall(poll.ended.wait, poll.ended)
  if not waited then
    leave(self, poll)
    error(problem, 0)
  end
  return table.unpack(poll.answer, 1, poll.answer.n)
end

-- Sending -------------------------------------------------------------------------------------------------------

-- nil, or why SQS won't take a body: message, code.
local function refusal(body)
  if body == "" then return "the message is empty; SQS takes none without a body", "message" end
  if #body > sqs.message_limit_bytes then
    return ("the message has %d bytes; SQS takes at most %d"):format(#body, sqs.message_limit_bytes), "too_large"
  end
  local offset = sqs_letters.refused(body)
  if offset then
    return ("the message can't be sent: at offset %d it holds what SQS refuses (a control character, or what isn't "
      .. "UTF-8)"):format(offset), "message"
  end
  return nil
end

--- Puts a message into the queue. With `delay_ms`, at most 15 minutes and rounded up to whole seconds, nobody receives
--- it before that time has passed.
---@async
---@param body string at most 1 MiB, and what the queue is configured to take: 256 KiB unless that was raised
---@param options {delay_ms:integer|nil}|nil
---@return string|nil id
---@return string|nil message
---@return "too_large"|"message"|"unavailable"|"environment"|nil code
function Queue:send(body, options)
  local delay_ms = arguments.check_send(body, options)
  local message, code = refusal(body)
  if not message and seconds(delay_ms) > sqs.delay_limit_s then
    message, code = ("SQS delays a message by at most %d minutes, not by %d s"):format(sqs.delay_limit_s // 60,
      seconds(delay_ms)), "message"
  elseif not message and delay_ms > 0 and self.service.fifo then
    message, code = "SQS delays no single message of a FIFO queue; send it without a delay", "message"
  end
  if message then return nil, message, code end
  return self.service:send(body, {
    delay_s = delay_ms > 0 and seconds(delay_ms) or nil,
    -- Submissions needn't wait for each other: each is a group of its own.
    group = host.digest.random(16), deduplication = host.digest.random(16),
  })
end

-- Holding and giving up -----------------------------------------------------------------------------------------

-- How many whole seconds SQS will still hide a message, counted from its receipt.
local function seconds_left(message)
  return math.max(0, message.receipt.until_ms - host.clock.monotonic_ms()) // 1000
end

local function change(self, message, seconds_more)
  return self.changes:submit(message.receipt.handle, { receipt = message.receipt.handle, seconds = seconds_more })
end

--- Hides a received message for another `visibility_ms` from now, rounded up to whole seconds. SQS hides none for
--- longer than 12 hours from its receipt: near that end it is hidden for what is left, and at that end the lease is lost.
---@async
---@param message Message
---@param visibility_ms integer
---@return true|nil
---@return string|integer|nil message, or, of an extension that is shorter than was asked, its milliseconds
---@return "lease_lost"|"unavailable"|"environment"|nil code
function Queue:extend(message, visibility_ms)
  arguments.check_hidden(visibility_ms, "visibility_ms")
  local wanted_s, left_s = seconds(visibility_ms), seconds_left(message)
  if left_s == 0 and wanted_s > 0 then
    return nil, ("the message %s was received 12 hours ago, and SQS hides none for longer: it comes again")
      :format(message.id), "lease_lost"
  end
  local extended, problem, code = change(self, message, math.min(wanted_s, left_s))
  if not extended then return nil, problem, code end
  return true, left_s < wanted_s and left_s * 1000 or nil
end

--- Removes a received message for good. SQS may say yes also when another worker has the message by now.
---@async
---@param message Message
---@return true|nil
---@return string|nil message
---@return "lease_lost"|"unavailable"|"environment"|nil code
function Queue:delete(message)
  local deleted, problem, code = self.deletions:submit(message.receipt.handle, message.receipt.handle)
  if not deleted then return nil, problem, code end
  self.failures:forget(message.id)
  return true
end

--- Gives a received message back, to be received again after a delay, rounded up to whole seconds. Nothing is counted
--- against it but SQS's own count of receipts.
---@async
---@param message Message
---@param delay_ms integer|nil default 0
---@return true|nil
---@return string|nil message
---@return "lease_lost"|"unavailable"|"environment"|nil code
function Queue:release(message, delay_ms)
  arguments.check_hidden(delay_ms or 0, "delay_ms")
  return change(self, message, math.min(seconds(delay_ms or 0), seconds_left(message)))
end

--- Gives a received message back and records a failure, in this process's memory.
---@async
---@param message Message
---@param delay_ms integer|nil default 0
---@return true|nil
---@return string|nil message
---@return "lease_lost"|"unavailable"|"environment"|nil code
function Queue:fail(message, delay_ms)
  local released, problem, code = self:release(message, delay_ms)
  -- It did fail, whether SQS heard of the delay or not; what somebody else has is his to count.
  if code ~= "lease_lost" then self.failures:set(message.id, message.failures + 1) end
  if not released then return nil, problem, code end
  message.failures = message.failures + 1
  return true
end

-- For how long what can't be put away is hidden: else it would be graded again whenever its visibility ends.
local function unburied_ms(message)
  return math.min(UNBURIED_LONGEST_MS, UNBURIED_FIRST_MS << math.min(message.failures, 20))
end

-- There is no queue for dead letters: the message stays, and the queue's own redrive policy is what takes it away.
local function leave_unburied(self, message, reason, class)
  local delay_ms = unburied_ms(message)
  host.log.error("dead_letter_not_kept", {
    queue = self.service.name, id = message.id, reason = reason, class = class, delay_ms = delay_ms,
    hint = "set dead_letter_url of the queue in the configuration; until then the message comes again until the "
      .. "queue's own redrive policy or its retention takes it away",
  })
  return self:fail(message, delay_ms)
end

--- Copies a received message with the reason to the queue for dead letters and then deletes it. When that is interrupted
--- the message comes back, and the letter is written again. Without such a queue, or when it can't take the letter, the
--- message is given back with a growing delay; without one an error is logged, too.
---@async
---@param message Message
---@param reason string for people; cut when it is very long
---@param class string for machines, one word
---@return true|nil
---@return string|nil message
---@return "lease_lost"|"unavailable"|"environment"|"too_large"|"message"|nil code
function Queue:dead_letter(message, reason, class)
  if type(reason) ~= "string" or type(class) ~= "string" then
    error("expected queue:dead_letter(message, reason, class), both texts", 2)
  end
  if not self.dead then return leave_unburied(self, message, reason, class) end
  -- Who doesn't hold the message any more must not write a letter about it; who does has time to.
  local good, problem, code = self:extend(message, math.max(self.visibility_ms, 30 * 1000))
  if not good then return nil, problem, code end
  good, problem, code = self.dead:send(message.body, {
    attributes = sqs_letters.attributes(message, reason, class), group = message.id, deduplication = message.id,
  })
  if not good then
    self:fail(message, unburied_ms(message))
    return nil, problem, code
  end
  return self:delete(message)
end

-- Dead letters --------------------------------------------------------------------------------------------------

local function no_dead_letters()
  return nil, "no queue for dead letters is configured: set dead_letter_url of the queue in the configuration",
    "environment"
end

-- Gives back the letters that were listed and neither dropped nor retried.
local function give_back_letters(self)
  local handles = {}
  for _, letter in pairs(self.letters) do handles[#handles + 1] = letter.receipt end
  self.letters = {}
  if self.dead then hide(self.dead, handles, 0) end
end

local function keep_letters(self, given, found)
  for _, one in ipairs(given) do
    if one.damaged then
      host.log.error("queue_message_damaged", { queue = self.dead.name, id = one.id, reason = one.damaged })
    else
      local letter = sqs_letters.read(one)
      if not self.letters[letter.id] then found[#found + 1] = letter end
      -- Of two receipts the later one counts.
      self.letters[letter.id] = letter
    end
  end
end

--- The dead letters, the oldest death first, as many as can be received: at most 500, and none that somebody else has
--- listed. They are hidden from others until `close`, or for two minutes.
---@async
---@return DeadLetter[]|nil `is_cut` is set when there may be more
---@return string|nil message
---@return "unavailable"|"environment"|nil code
function Queue:dead_letters()
  if not self.dead then return no_dead_letters() end
  give_back_letters(self)
  local found, empty = {}, 0
  while empty < LETTERS_EMPTY and #found < LETTERS_MOST do
    local given, message, code = self.dead:receive {
      max = sqs.batch_limit, wait_s = LETTERS_WAIT_S, visibility_s = LETTERS_HIDDEN_S, with_attributes = true,
      attempt = host.digest.random(16),
    }
    if not given then return nil, message, code end
    empty = #given == 0 and empty + 1 or 0
    keep_letters(self, given, found)
  end
  for index, letter in ipairs(found) do found[index] = self.letters[letter.id] end
  table.sort(found, function(left, right)
    if left.died_ms ~= right.died_ms then return left.died_ms < right.died_ms end
    return left.id < right.id
  end)
  found.is_cut = #found >= LETTERS_MOST or nil
  return found
end

--- Forgets a dead letter.
---@async
---@param letter DeadLetter of queue:dead_letters()
---@return true|nil
---@return string|nil message
---@return string|nil code
function Queue:drop(letter)
  local held = self.letters[letter.id]
  if not held then
    return nil, ("the dead letter %s isn't held any more; list them again"):format(letter.id), "lease_lost"
  end
  local outcomes, message, code = self.dead:delete { held.receipt }
  if not outcomes then return nil, message, code end
  if not outcomes[1].ok then return nil, outcomes[1].message, outcomes[1].code end
  self.letters[letter.id] = nil
  return true
end

--- Queues the message of a dead letter once more, as a new message. When that is interrupted both are there.
---@async
---@param letter DeadLetter of queue:dead_letters()
---@return string|nil id of the new message
---@return string|nil message
---@return string|nil code
function Queue:retry(letter)
  local id, message, code = self:send(letter.body)
  if not id then return nil, message, code end
  local dropped
  dropped, message, code = self:drop(letter)
  if not dropped then return nil, message, code end
  return id
end

-- Looking in ----------------------------------------------------------------------------------------------------

--- How many messages are ready, held (received or delayed) and dead, as well as SQS knows.
---@async
---@return {ready:integer, held:integer, dead:integer|nil, dead_problem:string|nil, max_receives:integer|nil,
---least_receives:integer}|nil dead: nil without a queue for them, or when it can't be asked, for the reason dead_problem;
---max_receives: the redrive policy's, which should be least_receives or more; nil without one
---@return string|nil message
---@return "unavailable"|"environment"|nil code
function Queue:depth()
  local counts, message, code = self.service:counts()
  if not counts then return nil, message, code end
  local depth = {
    ready = counts.visible, held = counts.hidden + counts.delayed, max_receives = counts.max_receives,
    least_receives = 2 * self.failure_limit + 1,
  }
  if self.dead then
    local dead
    dead, depth.dead_problem = self.dead:counts()
    depth.dead = dead and dead.visible + dead.hidden + dead.delayed
  end
  return depth
end

--- Waits for five seconds at most until every poll that was left has ended and has given back what it brought, and cuts
--- those that haven't; then gives back the dead letters that were listed.
---@async
function Queue:close()
  local end_ms = host.clock.monotonic_ms() + self.close_wait_ms
  local poll = next(self.polls)
  while poll do
    local wait_ms = math.max(1, math.min(poll.until_ms, end_ms) - host.clock.monotonic_ms())
    host.log.info("queue_last_poll", { queue = self.service.name, at_most_ms = wait_ms,
      hint = "a message that is handed out now would otherwise be hidden until its visibility ends" })
    if not poll.ended:wait(wait_ms) then poll.task:cancel("the queue is closed") end
    self.polls[poll] = nil
    poll = next(self.polls)
  end
  give_back_letters(self)
end

-- Opening -------------------------------------------------------------------------------------------------------

local known = {
  session = true, url = true, dead_letter_url = true, region = true, endpoint = true, visibility_ms = true,
  failure_limit = true, client = true,
}

-- The queue for dead letters; nil when there is to be none.
local function open_dead(options, service)
  if not options.dead_letter_url then return nil end
  local parts, problem = sqs.parse_url(options.dead_letter_url)
  if not parts then return nil, "dead_letter_url: " .. problem end
  if parts.url == service.url then return nil, "dead_letter_url is the queue itself; name another queue" end
  local region = parts.region or options.region
  return sqs.open {
    session = options.session, url = parts.url, region = region, endpoint = options.endpoint,
    client = options.client or region == service.region and service.client or nil,
  }
end

--- Opens a queue on SQS. Nothing is asked of AWS yet.
---@param options {session:table, url:string, dead_letter_url:string|nil, region:string|nil, endpoint:string|nil,
--- visibility_ms:integer|nil, failure_limit:integer|nil, client:table|nil} region: where the URL doesn't tell it;
--- endpoint: in the place of the URL's own host; visibility_ms: default of receive, 30000; failure_limit: failures after
--- which a message is given up, default 5; client: for specs
---@return SqsQueue|nil
---@return string|nil message
---@return "environment"|nil code
function sqs_queue.open(options)
  schema.check_options(options, known, "sqs_queue.open{ session =, url =, dead_letter_url = }")
  local visibility_ms = options.visibility_ms or 30000
  arguments.check_hidden(visibility_ms, "visibility_ms")
  local service, message, code = sqs.open {
    session = options.session, url = options.url, region = options.region, endpoint = options.endpoint,
    client = options.client,
  }
  if not service then return nil, message, code end
  local dead
  dead, message = open_dead(options, service)
  if message then return nil, message, "environment" end
  return setmetatable({
    service = service, dead = dead, visibility_ms = visibility_ms, polls = {}, letters = {}, damaged = 0,
    failures = failures.new(options.failure_limit or 5), failure_limit = options.failure_limit or 5,
    deletions = batches.new {
      name = "deletions of " .. service.name, limit = sqs.batch_limit,
      perform = function(handles) return service:delete(handles) end,
    },
    changes = batches.new {
      name = "visibility changes of " .. service.name, limit = sqs.batch_limit,
      perform = function(changes) return service:change_visibility(changes) end,
    },
  }, Queue)
end

return sqs_queue
