local assignments = require "submitter.database.statements.gradebook"
local fake_database = require "spec.fake.database"
local fake_queue = require "spec.fake.queue"
local fake_store = require "spec.fake.store"
local final_grading = require "submitter.final_grading"
local host = require "submitter.host"
local sql = require "submitter.database.statements.final_grading"
local submission = require "submitter.submission"
local support = require "spec.support"

local ENDED_MS = 1767225600000

describe("the final grading", function()
  local database, store, queue, cases, log, lines, due, notes, taken_by_another

  local function hand_in(assignment, number)
    local subid = ("%032x"):format(number)
    store.objects[("a/e/%s/%s/%s.json"):format(assignment, subid, subid)] = "{}"
  end

  before_each(function()
    database, store, queue, lines, notes = fake_database.open(), fake_store.open(), fake_queue.open(), {}, {}
    cases = { by_assignment = { s = {} }, asked = 0 }
    function cases.read(self, options)
      self.asked = self.asked + 1
      assert.are.equal("grade", options.mode)
      assert.matches("/grading/grade.in", options.names.cases_in, 1, true)
      local found = self.by_assignment[options.location.assignment]
      if type(found) == "table" then return { cases = found } end
      return nil, "nothing is there", found or "not_found"
    end
    log = {}
    for _, level in ipairs { "info", "warn", "error" } do
      log[level] = function(event, fields) lines[#lines + 1] = { level = level, event = event, fields = fields } end
    end
    due = { { id = 7, administrator = "a", event = "e", ends_at = ENDED_MS, ends_us = ENDED_MS * 1000 + 5 } }
    taken_by_another = false
    database:answer(sql.read_due, function(parameters)
      local found = {}
      for _, one in ipairs(due) do
        if (parameters[1] == 0 or parameters[1] == one.id) and not notes[one.id] then found[#found + 1] = one end
      end
      return found
    end)
    database:answer(sql.take, function() return { { taken = not taken_by_another } } end)
    database:answer(sql.stay, { { here = 1 } })
    database:answer(sql.insert_grading, function(parameters)
      notes[parameters[1]] = parameters
      return {}
    end)
    database:answer(sql.read_next, { {} })
    hand_in("s", 1)
    hand_in("s", 2)
  end)

  local function open(options)
    local settings = { database = database, store = store, queue = queue, cases = cases, log = log }
    for name, value in pairs(options or {}) do settings[name] = value end
    return final_grading.new(settings)
  end

  local function queued()
    local keys = {}
    for _, message in ipairs(queue.ready) do
      local request = assert(submission.parse_message(message.body))[1]
      assert.are.equal("grade", request.mode)
      keys[#keys + 1] = request.key .. " " .. request.regrade
    end
    table.sort(keys)
    return keys
  end

  local function events_of(name)
    local found = {}
    for _, line in ipairs(lines) do
      if line.event == name then found[#found + 1] = line end
    end
    return found
  end

  it("queues each submission of an event that is over, and notes it in the same transaction", function()
    assert.are.equal(1, open():run_once())
    local id = "final-7-" .. (ENDED_MS * 1000 + 5)
    local one, other = ("%032x"):format(1), ("%032x"):format(2)
    assert.are.same({ ("a/e/s/%s/%s.json %s"):format(one, one, id), ("a/e/s/%s/%s.json %s"):format(other, other, id) },
      queued())
    assert.are.same({ 7, ENDED_MS * 1000 + 5, id, 2 }, notes[7])
    assert.are.same({ "committed" }, database.ended)
    local transactions = {}
    for _, statement in ipairs { sql.take, sql.stay, sql.insert_grading } do
      transactions[#transactions + 1] = database:asked(statement)[1].transaction
    end
    assert.are.same({ 1, 1, 1 }, transactions)
    assert.are.same({
      admin = "a", event_name = "e", queued = 2, regrade = id, ended = "2026-01-01T00:00:00.000Z",
    }, events_of "final_grading_queued"[1].fields)
    assert.are.equal(0, open():run_once())
    assert.are.equal(2, #queue.ready)
  end)

  it("tells which are due, after a time of grace", function()
    assert.are.same({ {
      id = 7, administrator = "a", event = "e", ends_ms = ENDED_MS, ends_us = ENDED_MS * 1000 + 5,
      regrade = "final-7-" .. (ENDED_MS * 1000 + 5),
    } }, open():due())
    assert.are.same({ 0, 10.0 }, database:asked(sql.read_due)[1].parameters)
    open({ grace_ms = 500 }):due()
    assert.are.same({ 0, 0.5 }, database:asked(sql.read_due)[2].parameters)
  end)

  it("skips assignments without grade cases and says so", function()
    hand_in("without", 3)
    hand_in("without", 4)
    hand_in("broken", 5)
    cases.by_assignment.broken = "instructor"
    assert.are.equal(1, open():run_once())
    assert.are.equal(3, #queue.ready)
    assert.are.equal(3, notes[7][4])
    local skipped = events_of "final_grading_skipped"
    assert.are.equal(1, #skipped)
    assert.are.equal("a/e/without", skipped[1].fields.assignment)
    assert.are.equal(3, cases.asked)
  end)

  it("notes an event that nobody handed anything in to", function()
    store.objects = {}
    assert.are.equal(1, open():run_once())
    assert.are.equal(0, notes[7][4])
  end)

  it("leaves to another worker what he has or has done", function()
    taken_by_another = true
    assert.are.equal(0, open():run_once())
    assert.are.same({}, queue.ready)
    taken_by_another = false
    -- He has ended between our look and our lock.
    database:answer(sql.take, function()
      notes[7] = {}
      return { { taken = true } }
    end)
    assert.are.equal(0, open():run_once())
    assert.are.same({}, queue.ready)
    -- Or the end was moved.
    notes = {}
    database:answer(sql.take, function()
      due[1] = { id = 7, administrator = "a", event = "e", ends_at = ENDED_MS + 5, ends_us = (ENDED_MS + 5) * 1000 }
      return { { taken = true } }
    end)
    assert.are.equal(0, open():run_once())
    assert.are.same({}, queue.ready)
  end)

  it("does all of it again after a crash half-way, with the same id", function()
    local sends, send = 0, queue.send
    queue.send = function(...)
      sends = sends + 1
      if sends == 2 then error "killed" end
      return send(...)
    end
    assert.has_error(function() open():run_once() end)
    assert.are.same({ "rolled back" }, database.ended)
    assert.is_nil(notes[7])
    queue.send = send
    assert.are.equal(1, open():run_once())
    local seen = {}
    for _, one in ipairs(queued()) do seen[one] = (seen[one] or 0) + 1 end
    local count = 0
    for _, times in pairs(seen) do
      count = count + 1
      assert.is_true(times <= 2)
    end
    assert.are.equal(2, count)
  end)

  it("rolls back when anything fails, and says what", function()
    local all = { read_due = true, take = true, stay = true, insert_grading = true }
    for name in pairs(all) do
      database.trouble = function(call)
        if call.sql == sql[name] then return "the server is away", "unavailable" end
      end
      local count, message, code = open():run_once()
      assert.is_nil(count)
      assert.matches("the server is away", message, 1, true)
      assert.are.equal("unavailable", code)
      assert.is_nil(notes[7])
    end
    database.trouble = function(call)
      if call.sql == "COMMIT" then return "the connection was lost", "unavailable" end
    end
    assert.is_nil((open():run_once()))
    database.trouble = function() end
    notes = {}
    store.fail = function() return "the bucket is away", "unavailable" end
    local _, message = open():run_once()
    assert.are.equal("a/e can't be queued for its final grading: the bucket is away", message)
    store.fail = function() end
    cases.by_assignment.s = "unavailable"
    assert.is_nil((open():run_once()))
    cases.by_assignment.s = {}
    queue.send = function() return nil, "the queue is away", "unavailable" end
    _, message = open():run_once()
    assert.matches("the queue is away", message, 1, true)
    assert.is_nil(notes[7])
  end)

  it("does the other events when one can't be done", function()
    table.insert(due, 1, { id = 3, administrator = "a", event = "..", ends_at = 1, ends_us = 1000 })
    local count, message = open():run_once()
    assert.is_nil(count)
    assert.matches("a/.. can't be queued", message, 1, true)
    assert.are.equal(2, #queue.ready)
    assert.is_nil(notes[3])
    assert.is_not_nil(notes[7])
  end)

  it("lists a large event by its assignments", function()
    store.fail = function(call)
      if call == "list a/e/" then return "more than 100000 objects begin with that prefix", "too_large" end
    end
    database:answer(assignments.read_assignments,
      { { event = "e", assignment = "s" }, { event = "e", assignment = "t" } })
    assert.are.equal(1, open():run_once())
    assert.are.equal(2, #queue.ready)
    assert.are.same({ "a", "e", "" }, database:asked(assignments.read_assignments)[1].parameters)
  end)

  it("shows the server a sign of life while it queues many", function()
    for number = 1, 450 do hand_in("s", number) end
    assert.are.equal(1, open():run_once())
    assert.are.equal(450, #queue.ready)
    assert.are.equal(3, #database:asked(sql.stay))
  end)

  describe("in a loop", function()
    local function run(grading)
      local task = host.task.spawn("final grading", function() grading:loop() end)
      finally(function()
        grading:stop()
        task:join()
      end)
      return task
    end

    it("queues what is over, and what ends later, until told to stop", function()
      local later = table.remove(due)
      database:answer(sql.read_next, { { left_ms = 30 } })
      local grading = open { grace_ms = 0 }
      local task = run(grading)
      support.eventually("it asked twice", function() return #database:asked(sql.read_due) >= 2 end)
      due[1] = later
      support.eventually("both are queued", function() return #queue.ready == 2 end)
      grading:stop()
      assert.is_true((task:join()))
    end)

    it("sleeps when nothing ends soon, and is woken by stop", function()
      local grading = open()
      local task = run(grading)
      support.eventually("both are queued", function() return #queue.ready == 2 end)
      host.clock.sleep_ms(100)
      assert.are.equal(1, #database:asked(sql.read_next))
      local began_ms = host.clock.monotonic_ms()
      grading:stop()
      assert.is_true((task:join()))
      assert.is_true(host.clock.monotonic_ms() - began_ms < 5000)
    end)

    it("outlasts an outage, and says so once", function()
      local waits, grading = {}, open()
      grading.woken = { wait = function(_, milliseconds)
        waits[#waits + 1] = milliseconds
        if #waits == 12 then database.trouble = function() end end
        if #waits == 13 then grading:stop() end
      end, set = function() end }
      database.trouble = function() return "the server is away", "unavailable" end
      grading:loop()
      assert.are.equal(1, #events_of "final_grading_unavailable")
      assert.are.equal(1, #events_of "final_grading_available")
      assert.are.equal(2, #queue.ready)
      assert.is_true(waits[1] >= 2000 and waits[1] <= 5000)
      assert.is_true(waits[12] >= 150000 and waits[12] <= 300000)
    end)

    it("ends when its task is cancelled", function()
      local task = host.task.spawn("final grading", function() open():loop() end)
      support.eventually("both are queued", function() return #queue.ready == 2 end)
      task:cancel "the worker stops"
      local ended, _, code = task:join()
      assert.is_nil(ended)
      assert.are.equal("cancelled", code)
    end)

    it("leaves off between two handfuls when told to stop", function()
      for number = 1, 450 do hand_in("s", number) end
      local grading, send = open(), queue.send
      queue.send = function(...)
        grading:stop()
        return send(...)
      end
      grading:loop()
      assert.are.equal(200, #queue.ready)
      assert.is_nil(notes[7])
      assert.are.same({ "rolled back" }, database.ended)
    end)
  end)

  it("says how it is to be made", function()
    assert.error_matches(function() final_grading.new { database = database, store = store, queue = queue } end,
      "cases is missing", 1, true)
    assert.error_matches(function() open { que = 1 } end, 'unknown option "que"', 1, true)
  end)
end)
