--- Everything that can be wrong with a message, a document, a program, cases and policies, through the real worker:
--- what is published where, what becomes a dead letter and why, what is logged, and that good submissions beside all
--- this are graded as if nothing were wrong. bad_input_scenarios.lua lists it.
---
---     build/submitter run spec/integration/bad_input.lua
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local scenarios = require "spec.integration.bad_input_scenarios"
local support = require "spec.integration.support"
local host = require "submitter.host"
local key = require "submitter.key"
local names_of_messages = require "submitter.queue.names"
local pipeline = require "submitter.pipeline"
local submission = require "submitter.submission"
local fake = require "spec.fake.grading"

local must, check = support.must, support.check
local ADMIN, EVENT = "integration", "spring"
--- A good submission is queued after so many others.
local GOOD_EVERY = 5
local WORKER_MS = 240 * 1000

local services = support.deployment("bad_input", {
  visibility = '"2s"', retry_delay = '"10ms"', failure_limit = "3",
})
local store, folder = services.store, services.folder

-- What the bucket's own API refuses to do, done to its folder.
local kit = { victim = folder:path() .. "/victim", outside = folder:path() .. "/outside" }
must(folder:write("victim", "untouched\n"))
must(folder:make "outside")

local function in_bucket(name) return "var/bucket/" .. name end

local function parents(name)
  must(folder:make(in_bucket(name:match "^(.*)/"), { parents = true }))
end

function kit.folder(name) must(folder:make(in_bucket(name), { parents = true })) end

local function run(program, ...)
  local ended = must(host.child.run { program = program, arguments = { ... } })
  must(ended.exit_code == 0 or nil, ended.stderr)
end

function kit.link(target, name)
  parents(name)
  run("/bin/ln", "-s", target, folder:path() .. "/" .. in_bucket(name))
end

function kit.fifo(name)
  parents(name)
  run("/usr/bin/mkfifo", folder:path() .. "/" .. in_bucket(name))
end

-- Without the sync of store:put: fifty megabytes of it would only take time.
function kit.put(name, text) must(folder:write(in_bucket(name), text, { parents = true })) end

local function place_of(name, assignment, mode)
  local token = host.digest.md5("student " .. name)
  local subid = submission.subid { admin = ADMIN, event = EVENT, assignment = assignment, tokens = { token } }
  local location = must(key.location(ADMIN, EVENT, assignment, subid))
  return {
    admin = ADMIN, event = EVENT, assignment = assignment, subid = subid, token = token, key = location.key,
    names = key.names(location, mode or "test"),
  }
end

local function value_of(part, place)
  if type(part) == "function" then return part(place) end
  return part
end

local function hand_in(place, document, source)
  if source ~= false then kit.put(place.names.source, source or scenarios.right) end
  document = value_of(document, place)
  if document == nil then
    document = submission.encode {
      subid = place.subid, admin = ADMIN, event = EVENT, assignment = place.assignment, tokens = { place.token },
    }
  end
  if document then kit.put(place.key, document) end
end

local function send(place, body)
  body = value_of(body, place) or submission.message { key = place.key }
  return must(services.queue:send(body))
end

--- Puts a scenario's objects where they belong and queues its message.
local function arrange(scenario)
  local assignment = scenario.assignment or scenario.own and scenario.name:gsub("%W+", "_") or "plain"
  local place = place_of(scenario.name, assignment, scenario.mode)
  if scenario.own then
    for name, text in pairs(scenario.cases or scenarios.plain) do kit.put(place.names.grading .. name, text) end
  end
  if scenario.policy then
    must(folder:write(("policy/%s/%s/%s.lua"):format(ADMIN, EVENT, assignment), scenario.policy, { parents = true }))
  end
  hand_in(place, scenario.document, scenario.source)
  if scenario.arrange then scenario.arrange(kit, place) end
  local ids = { send(place, scenario.body) }
  if scenario.twice then ids[2] = send(place, scenario.body) end
  return { name = scenario.name, place = place, ids = ids, expect = scenario.expect }
end

--- ---- the worker ----

