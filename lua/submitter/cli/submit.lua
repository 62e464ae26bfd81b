--- `submitter submit`: what the front end does when a student hands something in.
local delivery = require "submitter.notify.delivery"
local fingerprint = require "submitter.fingerprint"
local host = require "submitter.host"
local key = require "submitter.key"
local notify = require "submitter.notify"
local options = require "submitter.cli.options"
local result = require "submitter.cli.result"
local submission = require "submitter.submission"
local terminal = require "submitter.cli.terminal"
local units = require "submitter.units"

local command = { name = "submit", summary = "upload a program and queue it, as the front end does" }

--- How long between two looks at the bucket while waiting: a bucket can't tell when something changes.
local FIRST_PAUSE_MS, LONGEST_PAUSE_MS = 50, 500

local function timeout(value)
  local milliseconds, message = options.time(value)
  if not milliseconds then return nil, "--timeout: " .. message end
  return milliseconds
end

function command.describe(parser)
  parser:description("Derives the subid from admin, event, assignment and tokens, uploads <subid>.py and then "
    .. "<subid>.json, and queues one message, through the same code as notify. The same students submitting the same "
    .. "assignment again overwrite what they handed in before.\n\n"
    .. "Example: submitter submit sum.py --admin m.soltys --event labs --assignment sum "
    .. "--token 240669d4326dea48bba75e066b90b76f --wait")
  parser:argument("FILE.py"):target("file"):argname("FILE.py"):description "the program, Python"
  parser:option("--admin"):argname("NAME"):count(1):description "who runs the event"
  parser:option("--event"):argname("NAME"):count(1):description "the event, unique to the admin"
  parser:option("--assignment"):argname("NAME"):count(1):description "the assignment, unique to the event"
  parser:option("--token"):target("tokens"):argname("TOKEN"):args("+"):count("*"):action("concat"):init({})
    :convert(options.token)
    :description "each student's token, 32 hexadecimal digits; at least one, in any order"
  parser:option("--mode"):argname("MODE"):choices({ "test", "grade" }):default("test")
    :description "test: the cases while the event runs; grade: those for the final mark"
  parser:flag("--wait"):description "wait for the report and show it; exits 1 if something failed to pass"
  parser:option("--timeout"):argname("TIME"):convert(timeout):default("60s")
    :description "with --wait: how long at most, such as 500ms, 60s or 2m"
  parser:option("--format"):argname("FORMAT"):choices({ "table", "csv", "json" }):default("table")
    :description "with --wait: table, csv or json"
end

--- Uploads a program and queues it: all that the front end and the bucket's notification do.
---@async
---@param services {store:table, queue:table}
---@param what {source:string, admin:string, event:string, assignment:string, tokens:string[], mode:string|nil}
---@return {location:table, names:table, queued:table[], source_sha256:string, unread_sha256:string}|nil handed
---@return string|nil message
---@return string|nil code
function command.hand_in(services, what)
  local subid = submission.subid(what)
  local location, message = key.location(what.admin, what.event, what.assignment, subid)
  if not location then return nil, message, "usage" end
  local names = key.names(location, what.mode or "test")
  local text = submission.encode {
    subid = subid, admin = what.admin, event = what.event, assignment = what.assignment, tokens = what.tokens,
  }

  -- The document last: its notification is what starts the grading, and the program must be there by then.
  local put
  put, message = services.store:put(names.source, what.source)
  if not put then return nil, message, "environment" end
  put, message = services.store:put(names.document, text)
  if not put then return nil, message, "environment" end

  local event = what.mode == "grade" and { subdata = names.document, mode = "grade" } or notify.records(names.document)
  local delivered = assert(delivery.read(event))
  delivered:send(services.queue)
  if #delivered.queued ~= 1 then
    local missed = delivered.failed[1] or delivered.skipped[1]
    return nil, ("%s was uploaded but not queued: %s"):format(names.document,
      missed and missed.reason or "the notification held nothing"), "environment"
  end
  return {
    location = location, names = names, queued = delivered.queued,
    source_sha256 = fingerprint.of(text, what.source),
    -- What a report says that refused the program unread, because it is too large.
    unread_sha256 = fingerprint.of(text, ""),
  }
end

--- What stands under a key: { data, etag, modified_ms }, or nil.
local function standing(store, name)
  local data, about, code = store:get(name)
  if data then return { data = data, etag = about.etag, modified_ms = about.modified_ms } end
  if code == "not_found" then return nil end
  return nil, about
end

local function changed(before, now)
  return now ~= nil and (before == nil or before.etag ~= now.etag or before.modified_ms ~= now.modified_ms)
end

--- Is this report about what was just handed in? A refusal of a program that is too large hashes it unread.
local function is_ours(report, handed)
  return report.source_sha256 == handed.source_sha256 or report.source_sha256 == handed.unread_sha256
end

--- The keys under which its report may come. After the end of its event what was handed in is graded for the final mark.
local function awaited(location, mode)
  local list = { key.names(location, mode) }
  if mode ~= "grade" then list[2] = key.names(location, "grade") end
  return list
end

