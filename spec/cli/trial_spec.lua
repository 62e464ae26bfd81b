local fake = require "spec.fake.runner"
local trial = require "submitter.cli.trial"
local walls = require "submitter.cli.walls"

-- What the probe prints where all walls stand.
local function good()
  return walls.outside():gsub(":%[%d+%]", ":[1]") .. [[
network refused
system refused
source refused
sys absent
devices full null random urandom zero
processes 1
user 1000
CapPrm 0000000000000000
CapEff 0000000000000000
CapAmb 0000000000000000
NoNewPrivs 1
Seccomp 2
end .
]]
end

describe("a trial of a runner", function()
  local runner, endings, described

  before_each(function()
    described = { kind = "docker", language = "python", version = "3.9.21", accounting = "container", image = "a:1" }
    endings = {
      look = function() return good() end,
      memory = function() return "", { ending = "memory", exit_code = "none" } end,
      endless = function() return "", { ending = "cpu", exit_code = "none" } end,
    }
    runner = fake.open { [walls.probe] = function(arguments) return endings[arguments[1]]() end }
    function runner.describe() return described end
  end)

  local function states(findings)
    local list = {}
    for index, finding in ipairs(findings) do list[index] = finding.state .. " " .. finding.name end
    return list
  end

  local function found(findings, name)
    for _, finding in ipairs(findings) do
      if finding.name == name then return finding end
    end
  end

  it("looks around, goes to limits, and leaves nothing", function()
    local findings = trial.run(runner)
    assert.same({ "ok container", "ok a program", "ok own namespaces", "ok mounts", "ok network", "ok processes",
      "ok privileges", "ok system calls", "ok memory limit", "ok cpu limit" }, states(findings))
    assert.matches("^built in %d+ ms, Python 3.9.21, accounting by container, a:1$", findings[1].text)
    assert.same({ 2, 0 }, { runner.started, runner.open })
    assert.is_true(runner.submitted[2].limits.cpu_ms < runner.submitted[1].limits.cpu_ms)
  end)

  it("says what isn't enforced, and what is for each process alone", function()
    endings.memory = function() return "", { exit_code = 1 } end
    assert.equal("fail", found(trial.run(runner), "memory limit").state)
    described.kind, described.accounting, described.image = "sandbox", "rlimit", nil
    local findings = trial.run(runner)
    assert.equal("ok sandbox", states(findings)[1])
    assert.equal("warn", found(findings, "memory limit").state)
    endings.endless = function() return "", { ending = "wall", exit_code = "none" } end
    assert.same({ "fail", "not enforced: the program ended by wall" },
      { found(trial.run(runner), "cpu limit").state, found(trial.run(runner), "cpu limit").text })
    endings.endless = function() return nil, "the runner died", "sandbox" end
    assert.matches("a fault of the sandbox", found(trial.run(runner), "cpu limit").text, 1, true)
    assert.equal(0, runner.open)
  end)

  it("says why nothing runs", function()
    endings.look = function() return "", { exit_code = 1, stderr = "x\nImportError: socket\n" } end
    local finding = found(trial.run(runner), "a program")
    assert.same({ "fail", "a small program didn't run: exit (ImportError: socket)" }, { finding.state, finding.text })
    endings.look = function() return nil, "the runner died", "sandbox" end
    assert.same({ "fail", "the runner died" },
      { found(trial.run(runner), "a program").state, found(trial.run(runner), "a program").text })
    runner.fail_start = function() return "no such image: a:1", "environment" end
    assert.same({ "fail container" }, states(trial.run(runner)))
    assert.equal(0, runner.open)
  end)

  it("names a wall that is open", function()
    endings.look = function() return (good():gsub("network refused", "network allowed")) end
    assert.equal("fail", found(trial.run(runner), "network").state)
    endings.look = function() return walls.outside() .. good():match "network.*$" end
    assert.equal("fail", found(trial.run(runner), "own namespaces").state)
  end)

  it("says what was left, and leaves nothing also where it breaks", function()
    local start = runner.start
    function runner:start(...)
      local session = assert(start(self, ...))
      local close = session.close
      function session.close(this)
        close(this)
        return nil, "a cgroup is left"
      end
      return session
    end
    assert.same({ "fail", "a cgroup is left" },
      { found(trial.run(runner), "clean-up").state, found(trial.run(runner), "clean-up").text })
    runner.start = start
    endings.look = function() error "a bug" end
    assert.is_false((pcall(trial.run, runner)))
    assert.equal(0, runner.open)
  end)
end)
