local host = require "submitter.host"
local runner = require "submitter.runner"
local support = require "spec.support"

local fake = require "spec.fake.runner"

-- What is replaced below has to be there to be put back.
require "submitter.runner.container"
require "submitter.runner.sandbox"

local limits = { memory_bytes = 64 << 20 }

describe("the choice of a runner", function()
  local configuration, opened, fail_open, restore

  -- In the place of both kinds: `open` says in `opened` what it was asked for.
  local function kind(name)
    return { open = function(settled, settings, parts)
      host.clock.sleep_ms(1)
      local message, code = fail_open(settings)
      if message then return nil, message, code end
      local one = fake.open()
      one.settings, one.parts, one.configuration = settings, parts, settled
      function one.describe() return { kind = name, image = settings.image } end
      opened[#opened + 1] = one
      return one
    end }
  end

  before_each(function()
    opened, fail_open = {}, function() end
    configuration = {
      runner = { kind = "sandbox" },
      runners = { heavy = { kind = "docker", image = "heavy:1" }, light = { kind = "docker", image = "light:1" } },
    }
    restore = support.replace(package.loaded, {
      ["submitter.runner.sandbox"] = kind "sandbox", ["submitter.runner.container"] = kind "docker",
    })
  end)

  after_each(function() restore() end)

  local function images()
    local list = {}
    for index, one in ipairs(opened) do list[index] = one.settings.image or one.settings.kind end
    table.sort(list)
    return table.concat(list, " ")
  end

  it("opens what `runner` says, and of the others what a policy chooses, once", function()
    local one = assert(runner.open(configuration, { jobs = "jobs" }))
    assert.are.equal("sandbox", images())
    assert.are.equal("sandbox", one:describe().kind)
    assert(one:start(limits, { subid = "ab" }))
    assert(one:start(limits, { subid = "ab", runner = "default" }))
    assert(one:start(limits))
    assert.are.same({ 3, "sandbox" }, { opened[1].started, images() })
    local about = { subid = "ab", runner = "heavy" }
    local starts = {}
    for index = 1, 3 do starts[index] = host.task.spawn("start", one.start, one, limits, about) end
    for _, start in ipairs(starts) do assert(select(2, start:join())) end
    assert.are.same({ "heavy:1 sandbox", 3 }, { images(), opened[2].started })
    assert.are.same({ about, limits }, { opened[2].about, opened[2].limits })
    assert.are.equal(configuration, opened[2].configuration)
    one:close()
    assert.are.same({ true, true }, { opened[1].closed, opened[2].closed })
  end)

  it("gives its runners what a worker has opened, and one table of what they know of", function()
    local one = assert(runner.open(configuration, { jobs = "jobs", directory = "var" }))
    one:warm(1)
    assert.are.same({ "jobs", "var" }, { opened[1].parts.jobs, opened[1].parts.directory })
    assert.are.same({}, opened[1].parts.known)
    assert.are.equal(opened[1].parts.known, opened[3].parts.known)
    assert.is_nil(assert(runner.open(configuration)).main.runner.parts)
  end)

  it("says when what a policy chose isn't there", function()
    local one = assert(runner.open(configuration))
    local started, message, code = one:start(limits, { runner = "wild" })
    assert.are.same({ "nil", "policy" }, { tostring(started), code })
    assert.matches('no runner "wild"; the configuration has default, heavy, light', message, 1, true)
    fail_open = function(settings) if settings.image then return "no profile", "environment" end end
    assert.are.same({ nil, "no profile", "environment" }, { one:start(limits, { runner = "heavy" }) })
    fail_open = function() end
    assert(one:start(limits, { runner = "heavy" }))
    fail_open = function() return "no python", "environment" end
    assert.are.same({ nil, "no python", "environment" }, { runner.open(configuration) })
  end)

  it("opens one anew where a task that opened it was cancelled", function()
    local one = assert(runner.open(configuration))
    local first = host.task.spawn("first", one.start, one, limits, { runner = "heavy" })
    local second = host.task.spawn("second", one.start, one, limits, { runner = "heavy" })
    host.clock.sleep_ms(0)
    first:cancel "not needed"
    assert.is_nil((first:join()))
    assert(select(2, second:join()))
    assert.are.equal("heavy:1 sandbox", images())
  end)

  it("keeps sessions ready of all, and needs only what `runner` says to begin", function()
    local one = assert(runner.open(configuration))
    assert.is_true(one:warm(2))
    assert.are.equal("heavy:1 light:1 sandbox", images())
    for _, each in ipairs(opened) do assert.are.equal(2, each.warmed) end
    opened[1].fail_warm = function() return "no cgroup", "environment" end
    assert.are.same({ nil, "no cgroup", "environment" }, { one:warm(2) })
    opened[1].fail_warm = function() end
    opened[2].fail_warm = function() return "engine away", "unavailable" end
    local lines = support.logged(function() assert.is_true(one:warm(2)) end)
    assert.are.same({ "runner_not_ready", "heavy", "engine away", "unavailable" },
      { lines[1].event, lines[1].fields.runner, lines[1].fields.reason, lines[1].fields.class })
    fail_open = function(settings) if settings.image then return "no profile", "environment" end end
    one = assert(runner.open(configuration))
    lines = support.logged(function() assert.is_true(one:warm(2)) end)
    assert.are.same({ 2, "no profile" }, { #lines, lines[1].fields.reason })
  end)

  it("knows what is away of what submissions need", function()
    local one = assert(runner.open(configuration))
    one:warm(1)
    assert.is_nil(one:problem())
    assert.is_true(one:reach())
    local main, heavy = opened[1], opened[2]
    heavy.away, heavy.away_since_ms = "engine away: no socket", 5
    -- Nobody needs it.
    assert.is_nil(one:problem())
    assert.is_true(one:reach())
    one:start(limits, { runner = "heavy" })
    assert.are.same({ "engine away: no socket", 5 }, { one:problem() })
    assert.are.same({ nil, "engine away: no socket", "unavailable" }, { one:reach() })
    main.away, main.away_since_ms = "engine away: closed", 7
    assert.are.same({ "engine away: closed", 7 }, { one:problem() })
    main.away, heavy.away = nil, nil
    assert.is_nil(one:problem())
    assert.is_true(one:reach())
  end)

  describe("by whoever calls", function()
    it("goes before a policy's", function()
      local one = assert(runner.open(configuration, nil, "light"))
      assert.are.equal("light:1", images())
      assert(one:start(limits, { runner = "heavy" }))
      assert.is_true(one:warm(1))
      assert.are.same({ "light:1", 1, 1 }, { images(), opened[1].started, opened[1].warmed })
    end)

    it("is by name or by kind", function()
      assert.are.equal(configuration.runner, runner.settings(configuration, "default"))
      assert.are.equal(configuration.runners.heavy, runner.settings(configuration, "heavy"))
      assert.are.equal(configuration.runner, runner.settings(configuration, "sandbox"))
      local settings, message, code = runner.settings(configuration, "docker")
      assert.are.same({ "nil", "usage" }, { tostring(settings), code })
      assert.matches("several of runners are docker: name one of default, heavy, light", message, 1, true)
      configuration.runners.light = nil
      assert.are.equal(configuration.runners.heavy, runner.settings(configuration, "docker"))
      configuration.runner = { kind = "docker", image = "main:1" }
      assert.are.equal(configuration.runner, runner.settings(configuration, "docker"))
      assert.are.same({ kind = "sandbox" }, runner.settings(configuration, "sandbox"))
    end)

    it("has to be there", function()
      for name, expected in pairs {
        wild = 'there is no runner "wild": say sandbox, docker or one of default',
        docker = "no container is configured: say runner = docker { image = \"…\" }, or set SUBMITTER_RUNNER_IMAGE",
      } do
        configuration.runners = {}
        local one, message, code = runner.open(configuration, nil, name)
        assert.are.same({ "nil", "usage" }, { tostring(one), code })
        assert.are.equal(expected, message)
      end
      assert.are.equal("", images())
    end)
  end)
end)