-- Why no report came: one that policy keeps back can be waited for in vain.
local function missed(services, handed, before)
  for _, names in ipairs(handed.awaited) do
    if changed(before[names.out], (standing(services.store, names.out))) then
      return ("it was graded, but the policy publishes no JSON report (publish); see %s in the bucket"):format(
        names.out)
    end
  end
  return ("no report came in time for %s; is a worker running (submitter serve), and what does submitter status say?")
    :format(handed.names.document)
end

--- One look at the bucket: a report of this very submission, the new one if there is one, or nil.
---@return {report:table, kind:"result"|"error", names:table, is_new:boolean}|nil
---@return string|nil message
local function look(store, handed, before)
  local old
  for _, names in ipairs(handed.awaited) do
    for _, kind in ipairs { "result", "error" } do
      local found, message = standing(store, names[kind])
      if message then return nil, message end
      local report = found and host.json.decode(found.data)
      local is_new = changed(before[names[kind]], found)
      if type(report) == "table" and (kind == "error" and is_new or kind == "result" and is_ours(report, handed)) then
        local seen = { report = report, kind = kind, names = names, is_new = is_new }
        if is_new then return seen end
        old = old or seen
      end
    end
  end
  return old
end

local function queue_is_empty(queue)
  local depth = queue:depth()
  return depth ~= nil and depth.ready + depth.held == 0
end

--- Waits for the report of this very submission. The same program handed in again is not graded again unless cases or
--- policy have changed: then the report that stood already counts, as soon as no message is left to replace it.
---@async
local function wait(services, handed, before, timeout_ms)
  local deadline = host.clock.monotonic_ms() + timeout_ms
  local pause_ms = FIRST_PAUSE_MS
  while true do
    local seen, message = look(services.store, handed, before)
    local left = deadline - host.clock.monotonic_ms()
    if seen and not seen.is_new and queue_is_empty(services.queue) then
      -- It may have been replaced just before the message went.
      seen, message = look(services.store, handed, before)
      if seen then return seen end
    end
    if seen and (seen.is_new or left <= 0) then return seen end
    if message then return nil, message, "environment" end
    if left <= 0 then
      return nil, missed(services, handed, before), "environment"
    end
    host.clock.sleep_ms(math.min(pause_ms, left))
    pause_ms = math.min(pause_ms * 2, LONGEST_PAUSE_MS)
  end
end

local function announce(stream, handed)
  stream:write("subid  ", handed.location.subid, "\nkey    ", terminal.escape(handed.names.document), "\n")
end

local function show(services, handed, seen, format)
  local report, kind = seen.report, seen.kind
  if seen.names.result ~= handed.names.result then
    io.stderr:write("submitter submit: the event is over, so it was graded on the cases for the final mark\n")
  end
  if format == "json" then
    io.stdout:write(host.json.encode(report, { indent = 2 }), "\n")
  elseif format == "csv" and kind == "result" then
    local table_text, message, code = services.store:get(seen.names.out)
    if not table_text and code == "not_found" then
      message = "it was graded, but the policy publishes no table (publish); --format table or json shows the report"
    end
    if not table_text then return nil, message, "environment" end
    io.stdout:write(table_text)
  elseif format == "csv" then
    -- An error has no table; whoever reads standard output as CSV must get nothing.
    io.stderr:write(result.summary(report), "\n")
  else
    result.print(report)
  end
  return report.verdict == "AC" and 0 or 1
end

--- What stood under these keys before anything was uploaded.
local function standing_reports(store, what)
  local location, message = key.location(what.admin, what.event, what.assignment, submission.subid(what))
  if not location then return nil, message, "usage" end
  local before = {}
  for _, names in ipairs(awaited(location, what.mode)) do
    for _, kind in ipairs { "result", "error", "out" } do
      before[names[kind]], message = standing(store, names[kind])
      if message then return nil, message, "environment" end
    end
  end
  return before
end

local function hand_in_and_wait(services, what, arguments)
  local before, message, code = standing_reports(services.store, what)
  if not before then return nil, message, code end
  local handed
  handed, message, code = command.hand_in(services, what)
  if not handed then return nil, message, code end
  -- Standard output is for the report, which another program may read.
  announce(io.stderr, handed)
  handed.awaited = awaited(handed.location, what.mode)
  local seen
  seen, message, code = wait(services, handed, before, arguments.timeout)
  if not seen then return nil, message, code end
  return show(services, handed, seen, arguments.format)
end

function command.run(arguments)
  if #arguments.tokens == 0 then
    return nil, "--token is missing: each student's token, 32 hexadecimal digits", "usage"
  end
  for _, name in ipairs { "admin", "event", "assignment" } do
    -- A message is JSON, and a key in it has to be the one under which the program lies.
    if not utf8.len(arguments[name]) then
      return nil, ("--%s %s isn't UTF-8"):format(name, units.format_text(arguments[name], 60)), "usage"
    end
  end
  local source, message, code = options.read_file(arguments.file)
  if not source then return nil, message, code end
  local what = {
    source = source, admin = arguments.admin, event = arguments.event, assignment = arguments.assignment,
    tokens = arguments.tokens, mode = arguments.mode,
  }
  return options.with_services(arguments, { "store", "queue" }, function(services)
    if arguments.wait then return hand_in_and_wait(services, what, arguments) end
    local handed
    handed, message, code = command.hand_in(services, what)
    if not handed then return nil, message, code end
    announce(io.stdout, handed)
    return 0
  end)
end

return command
