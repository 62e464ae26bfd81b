local fake_queue = require "spec.fake.queue"
local host = require "submitter.host"
local key = require "submitter.key"
local regrade = require "submitter.regrade"
local submission = require "submitter.submission"

local function submissions_of(count)
  local list = {}
  for number = 1, count do
    list[number] = { location = assert(key.location("a", "e", "s", ("%032x"):format(number))), modified_ms = 0 }
  end
  return list
end

describe("regrading", function()
  it("queues a message for each submission, that asks for this regrade", function()
    local queue, told = fake_queue.open(), {}
    local list = submissions_of(25)
    assert.are.equal(25, regrade.send {
      queue = queue, submissions = list, mode = "grade", id = "2026-a",
      on_sent = function(sent) told[#told + 1] = sent end,
    })
    assert.are.equal(25, #queue.ready)
    local keys = {}
    for _, message in ipairs(queue.ready) do
      local requests = assert(submission.parse_message(message.body))
      assert.are.equal("grade", requests[1].mode)
      assert.are.equal("2026-a", requests[1].regrade)
      keys[requests[1].key] = true
    end
    for _, one in ipairs(list) do assert.is_true(keys[one.location.key]) end
    assert.are.equal(25, told[#told])
  end)

  it("sends several at a time, because a queue may be far away", function()
    local running, most = 0, 0
    local queue = { send = function()
      running = running + 1
      most = math.max(most, running)
      host.clock.sleep_ms(5)
      running = running - 1
      return "id"
    end }
    assert(regrade.send { queue = queue, submissions = submissions_of(40), mode = "test", id = "x" })
    assert.are.equal(10, most)
  end)

  it("stops at a failure and says how many are queued", function()
    local asked = 0
    local queue = { send = function()
      asked = asked + 1
      if asked > 7 then return nil, "the queue is away", "unavailable" end
      return "id"
    end }
    local sent, message, code, partly = regrade.send { queue = queue, submissions = submissions_of(100), mode = "test",
      id = "x" }
    assert.are.same({ nil, "the queue is away", "unavailable", 7 }, { sent, message, code, partly })
    assert.is_true(asked < 20)
  end)

  it("has nothing to send for nobody", function()
    assert.are.equal(0, regrade.send { queue = fake_queue.open(), submissions = {}, mode = "test", id = "x" })
  end)

  it("has an id of its own each time, which messages can carry", function()
    local seen = {}
    for _ = 1, 20 do
      local id = regrade.id()
      assert.matches("^%d%d%d%d%d%d%d%dT%d%d%d%d%d%dZ%-%x%x%x%x%x%x%x%x$", id)
      assert.is_true(regrade.is_id(id))
      assert.is_nil(seen[id])
      seen[id] = true
    end
    for _, bad in ipairs { "", "a b", "a/b", ("x"):rep(129), "é", "a\n" } do assert.is_false(regrade.is_id(bad)) end
    assert.is_true(regrade.is_id(("x"):rep(128)))
  end)

  it("says how it is to be called", function()
    local good = { queue = fake_queue.open(), submissions = {}, mode = "test", id = "x" }
    for name, value in pairs { mode = "other", id = "a b", submissions = "all", queue = false } do
      local options = {}
      for field, one in pairs(good) do options[field] = one end
      options[name] = value
      assert.error_matches(function() regrade.send(options) end, "expected regrade.send{", 1, true)
    end
    good.moed = "test"
    assert.error_matches(function() regrade.send(good) end, 'unknown option "moed"', 1, true)
  end)
end)
