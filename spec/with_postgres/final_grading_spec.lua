--- The final grading on a real server: once by one of many workers, whatever happens to them.
local database = require "submitter.database"
local fake_queue = require "spec.fake.queue"
local fake_store = require "spec.fake.store"
local final_grading = require "submitter.final_grading"
local host = require "submitter.host"
local postgres = require "spec.postgres"
local submission = require "submitter.submission"
local support = require "spec.support"

describe("the final grading on a real server", function()
  local server, url, pools, store, queue, lines

  before_each(function()
    server, store, queue, pools, lines = postgres.shared(), fake_store.open(), fake_queue.open(), {}, {}
    url = server:migrated()
    for number = 1, 5 do
      local subid = ("%032x"):format(number)
      store.objects[("a/e/s/%s/%s.json"):format(subid, subid)] = "{}"
    end
  end)
  after_each(function()
    for _, pool in ipairs(pools) do pool:close() end
  end)

  local function keep(event, fields) lines[#lines + 1] = { event = event, fields = fields } end

  local function open(options)
    local user = options and options.user
    local pool = database.open { url = user and url:gsub("user=%S+", "user=" .. user) or url }
    pools[#pools + 1] = pool
    return final_grading.new {
      database = pool, store = store, queue = options and options.queue or queue,
      cases = { read = function() return { cases = {} } end },
      log = { info = keep, warn = keep, error = keep }, grace_ms = options and options.grace_ms or 0,
    }
  end

  -- An event that ended so many seconds ago, and was made known so long before that.
  local function ended(seconds, event, known_for)
    server:sql(url, ([[
      SELECT submitter.schedule('a', '%s', NULL, now() - interval '%f seconds');
      UPDATE submitter.events SET created_at = ends_at - interval '%d seconds' WHERE name = '%s';
    ]]):format(event or "e", seconds, known_for or 1, event or "e"))
  end

  local function noted() return server:sql(url, "SELECT count(*), sum(queued) FROM submitter.final_gradings") end

  it("is due for events that are over, once for each end", function()
    ended(60)
    ended(-60, "later")
    ended(60, "was over before it was made known", -1)
    server:sql(url, "SELECT submitter.schedule('a', 'open', NULL, NULL)")
    server:sql(url, "SELECT submitter.schedule('a', 'for ever', NULL, 'infinity')")
    local grading = open()
    local due = assert(grading:due())
    assert.are.equal(1, #due)
    assert.are.same({ "a", "e" }, { due[1].administrator, due[1].event })
    assert.matches("^final%-%d+%-%d+$", due[1].regrade)
    assert.are.equal(1, grading:run_once())
    assert.are.equal(5, #queue.ready)
    assert.are.equal(due[1].regrade, assert(submission.parse_message(queue.ready[1].body))[1].regrade)
    assert.are.equal("1|5", noted())
    assert.are.equal(due[1].regrade, server:sql(url, "SELECT regrade FROM submitter.final_gradings"))
    assert.are.equal(0, grading:run_once())
    -- Extended, it ends anew.
    ended(30)
    assert.are.equal(1, grading:run_once())
    assert.are.equal(10, #queue.ready)
    assert.are.equal("2|10", noted())
  end)

  it("waits for a time of grace", function()
    ended(5)
    assert.are.same({}, open({ grace_ms = 60000 }):due())
    assert.are.equal(1, #open({ grace_ms = 1000 }):due())
  end)

  it("is done by one of many workers", function()
    ended(60)
    -- Slow enough for all to meet.
    local slow = { send = function(_, ...)
      host.clock.sleep_ms(200)
      return queue:send(...)
    end }
    local tasks = {}
    for number = 1, 6 do
      local grading = open { queue = slow }
      tasks[number] = host.task.spawn("worker " .. number, function() return assert(grading:run_once()) end)
    end
    local done = 0
    for _, task in ipairs(tasks) do
      local ended_well, count = task:join()
      assert.is_true(ended_well, count)
      done = done + count
    end
    assert.are.equal(1, done)
    assert.are.equal(5, #queue.ready)
    assert.are.equal("1|5", noted())
  end)

  it("is done by the next when one was cut off", function()
    ended(60)
    local sent = 0
    local failing = { send = function(_, ...)
      sent = sent + 1
      if sent == 3 then return nil, "the queue is away", "unavailable" end
      return queue:send(...)
    end }
    local grading = open { queue = failing }
    assert.is_nil((grading:run_once()))
    assert.are.equal("0|", noted())
    -- Cancelled with the lock in hand.
    local endless = { send = function() host.clock.sleep_ms(60000) end }
    local task = host.task.spawn("worker", function() open({ queue = endless }):run_once() end)
    support.eventually("it holds the lock", function()
      return server:sql(url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = "
        .. "(SELECT oid FROM pg_database WHERE datname = current_database())") == "1"
    end, 20000)
    task:cancel "the worker stops"
    assert.is_nil((task:join()))
    assert.are.equal("0|", noted())
    assert.are.equal(1, open():run_once())
    assert.are.equal("1|5", noted())
    local ids = {}
    for _, message in ipairs(queue.ready) do
      ids[assert(submission.parse_message(message.body))[1].regrade] = true
    end
    assert.is_not_nil(next(ids))
    assert.is_nil(next(ids, next(ids)))
  end)

  it("comes with the end of an event, in a worker's role", function()
    local user = "final_" .. host.digest.random(4)
    server:sql(url, ("CREATE ROLE %s LOGIN; GRANT submitter_worker TO %s"):format(user, user))
    ended(-1)
    local grading = open { user = user }
    local task = host.task.spawn("final grading", function() grading:loop() end)
    support.eventually("it is queued", function() return noted() == "1|5" end, 60000)
    grading:stop()
    assert.is_true((task:join()))
    assert.are.equal("final_grading_queued", lines[#lines].event)
  end)
end)
