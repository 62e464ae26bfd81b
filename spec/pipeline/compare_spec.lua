local compare = require "submitter.pipeline.compare"
local policy = require "submitter.policy"

local function judge(results, text)
  local job = {
    mode = "test", results = {},
    policy = assert(policy.load { files = { { name = "x.lua", text = "return {" .. (text or "") .. "}" } } }),
  }
  for number, fields in ipairs(results) do
    local result = {
      ending = "exit", exit_code = 0, cpu_ms = 1, wall_ms = 2, memory_bytes = 3, stdout = "3\n", stderr = "",
      stdout_truncated = false, stderr_truncated = false,
    }
    for name, value in pairs(fields) do result[name] = value end
    local case = { number = number, input = "", expected = "3", form = "line" }
    local done, message, code = compare.case(job, case, result)
    if not done then return nil, message, code end
  end
  compare.whole(job)
  return job
end

describe("points", function()
  it("of thirds and tenths make whole ones", function()
    local job = assert(judge({ {}, {}, {} }, "points = function() return 1 / 3 end"))
    assert.are.same({ 1, 1 }, { job.points, job.max_points })
    assert.are.equal("integer", math.type(job.points))
    job = assert(judge({ {}, {}, { stdout = "4" } }, "points = 0.1"))
    assert.are.same({ 0.2, 0.3 }, { job.points, job.max_points })
  end)
end)

describe("a policy that fails", function()
  it("leaves word for students", function()
    local compare_step = require "submitter.pipeline.compare"
    for _, field in ipairs { "points", "compare" } do
      local job = { mode = "grade", results = {}, policy = assert(policy.load { files = { {
        name = "x.lua", text = "return { " .. field .. " = function() error('the secret') end }",
      } } }) }
      local done, message, code = compare_step.case(job, { number = 1, input = "", expected = "3", form = "line" }, {
        ending = "exit", exit_code = 0, stdout = "3\n", stderr = "",
      })
      assert.is_nil(done)
      assert.are.equal("policy", code)
      assert.matches("the secret", message, 1, true)
      assert.matches("policy x.lua: " .. field, job.told, 1, true)
      assert.is_nil(job.told:find("secret", 1, true))
    end
  end)
end)

describe("the verdict of a case", function()
  for _, row in ipairs {
    { {}, "AC", nil },
    { { stdout = " 3" }, "WA", 'line 1: expected "3", got " 3"' },
    { { exit_code = 1 }, "RTE", "exit code 1" },
    { { ending = "signal", signal = "SIGKILL" }, "RTE", "ended by SIGKILL" },
    { { ending = "cpu" }, "TLE", "CPU limit of 2000 ms" },
    { { ending = "wall" }, "TLE", "wall clock limit of 6000 ms" },
    { { ending = "memory" }, "MLE", "memory limit of 256M" },
    { { ending = "output" }, "OLE", "output limit of 1M" },
    { { stdout_truncated = true }, "OLE", "output limit of 1M" },
    { { stderr_truncated = true }, "AC", nil },
  } do
    it(("is %s: %s"):format(row[2], row[3] or "right"), function()
      local job = assert(judge { row[1] })
      local case = job.results[1]
      assert.are.equal(row[2], case.verdict)
      assert.are.equal(row[2] == "AC", case.pass)
      assert.are.equal(row[3] or require("submitter.host").json.null, case.note)
      assert.are.equal(row[2] == "AC" and 1 or 0, case.points)
      assert.are.equal(row[2], job.verdict)
    end)
  end
end)

describe("the verdict of the whole", function()
  it("is the first that isn't passed", function()
    local job = assert(judge { {}, { stdout = "4" }, { exit_code = 1 }, {} })
    assert.are.equal("WA", job.verdict)
    assert.are.equal("case 2: wrong answer", job.reason)
    assert.are.equal(2, job.passed)
    assert.are.equal(2, job.points)
    assert.are.equal(4, job.max_points)
    assert.are.equal("case 1: exit code 1", assert(judge { { exit_code = 1 }, { ending = "cpu" } }).reason)
  end)

  it("is AC where all passed, without a reason", function()
    local job = assert(judge { {}, {} })
    assert.are.equal("AC", job.verdict)
    assert.is_nil(job.reason)
  end)
end)

describe("points", function()
  it("are the policy's", function()
    local job = assert(judge({ {}, { stdout = "4" }, {} }, "points = function(case) return case.number end"))
    assert.are.equal(4, job.points)
    assert.are.equal(6, job.max_points)
    assert.are.equal(0, job.results[2].points)
    assert.are.equal(3, job.results[3].points)
  end)

  it("add up as people add", function()
    local job = assert(judge({ {}, {}, {} }, "points = 0.1"))
    assert.are.equal(0.3, job.points)
    job = assert(judge({ {}, {} }, "points = 0.5"))
    assert.are.equal("integer", math.type(job.points))
  end)
end)

describe("a policy that fails", function()
  it("fails the job", function()
    for _, text in ipairs { "compare = function() error('no', 0) end", "points = function() error('no', 0) end" } do
      local job, message, code = judge({ {} }, text)
      assert.is_nil(job)
      assert.are.equal("policy", code)
      assert.matches("no", message, 1, true)
    end
  end)
end)
