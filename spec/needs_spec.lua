local host = require "submitter.host"
local needs = require "submitter.needs"

local fake = require "spec.fake.runner"

describe("what every submission needs", function()
  local database, runner, asked

  before_each(function()
    asked = 0
    runner = fake.open()
    database = {
      state = function() return { away = database.away } end,
      query = function()
        asked = asked + 1
        if database.away then return nil, database.away.reason, "unavailable" end
        return { rows = {} }
      end,
    }
  end)

  it("is there unless something is known", function()
    local all = needs.of(database, runner)
    assert.is_nil(all:problem())
    assert.is_nil(all:lacking(0))
    assert.is_nil(all:lacking(1000))
    assert.are.equal(1, asked)
    local without = needs.of(nil, runner)
    assert.is_nil(without:problem())
    assert.is_nil(without:lacking(0))
  end)

  it("may be the database", function()
    database.away = { since_ms = 1700000000000, reason = "no route" }
    local all = needs.of(database, runner)
    assert.are.equal("the database is away since 2023-11-14T22:13:20.000Z: no route", all:problem())
    assert.are.same({ "no route; what is in the queue is left there", "unavailable" }, { all:lacking(0) })
    assert.are.same({ "no route; what is in the queue is left there", "unavailable" }, { all:lacking(1000) })
  end)

  it("may be what programs run on", function()
    runner.away, runner.away_since_ms = "engine away: no socket", 1700000000000
    local all = needs.of(database, runner)
    assert.are.equal("no program can be run since 2023-11-14T22:13:20.000Z: engine away: no socket", all:problem())
    assert.are.same({ "engine away: no socket; what is in the queue is left there", "unavailable" },
      { all:lacking(0) })
    assert.are.same({ "engine away: no socket; what is in the queue is left there", "unavailable" },
      { all:lacking(1000) })
  end)

  it("isn't asked for while it was away for a short time only", function()
    runner.away, runner.away_since_ms = "engine away", host.clock.now_ms()
    database.away = { since_ms = host.clock.now_ms(), reason = "no route" }
    local all = needs.of(database, runner)
    assert.is_nil(all:lacking(60000))
    assert.are.equal(0, asked)
  end)

  it("is there again when it answers, whatever was known", function()
    runner.away, runner.away_since_ms = "engine away", 1
    function runner.reach() return true end
    assert.is_nil(needs.of(nil, runner):lacking(1000))
  end)
end)
