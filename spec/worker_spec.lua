local host = require "submitter.host"
local notify = require "submitter.notify"
local support = require "spec.support"
local worker = require "submitter.worker"

local fake = require "spec.fake.grading"
local fake_sqs = require "spec.fake.sqs"
local sqs_queue = require "submitter.queue.sqs"

local truth_key = fake.base .. "/grading/results/" .. fake.subid .. ".json"
local result_key, error_key = fake.prefix .. ".result.json", fake.prefix .. ".error.json"

describe("the worker", function()
  local parts

  setup(function() host.log.configure { level = "warn" } end)
  teardown(function() host.log.configure { level = "info" } end)
  before_each(function() parts = fake.parts() end)
  after_each(support.clean)
  after_each(function()
    assert.are.equal(0, parts.runner.open)
    assert.are.equal(0, parts.jobs.open)
    parts.queue.trouble = function() end
    assert.are.equal(0, parts.queue:depth().held)
  end)

  -- Runs until the queue is empty, and returns what was logged as a warning or an error.
  local function run_once()
    local info = {}
    local restore = support.replace(host.log, {
      info = function(event, fields) info[#info + 1] = { event = event, fields = fields } end,
    })
    local lines = support.logged(function() assert(assert(worker.new(parts)):run { once = true }) end)
    restore()
    return lines, info
  end

  local function events(lines)
    local names = {}
    for index, line in ipairs(lines) do names[index] = line.event end
    return table.concat(names, " ")
  end

  it("publishes, then deletes the message", function()
    local id = parts.queue:send(fake.message())
    local lines, info = run_once()
    assert.are.equal("", events(lines))
    assert.are.equal("AC", fake.published(parts, result_key).verdict)
    assert.is_not_nil(parts.queue.deleted[id])
    local published
    for _, line in ipairs(info) do
      if line.event == "submission_published" then published = line.fields end
    end
    assert.are.same({ fake.subid, "m.soltys", "lab5", "test", "AC", 3, 3, 1, 1 }, {
      published.subid, published.admin, published.assignment, published.mode, published.verdict, published.passed,
      published.total, published.attempt, published.run,
    })
    assert.is_true(published.duration_ms >= 0)
    for _, value in pairs(published) do assert.is_nil(tostring(value):find(fake.token, 1, true)) end
  end)

  it("ends at once where there is nothing to do", function()
    assert.are.equal("", events((run_once())))
    assert.are.equal(2, parts.runner.warmed)
    assert.is_true(parts.runner.closed)
  end)

  it("doesn't begin where nothing can be graded", function()
    parts.runner.fail_warm = function() return "no cgroup", "environment" end
    parts.queue:send(fake.message())
    assert.are.same({ nil, "no cgroup", "environment" }, { assert(worker.new(parts)):run { once = true } })
    assert.are.equal(1, parts.queue:depth().ready)
    assert.is_true(parts.runner.closed)
  end)

  it("waits with its end for what others hold", function()
    parts.queue.held.other = { id = "other" }
    local ended
    local serving = host.task.spawn("serving", function()
      run_once()
      ended = true
    end)
    host.clock.sleep_ms(50)
    assert.is_nil(ended)
    parts.queue.held.other = nil
    assert(serving:join())
    assert.is_true(ended)
  end)

  it("takes both modes, and events of the bucket", function()
    parts.queue:send(fake.message { mode = "grade" })
    parts.queue:send(host.json.encode { Records = { {
      eventSource = "aws:s3", eventName = "ObjectCreated:Put", s3 = { object = { key = fake.prefix .. ".json" } },
    } } })
    parts.queue:send(host.json.encode { Event = "s3:TestEvent", Service = "Amazon S3" })
    run_once()
    assert.is_not_nil(parts.store.objects[result_key])
    assert.is_not_nil(parts.store.objects[fake.prefix .. ".grade.result.json"])
    assert.are.same({}, parts.queue.dead)
  end)

  -- A notification with a record for each key; anything but a text stands as it is.
  local function notification(...)
    local records = host.json.array {}
    for index, what in ipairs { ... } do
      records[index] = type(what) == "string" and notify.records(what).Records[1] or what
    end
    return host.json.encode { Records = records }
  end

  it("grades all that an event announces, then puts it away for the record that can't be read", function()
    local second = ("%032x"):format(2)
    local prefix = fake.base .. "/" .. second .. "/" .. second
    parts.store.objects[prefix .. ".json"] = fake.document { subid = second }
    parts.store.objects[prefix .. ".py"] = "sum"
    local id = parts.queue:send(notification(fake.prefix .. ".json", 5, fake.base .. "/notes", prefix .. ".json"))
    local lines = run_once()
    assert.are.equal("AC", fake.published(parts, result_key).verdict)
    assert.are.equal("AC", fake.published(parts, prefix .. ".result.json").verdict)
    assert.are.equal("message", parts.queue.dead[id].class)
    assert.are.equal(1, parts.queue.dead[id].failures)
    assert.are.equal("Records[2] has no eventName or no s3.object.key; expected an S3 event record",
      parts.queue.dead[id].reason)
    assert.are.equal("submission_failed", events(lines))
  end)

  it("tries again what may come before it gives an event up", function()
    parts.store.objects[fake.prefix .. ".py"] = nil
    local asked = 0
    parts.store.fail = function(call)
      if call == "get " .. fake.prefix .. ".py" then
        asked = asked + 1
        if asked == 2 then parts.store.objects[fake.prefix .. ".py"] = "sum" end
      end
    end
    local id = parts.queue:send(notification(fake.prefix .. ".json", 5))
    run_once()
    assert.are.equal(1, #parts.queue.failed[id])
    assert.are.equal("AC", fake.published(parts, result_key).verdict)
    assert.are.equal("message", parts.queue.dead[id].class)
    assert.matches("Records[2]", parts.queue.dead[id].reason, 1, true)
  end)

  it("names all for which an event is given up", function()
    local second = ("%032x"):format(2)
    local prefix = fake.base .. "/" .. second .. "/" .. second
    parts.store.objects[prefix .. ".json"] = fake.document { subid = second }
    parts.store.objects[prefix .. ".py"] = ""
    parts.store.objects[fake.prefix .. ".py"] = "a\0b"
    local id = parts.queue:send(notification(fake.prefix .. ".json", prefix .. ".json", 5))
    run_once()
    local letter = parts.queue.dead[id]
    assert.are.equal("rejected", letter.class)
    for _, words in ipairs { "NUL byte at offset 1", second .. ": ", ".py is empty", "Records[3] has no" } do
      assert.matches(words, letter.reason, 1, true)
    end
  end)

  it("deletes quietly what announces nothing", function()
    local quiet = {}
    finally(support.replace(host.log, { debug = function(event, fields) quiet[#quiet + 1] = { event, fields } end }))
    local ids = {}
    for _, body in ipairs {
      host.json.encode { Event = "s3:TestEvent" }, '{"Records":[]}', notification(fake.base .. "/grading/test.in"),
      host.json.encode { Type = "SubscriptionConfirmation", Message = "x" },
    } do
      ids[#ids + 1] = parts.queue:send(body)
    end
    assert.are.equal("", events((run_once())))
    for index, id in ipairs(ids) do
      assert.is_not_nil(parts.queue.deleted[id])
      assert.are.same({ "message_announces_nothing", id }, { quiet[index][1], quiet[index][2].id })
      assert.is_string(quiet[index][2].reason)
    end
  end)

  it("puts away a message that says nothing", function()
    local ids = {}
    for _, body in ipairs {
      "", "{", "[]", "{}", '{"subdata":5}', '{"subdata":"a/../b"}', '{"subdata":"' .. ("x"):rep(5000) .. '"}',
      '{"subdata":"a/b/c/d.json"}', fake.message { mode = "exam" }, '{"Records":[5]}',
    } do
      ids[#ids + 1] = parts.queue:send(body)
    end
    local lines = run_once()
    for _, id in ipairs(ids) do
      assert.are.equal("message", parts.queue.dead[id].class, id)
      assert.are.equal(1, parts.queue.dead[id].failures)
    end
    -- Each once.
    assert.are.equal(("submission_failed "):rep(#ids), events(lines) .. " ")
    assert.are.same({}, parts.store:asked "put")
  end)

  it("rejects for ever what can never be graded, and says so once", function()
    parts.store.objects[fake.prefix .. ".py"] = "a\0b"
    local id = parts.queue:send(fake.message())
    local lines = run_once()
    assert.are.equal("submission_failed", events(lines))
    local seen = fake.published(parts, result_key)
    assert.are.equal("REJ", seen.verdict)
    assert.matches("NUL byte at offset 1", seen.reason, 1, true)
    assert.are.same({ class = "rejected", failures = 1, reason = seen.reason }, parts.queue.dead[id])
    assert.is_nil(parts.store.objects[error_key])
  end)

  it("tells the instructor's mistakes beside the submission", function()
    parts.store.objects[fake.base .. "/grading/test.out"] = "3\n"
    local id = parts.queue:send(fake.message())
    run_once()
    assert.are.equal("instructor", parts.queue.dead[id].class)
    assert.are.equal(1, parts.queue.dead[id].failures)
    assert.are.equal("IE", fake.published(parts, error_key).verdict)
    assert.matches("test.in has 3 lines", fake.published(parts, error_key).reason, 1, true)
    assert.is_nil(parts.store.objects[result_key])
  end)

  it("tells a policy's mistakes the same way", function()
    parts.policy_directory = fake.policies { ["m.soltys.lua"] = "return { points = function() error('no') end }" }
    local id = parts.queue:send(fake.message())
    run_once()
    assert.are.equal("policy", parts.queue.dead[id].class)
    assert.are.equal("policy", fake.published(parts, error_key).class)
  end)

  it("tries again, later and later, what may come; then rejects", function()
    parts.store.objects[fake.prefix .. ".py"] = nil
    local id = parts.queue:send(fake.message())
    local lines = run_once()
    local delays = parts.queue.failed[id]
    assert.are.equal(2, #delays)
    assert.is_true(delays[1] >= 1000 and delays[1] <= 1100)
    assert.is_true(delays[2] >= 2000 and delays[2] <= 2200)
    assert.are.equal("missing", parts.queue.dead[id].class)
    assert.are.equal("REJ", fake.published(parts, result_key).verdict)
    assert.matches(fake.prefix .. ".py", fake.published(parts, result_key).reason, 1, true)
    assert.are.equal("submission_failed", events(lines))
  end)

  it("grades what came late", function()
    parts.store.objects[fake.prefix .. ".py"] = nil
    local id = parts.queue:send(fake.message())
    local asked = 0
    parts.store.fail = function(call)
      if call == "get " .. fake.prefix .. ".py" then
        asked = asked + 1
        if asked == 2 then parts.store.objects[fake.prefix .. ".py"] = "sum" end
      end
    end
    run_once()
    assert.is_not_nil(parts.queue.deleted[id])
    assert.are.equal("AC", fake.published(parts, result_key).verdict)
  end)

  it("tries cases that are missing again; then it is the instructor's", function()
    parts.store.objects[fake.base .. "/grading/test.in"] = nil
    local id = parts.queue:send(fake.message())
    run_once()
    assert.are.equal(2, #parts.queue.failed[id])
    assert.are.equal("not_found", parts.queue.dead[id].class)
    assert.are.equal("not_found", fake.published(parts, error_key).class)
    assert.is_nil(parts.store.objects[result_key])
  end)

  it("never replaces a result by a failure of ours", function()
    parts.queue:send(fake.message())
    run_once()
    local truth, seen = parts.store.objects[truth_key], parts.store.objects[result_key]
    parts.store.objects[fake.prefix .. ".py"] = "broken"
    parts.runner.programs.broken = function() return nil, "the runner died", "sandbox" end
    local id = parts.queue:send(fake.message())
    run_once()
    assert.are.same({ class = "sandbox", failures = 3, reason = "case 1: the runner died" }, parts.queue.dead[id])
    assert.are.equal(truth, parts.store.objects[truth_key])
    assert.are.equal(seen, parts.store.objects[result_key])
    assert.are.equal("sandbox", fake.published(parts, error_key).class)
    -- And the next good one takes the failure away.
    parts.store.objects[fake.prefix .. ".py"] = "sum"
    parts.queue:send(fake.message())
    run_once()
    assert.is_nil(parts.store.objects[error_key])
  end)

  it("survives a Lua error in one submission, with its traceback in the log", function()
    parts.runner.programs.bug = function() error("a bug of ours") end
    parts.store.objects[fake.prefix .. ".py"] = "bug"
    local id = parts.queue:send(fake.message())
    parts.queue:send(fake.message { mode = "grade" })
    local lines = run_once()
    assert.are.equal("internal", parts.queue.dead[id].class)
    assert.are.equal(3, parts.queue.dead[id].failures)
    local traces = 0
    for _, line in ipairs(lines) do
      if line.event == "submission_error" then
        traces = traces + 1
        assert.matches("a bug of ours", line.fields.traceback, 1, true)
        assert.matches("stack traceback", line.fields.traceback, 1, true)
      end
    end
    assert.are.equal(6, traces)
  end)

  it("survives an error in its own steps", function()
    parts.steps = { function() error("a bug in a step") end }
    local id = parts.queue:send(fake.message())
    run_once()
    assert.are.equal("internal", parts.queue.dead[id].class)
  end)

  it("retries where the report couldn't be published", function()
    parts.store.objects[fake.prefix .. ".py"] = ""
    local puts = 0
    parts.store.fail = function(call)
      if call == "put " .. truth_key then
        puts = puts + 1
        if puts == 1 then return "no route to the bucket", "unavailable" end
      end
    end
    local id = parts.queue:send(fake.message())
    run_once()
    assert.are.equal(1, #parts.queue.failed[id])
    assert.are.equal("rejected", parts.queue.dead[id].class)
    assert.are.equal("REJ", fake.published(parts, result_key).verdict)
  end)

  it("puts a message away even where nothing can be published", function()
    parts.store.fail = function() return "no route to the bucket", "unavailable" end
    local id = parts.queue:send(fake.message())
    run_once()
    assert.are.equal("unavailable", parts.queue.dead[id].class)
    assert.matches("couldn't be published", parts.queue.dead[id].reason, 1, true)
  end)

  it("stops a submission whose lease is lost, and publishes nothing", function()
    parts.configuration.visibility_ms = 40
    local cases_run, cleaned = 0, false
    parts.runner.programs.slow = function()
      cases_run = cases_run + 1
      host.clock.sleep_ms(10000)
      return "3\n"
    end
    parts.store.objects[fake.prefix .. ".py"] = "slow"
    local id = parts.queue:send(fake.message())
    local lines = support.logged(function()
      local serving = host.task.spawn("serving", function() assert(assert(worker.new(parts)):run { once = true }) end)
      support.eventually("a case that runs", function() return cases_run == 1 end)
      parts.queue.held[id] = nil
      assert(serving:join())
      cleaned = parts.runner.open == 0 and parts.jobs.open == 0
    end)
    assert.is_true(cleaned)
    assert.are.equal(1, cases_run)
    assert.are.same({}, parts.store:asked "put")
    assert.are.same({}, parts.queue.deleted)
    assert.are.same({}, parts.queue.dead)
    assert.are.equal("lease_lost", lines[#lines].event)
  end)

  it("keeps the lease of what takes long", function()
    parts.configuration.visibility_ms = 40
    parts.runner.programs.slow = function()
      host.clock.sleep_ms(40)
      return "3\n"
    end
    parts.store.objects[fake.prefix .. ".py"] = "slow"
    local id = parts.queue:send(fake.message())
    run_once()
    assert.is_true(parts.queue.extended >= 3)
    assert.is_not_nil(parts.queue.deleted[id])
  end)

  it("has no more in flight than slots, and asks for no more", function()
    local now, most = 0, 0
    parts.configuration.slots = 3
    parts.runner.programs.counted = function()
      now = now + 1
      most = math.max(most, now)
      host.clock.sleep_ms(2)
      now = now - 1
      return "x"
    end
    parts.store.objects[fake.prefix .. ".py"] = nil
    for number = 1, 9 do
      local subid = ("%032x"):format(number)
      local prefix = fake.base .. "/" .. subid .. "/" .. subid
      parts.store.objects[prefix .. ".json"] = fake.document { subid = subid }
      parts.store.objects[prefix .. ".py"] = "counted"
      parts.queue:send(host.json.encode { subdata = prefix .. ".json" })
    end
    run_once()
    assert.are.equal(3, most)
    assert.are.equal(3, parts.queue.largest_wanted)
    for number = 1, 9 do
      local subid = ("%032x"):format(number)
      assert.is_not_nil(parts.store.objects[("%s/%s/%s.result.json"):format(fake.base, subid, subid)])
    end
  end)

  it("grades a submission in one mode at a time only", function()
    local now, most = 0, 0
    parts.configuration.slots = 4
    parts.runner.programs.counted = function()
      now = now + 1
      most = math.max(most, now)
      host.clock.sleep_ms(2)
      now = now - 1
      return "x"
    end
    parts.store.objects[fake.prefix .. ".py"] = "counted"
    for number = 1, 4 do parts.queue:send(fake.message { regrade = "r" .. number }) end
    run_once()
    assert.are.equal(1, most)
    assert.are.equal(4, fake.published(parts, truth_key).run)
    assert.are.equal(1, fake.published(parts, truth_key).attempt)
  end)

  it("survives a queue in trouble", function()
    local calls = 0
    parts.queue.trouble = function(verb)
      if verb ~= "receive" then return end
      calls = calls + 1
      if calls <= 2 then return "no route to the queue", "unavailable" end
    end
    local id = parts.queue:send(fake.message())
    local lines = run_once()
    assert.are.equal("queue_unavailable queue_unavailable", events(lines))
    assert.are.equal(2 * lines[1].fields.pause_ms, lines[2].fields.pause_ms)
    assert.is_not_nil(parts.queue.deleted[id])
  end)

  it("gives signs of life from its start to its end", function()
    run_once()
    assert.is_true(parts.jobs.life.alive_ms >= parts.jobs.life.due_ms)
    local tasks = host.task.count()
    host.clock.sleep_ms(10)
    assert.are.equal(tasks, host.task.count())
  end)

  it("tells when the queue last answered", function()
    local calls, before_ms = 0, host.clock.now_ms()
    parts.queue.trouble = function(verb)
      if verb ~= "receive" then return end
      calls = calls + 1
      if calls ~= 2 and calls <= 3 then return "no route to the queue", "unavailable" end
    end
    parts.queue:send(fake.message())
    local one = assert(worker.new(parts))
    local lines = support.logged(function() assert(one:run { once = true }) end)
    assert.are.equal("none yet", lines[1].fields.last_poll)
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT", lines[2].fields.last_poll)
    assert.is_true(one.last_poll_ms >= before_ms and one.last_poll_ms <= host.clock.now_ms())
    assert.are.same({ last_poll_ms = one.last_poll_ms }, parts.jobs.state)
    -- A poll that is answered ends the growth of the pauses.
    assert.are.equal(lines[1].fields.pause_ms, lines[2].fields.pause_ms)
  end)

  it("leaves word of trouble at once, and of good polls now and then", function()
    local told, calls = {}, 0
    function parts.jobs.tell(_, state)
      told[#told + 1] = state.problem or "fine"
      return true
    end
    parts.queue.trouble = function(verb)
      if verb ~= "receive" then return end
      calls = calls + 1
      if calls == 3 or calls == 4 then return "no route to the queue", "unavailable" end
    end
    for _ = 1, 4 do parts.queue:send(fake.message()) end
    parts.configuration.slots = 1
    support.logged(function() assert(assert(worker.new(parts)):run { once = true }) end)
    assert.are.equal("fine, no route to the queue, fine", table.concat(told, ", "))
  end)

  it("gives up with `once` where the queue goes on refusing, and not where it is only away", function()
    parts.queue.trouble = function() return "no such queue", "environment" end
    local returned
    support.logged(function() returned = { assert(worker.new(parts)):run { once = true } } end)
    assert.are.same({ nil, "no such queue", "environment" }, returned)
    local calls = 0
    parts.runner = require("spec.fake.runner").open()
    parts.queue.trouble = function()
      calls = calls + 1
      if calls <= 4 then return "no route", calls % 2 == 0 and "environment" or "unavailable" end
    end
    support.logged(function() assert(assert(worker.new(parts)):run { once = true }) end)
  end)

  it("waits out its pause also when submissions end meanwhile", function()
    local calls = {}
    parts.queue.trouble = function(verb)
      if verb ~= "receive" then return end
      calls[#calls + 1] = host.clock.monotonic_ms()
      if #calls > 1 and #calls <= 3 then return "no route to the queue", "unavailable" end
    end
    parts.runner.programs.slow = function()
      host.clock.sleep_ms(10)
      return "3\n"
    end
    parts.store.objects[fake.prefix .. ".py"] = "slow"
    parts.queue:send(fake.message())
    run_once()
    assert.is_true(calls[3] - calls[2] >= 100)
    assert.is_true(calls[4] - calls[3] >= 200)
  end)

  it("pauses up to 10 s, and up to a minute where somebody has to change something", function()
    local one = assert(worker.new(parts))
    one.stopping = true -- nothing is waited for
    for code, longest_ms in pairs { unavailable = 10000, environment = 60000 } do
      one.pause_ms = nil
      local lines = support.logged(function()
        for _ = 1, 12 do one:trouble("no", code) end
      end)
      assert.are.equal(200, lines[1].fields.pause_ms)
      assert.are.equal(6400, lines[6].fields.pause_ms)
      assert.are.equal(longest_ms, lines[12].fields.pause_ms)
    end
  end)

  it("ends by the rules of a queue whose counts lag behind", function()
    local waits, depths = {}, 0
    parts.queue.once = { wait_ms = 7, looks = 3 }
    local receive, depth = parts.queue.receive, parts.queue.depth
    parts.queue.receive = function(self, options)
      waits[#waits + 1] = options.wait_ms
      -- It comes while the counts say that there is nothing.
      if #waits == 3 then self:send(fake.message()) end
      return receive(self, options)
    end
    parts.queue.depth = function(self)
      depths = depths + 1
      if depths == 4 then return { ready = 1, held = 0 } end
      return depth(self)
    end
    run_once()
    assert.are.equal("AC", fake.published(parts, result_key).verdict)
    -- Two looks, the message, one look with a count that is wrong, and three.
    assert.is_true(#waits >= 7)
    for _, wait_ms in ipairs(waits) do assert.are.equal(7, wait_ms) end
  end)

  it("says so where the queue doesn't take what became of a message", function()
    parts.queue.trouble = function(verb)
      if verb == "delete" then return "no route to the queue", "unavailable" end
    end
    parts.queue:send(fake.message())
    local lines = support.logged(function()
      local one = assert(worker.new(parts))
      local serving = host.task.spawn("serving", function() assert(one:run {}) end)
      support.eventually("the report", function() return parts.store.objects[result_key] end)
      one:stop()
      assert(serving:join())
    end)
    assert.are.equal("message_not_settled", events(lines))
    assert.are.equal(1, parts.queue:depth().held)
    parts.queue.held = {}
  end)

  describe("on SQS", function()
    local server

    before_each(function()
      server = fake_sqs.open()
      server.second_ms = 20
      parts.configuration.visibility_ms = 600000
      parts.queue = assert(sqs_queue.open {
        session = {}, url = server.url, dead_letter_url = server.dead_url, failure_limit = 3, client = server,
      })
    end)

    local function serve(action)
      local one = assert(worker.new(parts))
      local serving = host.task.spawn("serving", function() assert(one:run {}) end)
      local lines = support.logged(function() action(one) end)
      one:stop()
      assert(serving:join())
      parts.queue:close()
      return lines
    end

    it("grades, deletes, and ends when there is no more", function()
      for number = 1, 12 do assert(parts.queue:send(fake.message { regrade = "r" .. number })) end
      parts.configuration.slots = 12
      assert.are.equal("", events((run_once())))
      assert.are.equal(12, fake.published(parts, truth_key).run)
      assert.are.equal(0, #server:messages(server.url))
    end)

    it("writes a dead letter after as many failures as are allowed", function()
      parts.configuration.retry_delay_ms = 10
      parts.store.objects[fake.prefix .. ".py"] = nil
      assert(parts.queue:send(fake.message()))
      run_once()
      local letter = server:messages(server.dead_url)[1]
      assert.are.equal("missing", letter.attributes.Class.StringValue)
      assert.are.equal("3", letter.attributes.Failures.StringValue)
      assert.are.equal(0, #server:messages(server.url))
    end)

    it("keeps a job that is longer than its visibility", function()
      parts.configuration.visibility_ms = 2000
      server.second_ms = 1000
      parts.runner.programs.slow = function()
        host.clock.sleep_ms(1200)
        return "3\n"
      end
      parts.store.objects[fake.prefix .. ".py"] = "slow"
      assert(parts.queue:send(fake.message()))
      serve(function()
        support.eventually("the end", function() return #server:messages(server.url) == 0 end, 20000)
      end)
      assert.is_true(#server:asked "ChangeMessageVisibilityBatch" >= 2)
      assert.are.equal(1, server.handles)
    end)

    it("goes on when the queue is deleted and made again", function()
      local lines = serve(function()
        support.eventually("a poll", function() return #server:asked "ReceiveMessage" > 0 end)
        server.queues[server.url] = nil
        support.eventually("the trouble", function() return #server:asked "ReceiveMessage" >= 3 end)
        server:make(server.url)
        assert(parts.queue:send(fake.message()))
        support.eventually("the report", function() return parts.store.objects[result_key] end, 20000)
        support.eventually("the end", function() return #server:messages(server.url) == 0 end)
      end)
      assert.are.equal("queue_unavailable", lines[1].event)
      assert.are.equal("environment", lines[1].fields.class)
      assert.matches("there is no queue", lines[1].fields.reason, 1, true)
    end)

    it("hands on what its last poll brought when it is stopped", function()
      server.second_ms = 1000
      serve(function(one)
        support.eventually("the poll", function() return server.now_under_way == 1 end)
        one:stop()
        host.clock.sleep_ms(5)
        assert(parts.queue:send(fake.message()))
      end)
      assert.is_nil(parts.store.objects[result_key])
      local message = server:messages(server.url)[1]
      assert.are.equal(1, message.receives)
      assert.is_true(message.visible_s <= server:now_s())
    end)
  end)

  describe("without once", function()
    local function serve(action)
      local one = assert(worker.new(parts))
      local serving = host.task.spawn("serving", function() assert(one:run {}) end)
      host.clock.sleep_ms(1)
      action(one)
      assert(serving:join())
    end

    it("goes on until it is told to stop", function()
      serve(function(one)
        local first = parts.queue:send(fake.message())
        support.eventually("the first", function() return parts.queue.deleted[first] end)
        local second = parts.queue:send(fake.message { mode = "grade" })
        support.eventually("the second", function() return parts.queue.deleted[second] end)
        one:stop()
      end)
    end)

    it("wears no message out while the bucket is away", function()
      local is_away = true
      parts.store.fail = function() if is_away then return "no route to the bucket", "unavailable" end end
      local lines = support.logged(function()
        serve(function(one)
          local ids = {}
          for number = 1, 2 do
            ids[number] = parts.queue:send(fake.message { mode = number % 2 == 0 and "grade" or nil })
          end
          support.eventually("an outage", function() return one.outage.is_on and one.in_flight == 0 end)
          parts.queue.largest_wanted = 0
          support.eventually("more tries", function() return one.outage.failures >= 5 end)
          assert.are.equal(1, parts.queue.largest_wanted)
          assert.is_nil(next(parts.queue.dead))
          assert.are.equal("nothing can be graded: no route to the bucket", parts.jobs.state.problem)
          is_away = false
          for number, id in ipairs(ids) do
            support.eventually("message " .. number, function() return parts.queue.deleted[id] end)
            assert.is_true(parts.queue.deleted[id].failures <= 1)
          end
          assert.is_nil(one.outage_problem)
          one:stop()
        end)
      end)
      assert.are.equal("outage_began", events(lines))
      assert.are.equal("no route to the bucket", lines[1].fields.reason)
    end)

    it("ends at once also in the pauses of an outage", function()
      parts.store.fail = function() return "no route to the bucket", "unavailable" end
      support.logged(function()
        serve(function(one)
          for _, mode in ipairs { "test", "grade" } do parts.queue:send(fake.message { mode = mode }) end
          support.eventually("an outage", function() return one.outage.failures >= 4 end)
          local began_ms = host.clock.monotonic_ms()
          one:stop()
          support.eventually("the end", function() return one.in_flight == 0 end)
          assert.is_true(host.clock.monotonic_ms() - began_ms < 1000)
        end)
      end)
      assert.is_nil(next(parts.queue.dead))
    end)

    it("finishes what runs and takes nothing new", function()
      local finish = host.task.event()
      parts.configuration.slots = 1
      parts.runner.programs.slow = function()
        finish:wait()
        return "3\n"
      end
      parts.store.objects[fake.prefix .. ".py"] = "slow"
      serve(function(one)
        local running = parts.queue:send(fake.message())
        support.eventually("the start", function() return parts.runner.cases == 1 end)
        local waiting = parts.queue:send(fake.message { mode = "grade" })
        one:stop()
        one:stop()
        host.clock.sleep_ms(5)
        finish:set()
        support.eventually("the end", function() return parts.queue.deleted[running] end)
        assert.is_nil(parts.queue.deleted[waiting])
      end)
      assert.are.equal(1, parts.queue:depth().ready)
    end)

    it("finishes also what waits for its twin", function()
      local finish = host.task.event()
      parts.runner.programs.slow = function()
        finish:wait()
        return "3\n"
      end
      parts.store.objects[fake.prefix .. ".py"] = "slow"
      serve(function(one)
        local ids = {}
        for index = 1, 2 do ids[index] = parts.queue:send(fake.message { regrade = "r" .. index }) end
        support.eventually("the start", function() return parts.runner.cases == 1 and parts.queue:depth().held == 2 end)
        one:stop()
        host.clock.sleep_ms(5)
        finish:set()
        support.eventually("the end", function() return parts.queue.deleted[ids[1]] and parts.queue.deleted[ids[2]] end)
      end)
      assert.are.equal(2, fake.published(parts, truth_key).run)
    end)

    it("survives being told at the moment when messages come", function()
      local id
      serve(function(one)
        id = parts.queue:send(fake.message())
        one:stop()
      end)
      assert.is_true(parts.queue.deleted[id] ~= nil or parts.queue:depth().ready == 1)
    end)

    it("ends on SIGTERM and on SIGINT", function()
      for _, signal in ipairs { "-TERM", "-INT" } do
        serve(function()
          assert(host.child.run { program = "/bin/sh",
            arguments = { "-c", "kill $0 $1", signal, tostring(host.system.pid()) } })
        end)
      end
    end)

    it("uses no time while it waits", function()
      serve(function(one)
        local before_us = host.clock.cpu_us()
        host.clock.sleep_ms(200)
        assert.is_true(host.clock.cpu_us() - before_us < 20000)
        one:stop()
      end)
    end)
  end)

  it("needs its parts", function()
    parts.store = nil
    assert.has_error(function() worker.new(parts) end)
    parts.store = fake.parts().store
  end)
end)