-- Runs it to its end; `meanwhile` runs beside it and gets a function that tells whether the log holds a text by now.
local function serve(meanwhile)
  local worker = support.start_worker(services)
  if meanwhile then
    meanwhile(function(text) return table.concat(worker.log):find(text, 1, true) ~= nil end)
  end
  local log, ended = host.task.within(WORKER_MS, support.wait_worker, worker)
  if not log then
    worker.child:kill()
    check(false, "the worker ends", ended)
    support.finish()
  end
  check(ended.exit_code == 0, "the worker ends with exit code 0", log:sub(-2000))
  local lines = {}
  for text in log:gmatch "[^\n]+" do
    lines[#lines + 1] = host.json.decode(text) or { event = "not JSON: " .. text }
  end
  return lines
end

local function count(lines, wanted)
  local found, last = 0, nil
  for _, line in ipairs(lines) do
    local fits = true
    for name, value in pairs(wanted) do fits = fits and line[name] == value end
    if fits then found, last = found + 1, line end
  end
  return found, last
end

--- ---- what came of it ----

local Problems = {}
Problems.__index = Problems

function Problems:add(format, ...) self[#self + 1] = format:format(...) end

function Problems:equal(what, actual, expected)
  if actual ~= expected then self:add("%s is %s, expected %s", what, tostring(actual), tostring(expected)) end
end

-- All the texts stand in it.
function Problems:contains(what, actual, texts, place)
  for _, text in ipairs(texts or {}) do
    text = text:gsub("%%(%a+)", { subid = place.subid, assignment = place.assignment })
    if type(actual) ~= "string" or not actual:find(text, 1, true) then
      self:add("%s is %q, which doesn't hold %q", what, tostring(actual):sub(1, 300), text)
    end
  end
end

local function read(name)
  local text = store:get(name)
  return text, text and host.json.decode(text)
end

local function check_absent(problems, names, which)
  for _, one in ipairs(which) do
    if store:head(names[one]) then problems:add("%s stands, which it shouldn't", names[one]) end
  end
end

local function check_result(problems, one)
  local expect, names = one.expect, one.place.names
  local csv = read(names.out)
  for _, which in ipairs { "result", "truth" } do
    local _, document = read(names[which])
    if not document then
      problems:add("there is no %s", names[which])
    else
      problems:equal(which .. ": verdict", document.verdict, expect.verdict)
      problems:equal(which .. ": subid", document.subid, one.place.subid)
      problems:contains(which .. ": reason", document.reason, expect.reason, one.place)
      for name, value in pairs(expect.fields or {}) do problems:equal(which .. ": " .. name, document[name], value) end
      if expect.verdict == "REJ" then
        problems:equal(which .. ": total", document.total, 0)
        problems:contains(".out", csv and csv:gsub('""', '"'), { "rejected: " .. document.reason }, one.place)
      end
    end
  end
  if not csv then problems:add("there is no %s", names.out) end
  check_absent(problems, names, { "error" })
end

local function check_error(problems, one)
  local names = one.place.names
  local _, document = read(names.error)
  if not document then
    problems:add("there is no %s", names.error)
  else
    problems:equal("error: verdict", document.verdict, "IE")
    problems:equal("error: class", document.class, one.expect.class)
    problems:contains("error: reason", document.reason, one.expect.told or one.expect.reason, one.place)
  end
  if not one.expect.stands then check_absent(problems, names, { "result", "out", "truth" }) end
end

-- The dead letter, if there is to be one, and that it was said once in the log, with the same words.
local function check_message(problems, one, letters, lines)
  local expect = one.expect
  for _, id in ipairs(one.ids) do
    local letter = letters[id]
    local failed, line = count(lines, { event = "submission_failed", id = id })
    problems:equal("lines in the log that it failed", failed, expect.class and 1 or 0)
    problems:equal("retries", count(lines, { event = "submission_retried", id = id }), expect.retries or 0)
    if not expect.class and letter then
      problems:add("it is a dead letter: %s", letter.reason)
    elseif expect.class and not letter then
      problems:add("there is no dead letter")
    elseif letter then
      problems:equal("dead letter: class", letter.class, expect.class)
      problems:contains("dead letter: reason", letter.reason, expect.reason, one.place)
      if #letter.reason < 4000 then problems:equal("log: reason", line and line.reason, letter.reason) end
    end
  end
end

local function judge(one, letters, lines)
  local problems = setmetatable({}, Problems)
  if one.expect.verdict then
    check_result(problems, one)
  elseif one.expect.error then
    check_error(problems, one)
  else
    check_absent(problems, one.place.names, { "result", "out", "error", not one.expect.truth and "truth" or nil })
  end
  check_message(problems, one, letters, lines)
  check(#problems == 0, one.name, table.concat(problems, "; "))
end

local function dead_letters()
  local letters, number = {}, 0
  for _, letter in ipairs(must(services.queue:dead_letters())) do
    letters[letter.id], number = letter, number + 1
  end
  return letters, number
end

local function check_left(what)
  local found = {}
  local depth = must(services.queue:depth())
  if depth.ready + depth.held > 0 then found[1] = ("%d ready, %d held"):format(depth.ready, depth.held) end
  for _, entry in ipairs(must(services.directory:list "jobs")) do found[#found + 1] = "jobs/" .. entry.name end
  check(#found == 0, what .. ": no message and no job folder is left", table.concat(found, "; "))
end

--- ---- all at once ----

local GOOD = { verdict = "AC", fields = { total = 2, passed = 2 } }

for name, text in pairs(scenarios.plain) do kit.put(place_of("any", "plain").names.grading .. name, text) end

local queued = {}
for index, scenario in ipairs(scenarios.all) do
  queued[#queued + 1] = arrange(scenario)
  if index % GOOD_EVERY == 1 then
    queued[#queued + 1] = arrange { name = "good: beside " .. scenario.name, expect = GOOD }
  end
end

-- Put into the spool's folder by other means than send.
local function message_name()
  return names_of_messages.ready {
    sent_ms = host.clock.now_ms(), id = host.digest.random(16), receives = 0, failures = 0,
  }
end

local oversized, fifo = message_name(), message_name()
must(folder:write("var/queue/ready/" .. oversized, ("{"):rep(300 * 1024)))
must(folder:write("var/queue/ready/notes.txt", "not a message\n"))
run("/usr/bin/mkfifo", folder:path() .. "/var/queue/ready/" .. fifo)

-- What a good front end and instructor put there: nothing else may be there afterwards but reports.
local expected_keys = {}
for _, object in ipairs(must(store:list "")) do expected_keys[object.key] = true end

local began = host.clock.monotonic_ms()
local lines = serve()
print(("# %d messages in %.1f s"):format(#queued + 2, (host.clock.monotonic_ms() - began) / 1000))

local letters, dead = dead_letters()
local dead_expected = 1
for _, one in ipairs(queued) do
  judge(one, letters, lines)
  if one.expect.class then dead_expected = dead_expected + #one.ids end
  for which, name in pairs(one.place.names) do
    local wanted = one.expect.verdict and (which == "result" or which == "out" or which == "truth")
      or one.expect.error and which == "error" or one.expect.stands and which ~= "out" or one.expect.truth
    if wanted then expected_keys[name] = true end
  end
end

local strangers = {}
for _, object in ipairs(must(store:list "")) do
  if not expected_keys[object.key] then strangers[#strangers + 1] = object.key end
end
check(#strangers == 0, "nothing was published that nobody asked for", table.concat(strangers, ", "))
check(folder:read "victim" == "untouched\n" and #must(folder:list "outside") == 0,
  "what links in the bucket lead to is untouched", folder:read "victim")
check(dead == dead_expected, "there are as many dead letters as messages that were given up",
  ("%d, expected %d"):format(dead, dead_expected))
local large = letters[oversized:match "%-(%x+)%."]
check(large and large.class == "message" and large.reason:find("larger than 262144 bytes", 1, true)
  and count(lines, { event = "queue_message_too_large", id = large.id }) == 1,
  "a message larger than the queue takes is set aside and logged once", large and large.reason)
check(count(lines, { event = "queue_stranger" }) == 2, "what lies in the spool and is no message is logged once each",
  count(lines, { event = "queue_stranger" }) .. " lines")

local expected_events = {
  worker_started = true, worker_stopped = true, submission_published = true, submission_failed = true,
  submission_retried = true, queue_stranger = true, queue_message_too_large = true,
}
local surprises = {}
for _, line in ipairs(lines) do
  if not expected_events[line.event] then surprises[#surprises + 1] = host.json.encode(line):sub(1, 500) end
end
check(#surprises == 0, "the log holds nothing else", table.concat(surprises, "\n"))
for _, name in ipairs { "notes.txt", fifo } do must(folder:remove("var/queue/ready/" .. name)) end
check_left "all at once"

--- ---- one after the other: what is mended, changed, late ----

local by_name = {}
for _, one in ipairs(queued) do by_name[one.name] = one end

local function again(name, changes, expect)
  local place = by_name[name].place
  for which, text in pairs(changes) do must(store:put(place.names[which] or place.names.grading .. which, text)) end
  return { name = expect.name, place = place, ids = { send(place) }, expect = expect }
end

local second = {
  again("message: twice", {},
    { name = "again: the same message later", verdict = "AC", fields = { run = 1, attempt = 1 } }),
  again("program: with a byte order mark", { source = scenarios.right .. "# better\n" },
    { name = "again: a changed program", verdict = "AC", fields = { run = 2, attempt = 2 } }),
  again("program: empty", { source = scenarios.right },
    { name = "again: an empty program was mended", verdict = "AC", fields = { run = 2, attempt = 2 } }),
  again("program: missing", { source = "" }, {
    name = "again: a program that was missing is empty", verdict = "REJ", class = "rejected", reason = { "is empty" },
  }),
  again("program: 50 MB", { source = "" }, {
    name = "again: a program that was too large is empty", verdict = "REJ", class = "rejected",
    reason = { "is empty" },
  }),
  again("program: binary", {}, {
    name = "again: a refused program stays refused", verdict = "REJ", class = "rejected",
    fields = { run = 1, attempt = 1 },
  }),
  again("cases: unequal", { ["test.out"] = "1\n2\n3\n" },
    { name = "again: unequal cases were mended, error.json goes", verdict = "AC", fields = { run = 1, attempt = 1 } }),
  again("cases: 300 lines", { ["test.out"] = "" }, {
    name = "again: cases broken later leave the result that stands", error = true, class = "instructor",
    stands = true, reason = { "has 300 lines", "has 0" },
  }),
}
local kept = read(by_name["cases: 300 lines"].place.names.result)
-- The first worker's letters about these are done with.
for _, letter in pairs(letters) do must(services.queue:drop(letter)) end
lines = serve()
letters = dead_letters()
for _, one in ipairs(second) do judge(one, letters, lines) end
check(read(by_name["cases: 300 lines"].place.names.result) == kept, "the result that stood is as it was")
check(count(lines, { event = "submission_published", stood = true }) == 2, "two of these stood already",
  count(lines, { event = "submission_published", stood = true }))
check_left "one after the other"

-- Five tries with growing delays, 100 ms at first: what comes a little late is still in time.
must(folder:write("submitter.lua", (must(folder:read "submitter.lua"):gsub('"10ms"', '"100ms"')
  :gsub("failure_limit = 3", "failure_limit = 5"))))
local late = {
  { name = "late: the program comes 200 ms after the message", which = "source" },
  { name = "late: the document comes 200 ms after the message", which = "document" },
  { name = "late: the expected outputs come 200 ms after the message", which = "cases_out" },
}
for _, one in ipairs(late) do
  local assignment = "late_" .. one.which
  one.place, one.expect = place_of(one.name, assignment), GOOD
  for name, text in pairs(scenarios.plain) do kit.put(one.place.names.grading .. name, text) end
  hand_in(one.place)
  one.text = must(store:get(one.place.names[one.which]))
  must(store:delete(one.place.names[one.which]))
  one.ids = { send(one.place) }
end
lines = serve(function(logged)
  host.clock.sleep_ms(200)
  for _, one in ipairs(late) do
    -- Late is what the worker has missed once; on a machine that is busy this takes longer than 200 ms.
    for _ = 1, 500 do
      if logged('"id":"' .. one.ids[1] .. '"') then break end
      host.clock.sleep_ms(10)
    end
    must(store:put(one.place.names[one.which], one.text))
  end
end)
letters = dead_letters()
for _, one in ipairs(late) do
  local tries = count(lines, { event = "submission_retried", id = one.ids[1] })
  one.expect = { verdict = "AC", fields = GOOD.fields, retries = math.max(1, tries) }
  judge(one, letters, lines)
end
check_left "late"

--- ---- twenty thousand lines ----

-- In this process, with a runner that runs nothing: what is measured is all of ours but the sandbox.
local function grade_lines(number)
  local parts = fake.parts "sum"
  parts.store.objects[fake.base .. "/grading/test.in"] = ("1 2\n"):rep(number)
  parts.store.objects[fake.base .. "/grading/test.out"] = ("3\n"):rep(number)
  local job = fake.job(parts)
  local before_us = host.clock.cpu_us()
  local done, message = pipeline.run(job, parts.steps)
  local taken_us = host.clock.cpu_us() - before_us
  pipeline.close(job)
  local result = fake.published(parts, fake.prefix .. ".result.json")
  check(done and result.total == number and result.passed == number and #result.cases == number,
    ("%d lines are %d cases, all passed"):format(number, number), message)
  return taken_us / number
end

grade_lines(100)
local few_us, many_us = grade_lines(1000), grade_lines(20000)
print(("# CPU time a case without the sandbox: %.1f us of 1000 lines, %.1f us of 20000"):format(few_us, many_us))
check(many_us < 3 * few_us + 20, "twenty times the lines cost no more each",
  ("%.1f us, %.1f us"):format(few_us, many_us))

-- Nobody needs these to see what went wrong.
for _, object in ipairs(must(store:list "")) do
  if object.size_bytes > 1 << 20 then must(store:delete(object.key)) end
end

support.finish()
