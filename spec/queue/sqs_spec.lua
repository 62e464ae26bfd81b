local fake_sqs = require "spec.fake.sqs"
local host = require "submitter.host"
local sqs = require "submitter.aws.sqs"
local sqs_queue = require "submitter.queue.sqs"
local support = require "spec.support"

describe("a queue on SQS", function()
  local server, queue

  local function open(options)
    local settings = { session = {}, url = server.url, dead_letter_url = server.dead_url, failure_limit = 3,
      client = server }
    for name, value in pairs(options or {}) do settings[name] = value or nil end
    return assert(sqs_queue.open(settings))
  end

  setup(function() host.log.configure { level = "warn" } end)
  teardown(function() host.log.configure { level = "info" } end)
  before_each(function()
    server = fake_sqs.open()
    queue = open()
  end)

  local function receive(options)
    local messages = assert(queue:receive(options or { max = 10, visibility_ms = 30000 }))
    return messages[1], messages
  end

  -- The clock of this process, moved along with the server's.
  local function pass(seconds)
    server:advance(seconds)
    local before = host.clock.monotonic_ms
    finally(support.replace(host.clock, { monotonic_ms = function() return before() + seconds * 1000 end }))
  end

  describe("is opened", function()
    it("with what the operator wrote, or says what is wrong with it", function()
      for _, case in ipairs {
        { { url = "submissions" }, "the queue's URL can't be used: it must begin" },
        { { url = server.url, dead_letter_url = "arn:aws:sqs:x" }, "dead_letter_url: the queue's URL is an ARN" },
        { { url = server.url, dead_letter_url = server.url }, "dead_letter_url is the queue itself" },
        { { url = server.url, region = "eu-west-1" }, "region says eu-west-1" },
      } do
        case[1].session, case[1].client = {}, server
        local one, message, code = sqs_queue.open(case[1])
        assert.is_nil(one)
        assert.matches(case[2], message, 1, true)
        assert.are.equal("environment", code)
      end
      assert.has_error(function() sqs_queue.open { session = {}, url = server.url, name = "x" } end)
      assert.has_error(function() sqs_queue.open { session = {}, url = server.url, visibility_ms = 1.5 } end)
      assert.are.same({}, server.calls)
    end)

    it("with a client of its own for each region, and one for both where it is the same", function()
      local made = {}
      finally(support.replace(require "submitter.aws.client", { new = function(options)
        made[#made + 1] = options
        return { number = #made }
      end }))
      queue = assert(sqs_queue.open {
        session = {}, url = server.url, dead_letter_url = server.dead_url, endpoint = "http://127.0.0.1:1",
      })
      local expected = { session = {}, service = "sqs", region = "eu-central-1", endpoint = "http://127.0.0.1:1" }
      assert.are.same({ expected }, made)
      assert.are.equal(queue.service.client, queue.dead.client)
      queue = assert(sqs_queue.open {
        session = {}, url = server.url, dead_letter_url = "https://sqs.eu-west-1.amazonaws.com/1/dead",
      })
      assert.are_not.equal(queue.service.client, queue.dead.client)
      assert.are.equal("eu-west-1", queue.dead.region)
    end)
  end)

  describe("receives", function()
    it("as many as are wanted, at most ten, in whole seconds", function()
      for number = 1, 12 do assert(queue:send("body " .. number)) end
      assert.are.equal(2, #assert(queue:receive { max = 2, visibility_ms = 1001 }))
      assert.are.equal(10, #assert(queue:receive { max = 50, visibility_ms = 1000, wait_ms = 60000 }))
      assert.are.same({}, queue:receive())
      local first, second, third = table.unpack(server:asked "ReceiveMessage")
      assert.are.same({ 2, 2, 0 }, { first.MaxNumberOfMessages, first.VisibilityTimeout, first.WaitTimeSeconds })
      assert.are.same({ 10, 1, 20 }, { second.MaxNumberOfMessages, second.VisibilityTimeout, second.WaitTimeSeconds })
      assert.are.same({ 1, 30, 0 }, { third.MaxNumberOfMessages, third.VisibilityTimeout, third.WaitTimeSeconds })
      server.second_ms = 1
      queue:receive { wait_ms = 1 }
      assert.are.equal(1, server:asked("ReceiveMessage")[4].WaitTimeSeconds)
      assert.has_error(function() queue:receive { visibility_ms = 43200001 } end)
      assert.has_error(function() queue:receive { visibility = 3 } end)
    end)

    it("messages with the fields of any queue", function()
      local id = assert(queue:send "{}")
      local message = receive()
      assert.are.same({ id, "{}", 1, 0, 1700000000000 },
        { message.id, message.body, message.receives, message.failures, message.sent_ms })
    end)

    it("waits for what comes", function()
      local got
      local task = host.task.spawn("receiving", function() got = queue:receive { wait_ms = 20000 } end)
      host.clock.sleep_ms(5)
      assert(queue:send "{}")
      assert(task:join())
      assert.are.equal("{}", got[1].body)
    end)

    it("hands out what wasn't deleted again, with another receipt", function()
      assert(queue:send "{}")
      local first = receive()
      assert.is_nil(receive())
      pass(31)
      local second = receive()
      assert.are.equal(first.id, second.id)
      assert.are.equal(2, second.receives)
      assert.are_not.equal(first.receipt.handle, second.receipt.handle)
    end)

    it("leaves what came damaged to others, for a while", function()
      assert(queue:send "good")
      assert(queue:send "bad")
      server:messages(server.url)[2].damaged = true
      local lines = support.logged(function()
        local message, messages = receive()
        assert.are.equal(1, #messages)
        assert.are.equal("good", message.body)
      end)
      assert.are.equal("queue_message_damaged", lines[1].event)
      assert.are.equal(1, lines[1].fields.damaged)
      assert.are.equal(30, server:asked("ChangeMessageVisibilityBatch")[1].Entries[1].VisibilityTimeout)
      assert.are.equal(2, #server:messages(server.url))
      server:messages(server.url)[2].damaged = nil
      pass(31)
      assert.are.equal("bad", select(2, receive())[2].body)
    end)

    it("is in trouble when all is damaged, so that its caller pauses", function()
      assert(queue:send "bad")
      server:messages(server.url)[1].damaged = true
      support.logged(function()
        local messages, message, code = queue:receive { max = 10 }
        assert.is_nil(messages)
        assert.matches("none could be read", message, 1, true)
        assert.are.equal("unavailable", code)
      end)
      assert.are.equal(1, queue.damaged)
    end)

    it("says what SQS said, and survives what it can't have said", function()
      server.fault = function() return { status = 400, code = "KmsDisabled", query = "KMS.DisabledException;Sender",
        message = "the key is disabled" } end
      local messages, message, code = queue:receive()
      assert.is_nil(messages)
      assert.matches("key of KMS", message, 1, true)
      assert.are.equal("environment", code)
      server.fault = function() error("a bug") end
      local lines = support.logged(function()
        messages, message, code = queue:receive()
      end)
      assert.is_nil(messages)
      assert.matches("a bug", message, 1, true)
      assert.are.equal("unavailable", code)
      assert.are.equal("queue_poll_error", lines[1].event)
    end)

    it("again once the queue is made again", function()
      server.queues[server.url] = nil
      assert.are.equal("environment", select(3, queue:receive()))
      server:make(server.url)
      assert(queue:send "{}")
      assert.are.equal("{}", receive().body)
    end)
  end)

  describe("whose receive is cancelled", function()
    local function cancelled_receive()
      local task = host.task.spawn("receiving", function() return queue:receive { wait_ms = 20000 } end)
      support.eventually("the poll", function() return server.now_under_way == 1 end)
      task:cancel("the worker stops")
      assert.are.equal("cancelled", select(3, task:join()))
    end

    it("gives back at once what its poll still brings", function()
      cancelled_receive()
      -- The poll goes on: SQS hands out a message to it.
      assert.are.equal(1, server.now_under_way)
      assert(queue:send "{}")
      queue:close()
      assert.are.equal(0, server.now_under_way)
      local message = receive()
      assert.are.same({ "{}", 2, 0 }, { message.body, message.receives, message.failures })
    end)

    it("waits at its end no longer than the poll would", function()
      server.second_ms = 10
      cancelled_receive()
      local before_ms = host.clock.monotonic_ms()
      queue:close()
      assert.is_true(host.clock.monotonic_ms() - before_ms < 5000)
      assert.are.equal(0, server.now_under_way)
      assert.are.same({}, queue.polls)
      queue:close()
    end)

    it("waits at its end no longer than whoever stops a worker would", function()
      cancelled_receive()
      queue.close_wait_ms = 20
      local before_ms = host.clock.monotonic_ms()
      queue:close()
      assert.is_true(host.clock.monotonic_ms() - before_ms < 5000)
      support.eventually("the end of the poll", function() return server.now_under_way == 0 end)
    end)

    it("cuts a poll that doesn't end", function()
      server.fault = function(operation) return operation == "ReceiveMessage" and { hang = true } or nil end
      local task = host.task.spawn("receiving", function() return queue:receive() end)
      support.eventually("the poll", function() return server.now_under_way == 1 end)
      task:cancel("enough")
      task:join()
      for poll in pairs(queue.polls) do poll.until_ms = host.clock.monotonic_ms() + 20 end
      assert.are.same({}, support.logged(function()
        queue:close()
        support.eventually("the end of the poll", function() return server.now_under_way == 0 end)
      end))
    end)

    it("gives back also what came in the same moment", function()
      assert(queue:send "{}")
      local task = host.task.spawn("receiving", function() return queue:receive() end)
      -- Between the answer and the task that waits for it.
      server.fault = function(operation)
        if operation == "ReceiveMessage" then task:cancel("enough") end
      end
      assert.are.equal("cancelled", select(3, task:join()))
      server.fault = function() end
      queue:close()
      assert.are.equal(2, receive().receives)
    end)

    it("gives back what comes for a caller out of time", function()
      assert.are.equal("timeout", select(3, host.task.within(20, queue.receive, queue, { wait_ms = 20000 })))
      assert(queue:send "{}")
      queue:close()
      assert.are.equal("{}", receive().body)
    end)
  end)

  describe("sends", function()
    it("with a delay in whole seconds", function()
      assert(queue:send("later", { delay_ms = 1500 }))
      assert.are.equal(2, server:asked("SendMessage")[1].DelaySeconds)
      assert.is_nil(receive())
      pass(2)
      assert.are.equal("later", receive().body)
    end)

    it("nothing that SQS wouldn't take, and says why", function()
      for _, case in ipairs {
        { "", "is empty", "message" }, { "a\0", "offset 1", "message" }, { "\xff", "offset 0", "message" },
        { ("x"):rep((1 << 20) + 1), "at most 1048576", "too_large" },
        { "a", "at most 15 minutes", "message", { delay_ms = 900001 } },
      } do
        local id, message, code = queue:send(case[1], case[4])
        assert.is_nil(id)
        assert.matches(case[2], message, 1, true)
        assert.are.equal(case[3], code)
      end
      assert.are.same({}, server.calls)
      local _, message, code = queue:send(("x"):rep((256 << 10) + 1))
      assert.matches("must be shorter than", message, 1, true)
      assert.are.equal("too_large", code)
      assert.has_error(function() queue:send(5) end)
      assert.has_error(function() queue:send("a", { delay = 1 }) end)
    end)

    it("to a FIFO queue, each a group of its own, without delays", function()
      queue = open { url = server:make "https://sqs.eu-central-1.amazonaws.com/1/q.fifo" }
      assert(queue:send "a")
      assert(queue:send "a")
      local first, second = table.unpack(server:asked "SendMessage")
      assert.are_not.equal(first.MessageGroupId, second.MessageGroupId)
      assert.are_not.equal(first.MessageDeduplicationId, second.MessageDeduplicationId)
      assert.matches("FIFO", select(2, queue:send("a", { delay_ms = 1 })), 1, true)
      assert(queue:receive())
      assert.are.equal(32, #server:asked("ReceiveMessage")[1].ReceiveRequestAttemptId)
    end)
  end)

  describe("holds", function()
    it("what is extended", function()
      assert(queue:send "{}")
      local message = receive()
      pass(20)
      assert(queue:extend(message, 29500))
      assert.are.equal(30, server:asked("ChangeMessageVisibilityBatch")[1].Entries[1].VisibilityTimeout)
      pass(20)
      assert.is_nil(receive())
      assert(queue:delete(message))
      assert.are.equal(0, #server:messages(server.url))
    end)

    it("nothing that another has by now", function()
      assert(queue:send "{}")
      local message = receive()
      pass(31)
      local other = receive()
      for _, act in ipairs { "extend", "release", "fail" } do
        assert.are.equal("lease_lost", select(3, queue[act](queue, message, 1000)), act)
      end
      assert.are.equal("lease_lost", select(3, queue:dead_letter(message, "why", "x")))
      assert.are.same({}, server:messages(server.dead_url))
      assert.are.equal(0, message.failures)
      -- SQS says yes to this one.
      assert(queue:delete(message))
      assert.are.equal(1, #server:messages(server.url))
      assert(queue:delete(other))
    end)

    it("nothing that fell back into the queue", function()
      assert(queue:send "{}")
      local message = receive()
      pass(31)
      assert.are.equal("lease_lost", select(3, queue:extend(message, 1000)))
    end)

    it("nothing for longer than 12 hours from its receipt", function()
      assert(queue:send "{}")
      local message = receive { visibility_ms = sqs.visibility_limit_s * 1000 }
      pass(43200 - 60)
      local extended, granted_ms = queue:extend(message, 60000)
      assert.is_true(extended)
      assert.is_true(granted_ms >= 45000 and granted_ms < 60000)
      assert.are.same({ true }, { queue:extend(message, 10000) })
      assert(queue:release(message, 70000))
      for _, input in ipairs(server:asked "ChangeMessageVisibilityBatch") do
        assert.is_true(input.Entries[1].VisibilityTimeout < 60)
      end
      message.receipt.until_ms = host.clock.monotonic_ms() + 999
      local again, problem, code = queue:extend(message, 1000)
      assert.is_nil(again)
      assert.matches("12 hours", problem, 1, true)
      assert.are.equal("lease_lost", code)
    end)

    it("many in few calls", function()
      for number = 1, 10 do assert(queue:send("body " .. number)) end
      local _, messages = receive()
      local tasks = {}
      for index, message in ipairs(messages) do
        tasks[index] = host.task.spawn("deleting", function()
          assert(queue:extend(message, 30000))
          return queue:delete(message)
        end)
      end
      for _, task in ipairs(tasks) do assert.are.same({ true, true }, { task:join() }) end
      assert.are.equal(1, #server:asked "ChangeMessageVisibilityBatch")
      assert.are.equal(1, #server:asked "DeleteMessageBatch")
      assert.are.equal(0, #server:messages(server.url))
    end)

    it("on, while SQS has trouble of its own with an entry", function()
      assert(queue:send "{}")
      local message = receive()
      local failed = 0
      server.entry_fault = function()
        failed = failed + 1
        if failed <= 2 then return { code = "InternalError", message = "try again", ours = true } end
      end
      assert(queue:delete(message))
      assert.are.equal(3, #server:asked "DeleteMessageBatch")
      assert.are.equal(0, #server:messages(server.url))
    end)

    it("nothing it can't reach, and says so", function()
      assert(queue:send "{}")
      local message = receive()
      server.fault = function() return { class = "connect", message = "no route to host" } end
      for _, act in ipairs { "extend", "release", "fail", "delete" } do
        local done, problem, code = queue[act](queue, message, act ~= "delete" and 1000 or nil)
        assert.is_nil(done)
        assert.matches("no route to host", problem, 1, true)
        assert.are.equal("unavailable", code)
      end
    end)
  end)

  describe("counts failures", function()
    local function fail_once(delay_ms)
      local message = receive()
      local failures = message.failures
      assert(queue:fail(message, delay_ms))
      assert.are.equal(failures + 1, message.failures)
      return failures
    end

    it("that are recorded, and none that was only given back", function()
      assert(queue:send "{}")
      assert.are.equal(0, fail_once(0))
      assert.are.equal(1, fail_once(0))
      local message = receive()
      assert(queue:release(message))
      assert.are.equal(2, receive().failures)
    end)

    it("and keeps what failed away for the delay", function()
      assert(queue:send "{}")
      fail_once(1001)
      assert.are.equal(2, server:asked("ChangeMessageVisibilityBatch")[1].Entries[1].VisibilityTimeout)
      assert.is_nil(receive())
      pass(2)
      assert.are.equal(1, receive().failures)
    end)

    it("also where SQS couldn't be told of the delay", function()
      assert(queue:send "{}")
      local message = receive()
      server.fault = function() return { class = "cut", message = "cut" } end
      assert.is_nil(queue:fail(message, 0))
      server.fault = function() end
      pass(31)
      assert.are.equal(1, receive().failures)
    end)

    it("of others by the receipts: the last try is the 2 × limit-th receipt at the latest", function()
      assert(queue:send "{}")
      local seen = {}
      for receipt = 1, 6 do
        -- Each by a worker that was just started.
        queue = open()
        seen[receipt] = receive().failures
        server:advance(31)
      end
      assert.are.same({ 0, 0, 0, 0, 1, 2 }, seen)
    end)

    it("and forgets what was deleted", function()
      assert(queue:send "{}")
      fail_once(0)
      local message = receive()
      assert(queue:delete(message))
      assert.are.equal(0, queue.failures:of(message.id, 1))
    end)
  end)

  describe("gives up", function()
    it("by a copy with the reason, and deletes afterwards", function()
      assert(queue:send '{"subdata":"a"}')
      local message = receive()
      assert(queue:dead_letter(message, "no cases", "instructor"))
      assert.are.equal(0, #server:messages(server.url))
      local copy = server:messages(server.dead_url)[1]
      assert.are.equal('{"subdata":"a"}', copy.body)
      assert.are.same({ "no cases", "instructor", message.id, "1" }, {
        copy.attributes.Reason.StringValue, copy.attributes.Class.StringValue,
        copy.attributes.MessageId.StringValue, copy.attributes.Failures.StringValue,
      })
      local order = {}
      for _, call in ipairs(server.calls) do order[#order + 1] = call.operation end
      assert.are.equal("SendMessage ReceiveMessage ChangeMessageVisibilityBatch SendMessage DeleteMessageBatch",
        table.concat(order, " "))
    end)

    it("keeping the message when the copy can't be made or is another", function()
      assert(queue:send "{}")
      for _, fault in ipairs {
        { class = "timeout", message = "no answer" },
        { body = '{"MessageId":"x","MD5OfMessageBody":"00000000000000000000000000000000"}' },
      } do
        local message = receive()
        server.fault = function(operation) return operation == "SendMessage" and fault or nil end
        local done, _, code = queue:dead_letter(message, "why", "x")
        assert.is_nil(done)
        assert.are.equal("unavailable", code)
        server.fault = function() end
        assert.are.equal(1, #server:messages(server.url))
        assert(queue:release(message))
      end
    end)

    it("once more when it was interrupted in between", function()
      assert(queue:send "{}")
      local message = receive()
      server.fault = function(operation)
        return operation == "DeleteMessageBatch" and { class = "cut", message = "cut" } or nil
      end
      assert.is_nil(queue:dead_letter(message, "why", "x"))
      assert.are.equal(1, #server:messages(server.dead_url))
      server.fault = function() end
      pass(31)
      assert(queue:dead_letter(receive(), "why", "x"))
      assert.are.equal(2, #server:messages(server.dead_url))
      assert.are.equal(0, #server:messages(server.url))
    end)

    it("later and later while the other queue is away", function()
      assert(queue:send "{}")
      server.fault = function(operation)
        return operation == "SendMessage" and { class = "timeout", message = "no answer" } or nil
      end
      local delays = {}
      for round = 1, 3 do
        assert.are.equal("unavailable", select(3, queue:dead_letter(receive(), "why", "x")))
        local asked = server:asked "ChangeMessageVisibilityBatch"
        delays[round] = asked[#asked].Entries[1].VisibilityTimeout
        server:advance(3601)
      end
      assert.are.same({ 60, 120, 240 }, delays)
      server.fault = function() end
      assert(queue:dead_letter(receive(), "why", "x"))
      assert.are.equal(1, #server:messages(server.dead_url))
    end)

    it("nothing without a queue for it: later and later, and with the remedy in the log", function()
      queue = open { dead_letter_url = false }
      assert(queue:send "{}")
      local delays = {}
      for round = 1, 9 do
        local message = receive()
        local lines = support.logged(function() assert(queue:dead_letter(message, "no cases", "instructor")) end)
        assert.are.equal("dead_letter_not_kept", lines[1].event)
        assert.matches("set dead_letter_url", lines[1].fields.hint, 1, true)
        assert.are.equal("no cases", lines[1].fields.reason)
        local asked = server:asked "ChangeMessageVisibilityBatch"
        delays[round] = asked[#asked].Entries[1].VisibilityTimeout
        server:advance(3601)
      end
      assert.are.same({ 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600 }, delays)
      assert.has_error(function() queue:dead_letter(receive(), "why") end)
    end)

    it("what the redrive policy takes, too", function()
      server:make(server.url, { queue = server.dead_url, most = 2 })
      assert(queue:send "{}")
      for _ = 1, 2 do
        receive()
        server:advance(31)
      end
      assert.is_nil(receive())
      server.second_ms = 5
      local letters = assert(queue:dead_letters())
      assert.are.same({ "redrive", "{}" }, { letters[1].class, letters[1].body })
    end)
  end)

  describe("lists dead letters", function()
    local function bury(count)
      for number = 1, count do
        assert(queue:send("body " .. number))
        assert(queue:dead_letter(receive(), "reason " .. number, "rejected"))
      end
      server.second_ms = 5
    end

    it("all of them, the oldest first, and gives back what is left", function()
      bury(12)
      local letters = assert(queue:dead_letters())
      assert.are.equal(12, #letters)
      assert.is_nil(letters.is_cut)
      for index = 2, 12 do assert.is_true(letters[index - 1].died_ms <= letters[index].died_ms) end
      assert.is_truthy(letters[1].reason:find "^reason %d+$")
      -- Hidden from others meanwhile.
      assert.are.equal(12, #assert(queue:dead_letters()))
      queue:close()
      queue = open()
      assert.are.equal(12, #assert(queue:dead_letters()))
      queue:close()
    end)

    it("drops one", function()
      bury(2)
      local letters = assert(queue:dead_letters())
      assert(queue:drop(letters[1]))
      assert.are.equal(1, #server:messages(server.dead_url))
      assert.are.equal("lease_lost", select(3, queue:drop(letters[1])))
      queue:close()
      assert.are.equal(letters[2].id, assert(queue:dead_letters())[1].id)
    end)

    it("queues one again, first and before it is dropped", function()
      bury(1)
      local letter = assert(queue:dead_letters())[1]
      server.fault = function(operation)
        return operation == "DeleteMessageBatch" and { class = "cut", message = "cut" } or nil
      end
      assert.is_nil(queue:retry(letter))
      server.fault = function() end
      assert.are.equal(1, #server:messages(server.url))
      assert.are.equal(1, #server:messages(server.dead_url))
      local id = assert(queue:retry(letter))
      assert.are.equal(0, #server:messages(server.dead_url))
      local _, messages = receive()
      assert.are.same({ "body 1", 0, 1 }, { messages[2].body, messages[2].failures, messages[2].receives })
      assert.are.equal(id, messages[2].id)
    end)

    it("that are many in part, and says so", function()
      local input = { QueueUrl = server.dead_url, MessageBody = "{}" }
      for _ = 1, 510 do
        server:call { operation = "SendMessage", body = host.json.encode(input), verify = function() end }
      end
      local letters = assert(queue:dead_letters())
      assert.are.equal(500, #letters)
      assert.is_true(letters.is_cut)
    end)

    it("not where there is no queue for them", function()
      queue = open { dead_letter_url = false }
      local letters, message, code = queue:dead_letters()
      assert.is_nil(letters)
      assert.matches("set dead_letter_url", message, 1, true)
      assert.are.equal("environment", code)
    end)

    it("but for one that is damaged", function()
      bury(2)
      server:messages(server.dead_url)[1].damaged = true
      local letters
      local lines = support.logged(function() letters = assert(queue:dead_letters()) end)
      assert.are.equal(1, #letters)
      assert.are.equal("queue_message_damaged", lines[1].event)
    end)
  end)

  describe("knows its depth", function()
    it("about", function()
      for number = 1, 4 do assert(queue:send("body " .. number)) end
      assert(queue:send("later", { delay_ms = 60000 }))
      assert(queue:dead_letter(receive { max = 1 }, "why", "x"))
      receive { max = 2 }
      assert.are.same({ ready = 1, held = 3, dead = 1, least_receives = 7 }, queue:depth())
      assert.is_true(queue.depth_is_approximate)
      queue = open { dead_letter_url = false }
      assert.are.same({ ready = 1, held = 3, least_receives = 7 }, queue:depth())
      server:make(server.url, { queue = server.dead_url, most = 11 })
      assert.are.equal(11, queue:depth().max_receives)
    end)

    it("also when the dead letters can't be counted", function()
      server.fault = function(_, input)
        return input.QueueUrl == server.dead_url and { class = "cut", message = "cut" } or nil
      end
      local depth = assert(queue:depth())
      assert.are.same({ 0, 0 }, { depth.ready, depth.held })
      assert.is_nil(depth.dead)
      assert.matches("cut", depth.dead_problem, 1, true)
    end)

    it("or why not", function()
      server.fault = function() return { status = 403, code = "AccessDenied", query = "AccessDenied;Sender",
        message = "no" } end
      local depth, message, code = queue:depth()
      assert.is_nil(depth)
      assert.matches("sqs:GetQueueAttributes", message, 1, true)
      assert.are.equal("environment", code)
    end)
  end)
end)
