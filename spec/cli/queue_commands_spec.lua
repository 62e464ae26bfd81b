--- `submitter status` and `submitter deadletters` over a queue on SQS, which answers less than the directory's.
local deadletters = require "submitter.cli.deadletters"
local fake_sqs = require "spec.fake.sqs"
local host = require "submitter.host"
local options = require "submitter.cli.options"
local sqs_queue = require "submitter.queue.sqs"
local status = require "submitter.cli.status"
local support = require "spec.support"

describe("on SQS", function()
  local server

  before_each(function()
    server = fake_sqs.open()
    server.second_ms = 5
  end)
  after_each(support.clean)

  -- Runs a command over a queue that is opened and closed for it; its result and what it wrote.
  local function run(command, arguments, settings)
    local queue = assert(sqs_queue.open {
      session = {}, url = server.url, client = server, dead_letter_url = not settings and server.dead_url or nil,
    })
    local directory = support.directory()
    local restore = support.replace(options, { with_services = function(_, _, body)
      local result = table.pack(body { queue = queue, directory = directory })
      queue:close()
      return table.unpack(result, 1, result.n)
    end })
    local written = {}
    local stream = { write = function(self, ...)
      for _, text in ipairs { ... } do written[#written + 1] = text end
      return self
    end }
    local speak = support.replace(io, { stdout = stream, stderr = stream })
    local result = table.pack(pcall(command.run, arguments))
    speak()
    restore()
    directory:close()
    assert(result[1], result[2])
    return table.concat(written), table.unpack(result, 2, result.n)
  end

  local function bury(count)
    local queue = assert(sqs_queue.open {
      session = {}, url = server.url, dead_letter_url = server.dead_url, client = server,
    })
    for number = 1, count do
      assert(queue:send("body " .. number))
      assert(queue:dead_letter(queue:receive()[1], "reason " .. number, "rejected"))
    end
  end

  it("status tells what it knows, and what not", function()
    bury(1)
    local text, code = run(status, { format = "table" })
    assert.are.equal(0, code)
    assert.matches("ready      0       about so many messages", text, 1, true)
    assert.matches("dead       1       given up", text, 1, true)
    text = run(status, { format = "table" }, "no queue for dead letters")
    assert.matches("dead       ?       the queue has no dead_letter_url", text, 1, true)
    text = run(status, { format = "json" }, "no queue for dead letters")
    local seen = assert(host.json.decode(text))
    assert.are.same({ 0, 0 }, { seen.ready, seen.held })
    assert.is_nil(seen.dead)
  end)

  it("status shows what the workers say when the queue says nothing", function()
    server.fault = function() return { class = "connect", message = "no route to the queue" } end
    for format, pattern in pairs { table = "workers    0", json = '"workers": []' } do
      local text, none, message, code = run(status, { format = format })
      assert.is_nil(none)
      assert.matches("no route to the queue", message, 1, true)
      assert.are.equal("environment", code)
      assert.matches(pattern, text, 1, true)
    end
  end)

  it("deadletters lists, shows, drops and retries, and leaves the rest as it was", function()
    bury(3)
    local text = run(deadletters, { action = "list", format = "json" })
    local letters = assert(host.json.decode(text))
    assert.are.equal(3, #letters)
    assert.are.same({ "reason 1", "rejected", 1, "body 1" },
      { letters[1].reason, letters[1].class, letters[1].failures, letters[1].body })
    assert.is_string(letters[1].message_id)
    text = run(deadletters, { action = "show", one = letters[2].id })
    assert.matches("reason    reason 2", text, 1, true)
    assert.matches("message   " .. letters[2].message_id, text, 1, true)
    text = run(deadletters, { action = "drop", id = { letters[1].id } })
    assert.are.equal("dropped " .. letters[1].id .. "\n", text)
    text = run(deadletters, { action = "retry", id = { letters[2].id } })
    assert.are.equal("queued " .. letters[2].id .. "\n", text)
    assert.are.equal(1, #server:messages(server.dead_url))
    assert.are.equal("body 2", server:messages(server.url)[1].body)
    local _, code, message = run(deadletters, { action = "drop", id = { letters[1].id } })
    assert.is_nil(code)
    assert.matches("no dead letter", message, 1, true)
  end)

  it("deadletters says what is missing without a queue for them", function()
    local _, result, message, code = run(deadletters, { action = "list", format = "table" }, "none")
    assert.is_nil(result)
    assert.matches("set dead_letter_url", message, 1, true)
    assert.are.equal("environment", code)
  end)

  it("deadletters says that there are more than it can show", function()
    for _ = 1, 501 do
      server:call { operation = "SendMessage", verify = function() end,
        body = host.json.encode { QueueUrl = server.dead_url, MessageBody = "{}" } }
    end
    local text = run(deadletters, { action = "list", format = "table" })
    assert.matches("these are the first 500 dead letters", text, 1, true)
  end)
end)
