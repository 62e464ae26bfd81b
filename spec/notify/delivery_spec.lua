local delivery = require "submitter.notify.delivery"
local fake_queue = require "spec.fake.queue"
local host = require "submitter.host"
local notify = require "submitter.notify"

local function document(number)
  local subid = ("%032x"):format(number)
  return ("a/e/s/%s/%s.json"):format(subid, subid)
end

-- An event with a record each: a number is a submission, anything else stands as it is.
local function event(...)
  local records = host.json.array {}
  for index, what in ipairs { ... } do
    records[index] = type(what) == "number" and notify.records(document(what)).Records[1] or what
  end
  return { Records = records }
end

local function indexes(list)
  local found = {}
  for position, one in ipairs(list) do found[position] = one.index end
  return found
end

describe("delivery", function()
  local queue
  before_each(function() queue = fake_queue.open() end)

  -- Makes the queue refuse the sends with these numbers.
  local function refuse(...)
    local refused, sends, send = {}, 0, queue.send
    for _, number in ipairs { ... } do refused[number] = true end
    queue.send = function(self, body)
      sends = sends + 1
      if refused[sends] then return nil, "the queue is away", "unavailable" end
      return send(self, body)
    end
  end

  it("queues what an event announces", function()
    local one = assert(delivery.read(event(1, 2)))
    assert.are.same({ 1, 2 }, indexes(one:unsent()))
    one:send(queue)
    assert.are.same({ 1, 2 }, indexes(one.queued))
    assert.are.equal(queue.ready[1].body, one.queued[1].body)
    assert.are.equal(queue.ready[1].id, one.queued[1].id)
    assert.are.same({}, one.failed)
    assert.are.same({}, one:unsent())
    one:send(queue)
    assert.are.equal(2, #queue.ready)
  end)

  it("tells what can't be read, and queues the rest", function()
    local one = assert(delivery.read(event(1, false, 3)))
    one:send(queue)
    assert.are.same({ 1, 3 }, indexes(one.queued))
    assert.are.same({ { index = 2, code = "message", reason = "Records[2] has no eventName or no s3.object.key; "
      .. "expected an S3 event record" } }, one.failed)
    assert.are.same({ nil, "message" }, { nil, select(3, delivery.read {}) })
  end)

  it("goes on where the queue doesn't take one", function()
    refuse(2)
    local one = assert(delivery.read(event(1, 2, 3)))
    one:send(queue)
    assert.are.same({ 1, 3 }, indexes(one.queued))
    assert.are.same({ { index = 2, reason = "the queue is away", code = "unavailable" } }, one.failed)
    assert.are.same({}, one:unsent())
  end)

  it("stops at the first failure where order counts", function()
    refuse(2)
    local one = assert(delivery.read(event(1, 2, 3)))
    one:send(queue, { in_order = true })
    assert.are.same({ 1 }, indexes(one.queued))
    assert.are.same({ 2 }, indexes(one.failed))
    assert.are.same({ 3 }, indexes(one:unsent()))
    one = assert(delivery.read(event(4, false, 6)))
    one:send(queue, { in_order = true })
    assert.are.same({ 1 }, indexes(one.queued))
    assert.are.same({ 3 }, indexes(one:unsent()))
  end)

  it("keeps what was done when it is cancelled", function()
    local send, sends = queue.send, 0
    queue.send = function(self, body)
      sends = sends + 1
      if sends == 2 then host.clock.sleep_ms(60000) end
      return send(self, body)
    end
    local one = assert(delivery.read(event(1, 2, 3)))
    local done, _, code = host.task.within(30, one.send, one, queue)
    assert.is_nil(done)
    assert.are.equal("timeout", code)
    assert.are.same({ 1 }, indexes(one.queued))
    assert.are.same({ 2, 3 }, indexes(one:unsent()))
  end)

  it("knows its options", function()
    local one = assert(delivery.read(event(1)))
    assert.has_error(function() one:send(queue, { order = true }) end)
  end)
end)
