local policy_schema = require "submitter.policy.schema"

describe("what a policy file may say", function()
  it("is read with its units", function()
    assert.are.same({
      limits = {
        cpu_ms = 1500, wall_ms = 60000, memory_bytes = 64 << 20, output_bytes = 64 << 10, processes = 4, file_bytes = 0,
      },
      input = "stdin", compare = "exact", points = 0.5, publish = { "json" },
    }, policy_schema.check {
      limits = { cpu = "1.5s", wall = "1m", memory = "64M", output = "64K", processes = 4, files = 0 },
      input = "stdin", compare = "exact", points = 0.5, publish = { "json" },
    })
  end)

  it("may be nothing", function()
    assert.are.same({}, policy_schema.check {})
    assert.are.same({ limits = {} }, policy_schema.check { limits = {} })
  end)

  it("has functions", function()
    local f = function() end
    assert.are.same({ compare = f, points = f, show = { test = f, grade = f } },
      policy_schema.check { compare = f, points = f, show = f })
  end)

  it("has a rule of what is shown for both modes, or for each", function()
    assert.are.same({ test = "hidden", grade = "hidden" }, policy_schema.check({ show = "hidden" }).show)
    assert.are.same({ test = false, grade = false }, policy_schema.check({ show = false }).show)
    assert.are.same({ grade = true }, policy_schema.check({ show = { grade = true } }).show)
    assert.are.same({ test = { expected = false }, grade = "after_due" },
      policy_schema.check({ show = { test = { expected = false }, grade = "after_due" } }).show)
    assert.are.same({ test = { stderr = false }, grade = { stderr = false } },
      policy_schema.check({ show = { stderr = false } }).show)
  end)

  it("names what is wrong", function()
    for pattern, value in pairs {
      ["limit: unknown field; did you mean \"limits\"?"] = { limit = {} },
      ["limits.cpus: unknown field"] = { limits = { cpus = "1s" } },
      ["limits.cpu: expected a duration"] = { limits = { cpu = 2 } },
      ["limits.memory: expected"] = { limits = { memory = "1K" } },
      ["limits.processes: expected a whole number"] = { limits = { processes = 0 } },
      ["input: expected one of"] = { input = "word" },
      ["compare: expected"] = { compare = "fuzzy" },
      ["points: expected"] = { points = -1 },
      ["runner: expected the name of a runner"] = { runner = "a b" },
      ["show: expected"] = { show = "visble" },
      ["show.tests: unknown field"] = { show = { tests = true, grade = true } },
      ["show.inputs: unknown field"] = { show = { inputs = true } },
      ["publish[1]: expected"] = { publish = { "pdf" } },
      ["publish: expected"] = { publish = "csv" },
    } do
      local checked, message = policy_schema.check(value)
      assert.is_nil(checked, pattern)
      assert.matches(pattern, message, 1, true)
    end
  end)

  it("stays below the operator's ceilings", function()
    local ceilings = { cpu_ms = 1000, memory_bytes = 64 << 20, processes = 8 }
    assert(policy_schema.check({ limits = { cpu = "1s", wall = "1m", memory = "64M", processes = 8 } }, ceilings))
    for name, limits in pairs {
      ["limits.cpu: 1.5s is more than the 1s"] = { cpu = "1500ms" },
      ["limits.memory: 65M is more than the 64M"] = { memory = "65M" },
      ["limits.processes: 9 is more than the 8"] = { processes = 9 },
    } do
      local checked, message = policy_schema.check({ limits = limits }, ceilings)
      assert.is_nil(checked)
      assert.matches(name, message, 1, true)
    end
  end)

  it("chooses among the operator's runners", function()
    local runners = { "default", "heavy" }
    assert.are.equal("heavy", assert(policy_schema.check({ runner = "heavy" }, nil, runners)).runner)
    assert.are.equal("default", assert(policy_schema.check({ runner = "default" }, nil, runners)).runner)
    assert.is_nil(assert(policy_schema.check({}, nil, runners)).runner)
    assert.are.equal("any", assert(policy_schema.check({ runner = "any" })).runner)
    local checked, message = policy_schema.check({ runner = "light" }, nil, runners)
    assert.is_nil(checked)
    assert.are.equal('runner: "light" is none that the operator allows (runners in the configuration); known are '
      .. "default, heavy", message)
  end)

  it("has one line about each field", function()
    for _, row in ipairs(require("submitter.schema").document(policy_schema.description)) do
      assert.is_true(#row.text > 3, row.path)
    end
  end)
end)

describe("limits that nobody chose", function()
  it("are lowered to the ceilings", function()
    local chosen = {
      cpu_ms = 2000, wall_ms = 6000, memory_bytes = 100, output_bytes = 10, processes = 16, file_bytes = 5,
    }
    assert.are.same(chosen, policy_schema.lower(chosen, nil))
    local lowered = policy_schema.lower(chosen, { cpu_ms = 500, wall_ms = 9000, processes = 4 })
    assert.are.equal(500, lowered.cpu_ms)
    assert.are.equal(6000, lowered.wall_ms)
    assert.are.equal(4, lowered.processes)
    assert.are.equal(2000, chosen.cpu_ms)
  end)
end)
