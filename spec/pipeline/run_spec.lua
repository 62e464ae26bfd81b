local host = require "submitter.host"
local pipeline = require "submitter.pipeline"
local policy = require "submitter.policy"
local run = require "submitter.pipeline.run"

local fake_runner = require "spec.fake.runner"

local function desk(source, cases, text, runner, progress)
  local list = {}
  for number, case in ipairs(cases) do
    list[number] = { number = number, input = case[1], expected = case[2], form = "line" }
  end
  return pipeline.desk {
    source = source, cases = { cases = list, sha256 = ("c"):rep(64) }, runner = runner or fake_runner.open(),
    progress = progress,
    policy = assert(policy.load { files = { { name = "x.lua", text = "return {" .. (text or "") .. "}" } } }),
  }
end

describe("run", function()
  it("runs each case once, in one sandbox, in order", function()
    local runner, seen = fake_runner.open(), {}
    local job = desk("sum", { { "1 2", "3" }, { "", "0" }, { "4", "5" } }, nil, runner,
      function(number, total) seen[#seen + 1] = number .. "/" .. total end)
    assert(run(job))
    assert(pipeline.close(job))
    assert.are.equal(1, runner.started)
    assert.are.equal(3, runner.cases)
    assert.are.equal(0, runner.open)
    assert.are.same({ "1/3", "2/3", "3/3" }, seen)
    assert.are.same({ "AC", "AC", "WA" }, { job.results[1].verdict, job.results[2].verdict, job.results[3].verdict })
    assert.are.same({ kind = "fake", language = "lua", version = "5.4", accounting = "none" }, job.runner_description)
    assert.are.equal("program.py", runner.submitted[1].name)
    assert.are.same(job.policy.limits, runner.submitted[1].limits)
  end)

  it("hands over what the policy makes of the input", function()
    local job = desk("echo", { { [["a  b" c]], "a  b c" } })
    assert(run(job))
    assert(pipeline.close(job))
    assert.are.equal("AC", job.results[1].verdict)
    job = desk("echo", { { [["a  b" c]], [["a  b" c]] } }, 'input = "stdin"')
    assert(run(job))
    assert(pipeline.close(job))
    assert.are.equal([["a  b" c]] .. "\n", job.results[1].actual)
  end)

  it("runs nothing where a case can't be given", function()
    local runner = fake_runner.open()
    local job = desk("echo", { { "a", "a" }, { "it's", "b" } }, nil, runner)
    local done, message, code = run(job)
    assert.is_nil(done)
    assert.are.equal("instructor", code)
    assert.matches("^case 2: ", message)
    assert.are.equal(0, runner.started)
    assert(pipeline.close(job))
  end)

  it("runs nothing where a result stands", function()
    assert(run { standing = {} })
  end)

  it("fails where the sandbox fails, and leaves none", function()
    local runner = fake_runner.open { broken = function() return nil, "the runner died", "sandbox" end }
    local job = desk("broken", { { "a", "a" } }, nil, runner)
    local done, message, code = run(job)
    assert.are.same({ nil, "case 1: the runner died", "sandbox" }, { done, message, code })
    assert(pipeline.close(job))
    assert.are.equal(0, runner.open)
    runner.fail_start = function() return "no cgroup", "environment" end
    assert.are.same({ nil, "no cgroup", "environment" }, { run(desk("sum", { { "1", "1" } }, nil, runner)) })
  end)
end)

describe("at a desk", function()
  it("run and compare make a whole document", function()
    local job = desk("third_wrong", { { "1", "1" }, { "2", "2" }, { "3", "3" } })
    assert(pipeline.run(job, pipeline.desk_steps()))
    assert(pipeline.close(job))
    local document = require("submitter.report").document(job)
    assert.are.equal("WA", document.verdict)
    assert.are.equal("case 3: wrong answer", document.reason)
    assert.are.equal(2, document.passed)
    assert.are.equal(3, document.total)
    assert.are.equal(host.json.null, document.subid)
    assert.are.equal(64, #document.source_sha256)
    assert.are.equal(1, document.attempt)
  end)

  it("an empty program is refused", function()
    local job = desk("", { { "1", "1" } })
    local done, _, code = pipeline.run(job, pipeline.desk_steps())
    assert.is_nil(done)
    assert.are.equal("rejected", code)
  end)
end)
