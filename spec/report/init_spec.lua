local host = require "submitter.host"
local key = require "submitter.key"
local policy = require "submitter.policy"
local report = require "submitter.report"
local report_case = require "submitter.report.case"

local fake = require "spec.fake.grading"

local null = host.json.null

local function run_case(number, verdict, fields)
  local result = {
    ending = "exit", exit_code = verdict == "RTE" and 7 or 0, cpu_ms = 1, wall_ms = 2, memory_bytes = 3, stdout = "3\n",
    stderr = "", stdout_truncated = false, stderr_truncated = false,
  }
  local case = { number = number, input = "1 2", expected = "3", form = "line" }
  for name, value in pairs(fields or {}) do case[name] = value end
  return (report_case.record(case, result, {
    pass = verdict == "AC", verdict = verdict, note = verdict ~= "AC" and "as " .. verdict or nil,
    points = verdict == "AC" and 1 or 0,
  }, { actual_bytes = 0, stderr_bytes = 0 }))
end

local function job(fields)
  local made = {
    location = assert(key.location("m.soltys", "aws_labs", "lab5", fake.subid)), mode = "test", verdict = "AC",
    passed = 1, points = 1, max_points = 1, results = { run_case(1, "AC") }, policy = assert(policy.shipped()),
    source_sha256 = ("a"):rep(64), cases_sha256 = ("b"):rep(64),
    runner_description = { kind = "sandbox", language = "python", version = "3.11.2", accounting = "cgroup" },
    attempt = 2, run = 3, submitted_ms = 1700000000000, started_ms = 1700000001000,
  }
  for name, value in pairs(fields or {}) do made[name] = value end
  return made
end

local function order_of(text)
  local names = {}
  -- Outside of cases, limits, policy and runner.
  local outer = text:gsub('"cases":%b[]', '"cases":0'):gsub(":%b{}", ":0")
  for name in outer:gmatch '"([%w_]+)":' do names[#names + 1] = name end
  return table.concat(names, " ")
end

describe("the whole truth", function()
  it("says in which image a program ran, also to its students", function()
    local description = { kind = "docker", language = "python", version = "3.9.21", accounting = "container",
      image = "submitter-python:3.9", image_id = "sha256:00" }
    local made = job { runner_description = description }
    local document = report.document(made)
    local view = assert(report.view(document, made.policy))
    for _, shown in ipairs { document, view, report.renumbered(document, 3, 4) } do
      local decoded = assert(host.json.decode(host.json.encode(shown)))
      assert.are.same(description, decoded.runner)
    end
  end)

  it("has the fields of schema 1 in their order", function()
    assert.are.equal("schema subid admin event assignment tokens mode verdict reason passed total points max_points "
      .. "cases limits policy source_sha256 cases_sha256 cases_source runner attempt run submitted_at started_at "
      .. "finished_at",
      order_of(host.json.encode(report.document(job()))))
  end)

  it("has their values", function()
    local document = report.document(job())
    assert.are.equal(1, document.schema)
    assert.are.equal(fake.subid, document.subid)
    assert.are.equal("m.soltys/aws_labs/lab5",
      table.concat({ document.admin, document.event, document.assignment }, "/"))
    assert.are.equal(1, document.total)
    assert.are.equal(null, document.reason)
    assert.are.equal(2000, document.limits.cpu_ms)
    assert.are.equal("shipped default", document.policy.name)
    assert.are.equal("3.11.2", document.runner.version)
    assert.are.equal(host.json.null, document.runner.image)
    assert.are.equal(2, document.attempt)
    assert.are.equal(3, document.run)
    assert.are.equal("2023-11-14T22:13:20.000Z", document.submitted_at)
    assert.are.equal("2023-11-14T22:13:21.000Z", document.started_at)
    assert.matches("^20%d%d%-%d%d%-%d%dT.*Z$", document.finished_at)
    assert.matches('"limits":{"memory_bytes":268435456,"cpu_ms":2000,"wall_ms":6000,"output_bytes":1048576,'
      .. '"processes":16,"file_bytes":16777216},"policy":{"name":', host.json.encode(document), 1, true)
  end)

  it("counts the tokens that are known, where there is a database, and nothing else of them", function()
    assert.are.equal(null, report.document(job()).tokens)
    local team = { students = { { id = 1, email = "a@x" } }, known = 1, unknown = 2 }
    local document = report.document(job { team = team })
    assert.matches('"assignment":"lab5","tokens":{"known":1,"unknown":2},"mode"', host.json.encode(document), 1, true)
    local seen = host.json.encode(report.view(document, assert(policy.shipped())))
    assert.matches('"tokens":{"known":1,"unknown":2},"mode"', seen, 1, true)
  end)

  it("says where its cases came from", function()
    assert.are.equal("postgres", report.document(job { cases_source = "postgres" }).cases_source)
    assert.are.equal(null, report.document(job()).cases_source)
  end)

  it("may get other numbers", function()
    local document = report.document(job { regrade = "r1", team = { known = 1, unknown = 0 } })
    local wanted = host.json.encode(document):gsub('"attempt":2,"run":3', '"attempt":7,"run":9')
    assert.are.equal(wanted, host.json.encode(report.renumbered(document, 7, 9)))
    local again = assert(host.json.decode(host.json.encode(document)))
    assert.are.equal(wanted, host.json.encode(report.renumbered(again, 7, 9)))
    assert.are.equal(2, document.attempt)
  end)

  it("of a rejection has no cases", function()
    local text = host.json.encode(report.document(job {
      results = false, verdict = "REJ", reason = "x\xff", cases_sha256 = false, passed = 0, points = 0, max_points = 0,
    }))
    assert.matches('"verdict":"REJ","reason":"x\u{FFFD}","passed":0,"total":0,"points":0,"max_points":0,"cases":[],',
      text, 1, true)
    assert.matches('"cases_sha256":null', text, 1, true)
  end)

  it("may be of a program that was never in a bucket", function()
    local document = report.document(job { location = false })
    assert.are.equal(null, document.subid)
    assert.are.equal(null, document.admin)
  end)

  it("names the regrade that it answers", function()
    assert.is_nil(report.document(job()).regrade)
    assert.are.equal("r1", report.document(job { regrade = "r1" }).regrade)
  end)

  it("holds names of any bytes", function()
    local odd = assert(key.location("a\xff", "e", "s", fake.subid))
    assert.are.equal("a\u{FFFD}", report.document(job { location = odd }).admin)
  end)

  it("holds twenty thousand cases", function()
    local results = {}
    for number = 1, 20000 do results[number] = run_case(number, "AC") end
    local before_us = host.clock.cpu_us()
    local document = report.document(job { results = results })
    local text = host.json.encode(report.view(document, assert(policy.shipped())))
    assert.are.equal(20001, select(2, report.csv(document):gsub("\r\n", "")))
    assert.are.equal(20000, #assert(host.json.decode(text)).cases)
    assert.is_true(host.clock.cpu_us() - before_us < 4000000)
  end)
end)

describe("what students see", function()
  local function view(truth, text, cases)
    local chosen = assert(policy.load { files = { { name = "x.lua", text = "return {" .. text .. "}" } } })
    return report.view(truth, chosen, cases)
  end

  it("is everything in mode test, verdicts in mode grade", function()
    local truth = report.document(job())
    assert.are.equal(host.json.encode(truth), host.json.encode(view(truth, "")))
    truth.mode = "grade"
    local hidden = view(truth, "")
    assert.are.equal(null, hidden.cases[1].input)
    assert.are.equal("AC", hidden.cases[1].verdict)
    assert.are.equal(1, hidden.passed)
  end)

  it("has no hash by which hidden cases could be guessed", function()
    local truth = report.document(job { results = { run_case(1, "AC"), run_case(2, "AC") } })
    assert.are.equal(("b"):rep(64), view(truth, "").cases_sha256)
    assert.are.equal(("b"):rep(64), view(truth, "show = { actual = false, stderr = false }").cases_sha256)
    for _, text in ipairs {
      "show = false", "show = { expected = false }", "show = { input = false }",
      "show = function(case) return case.number == 1 end",
    } do
      assert.are.equal(null, view(truth, text).cases_sha256, text)
    end
    assert.are.equal(("b"):rep(64), truth.cases_sha256)
  end)

  it("never is the regrade's id", function()
    assert.is_nil(view(report.document(job { regrade = "r1" }), "").regrade)
  end)

  it("is the same from a truth that was read again", function()
    local truth = report.document(job { results = { run_case(1, "AC"), run_case(2, "WA") }, points = 0.5 })
    local again = assert(host.json.decode(host.json.encode(truth)))
    for _, text in ipairs { "", "show = false", "show = { expected = false }" } do
      assert.are.equal(host.json.encode(view(truth, text)), host.json.encode(view(again, text)))
      assert.are.equal(report.csv(view(truth, text)), report.csv(view(again, text)))
    end
  end)

  it("has no reason that tells of a hidden case", function()
    local truth = report.document(job {
      results = { run_case(1, "AC"), run_case(2, "RTE"), run_case(3, "WA") }, verdict = "RTE",
      reason = "case 2: exit code 7",
    })
    assert.are.equal("case 2: exit code 7", view(truth, "").reason)
    assert.are.equal("case 2: run-time error", view(truth, "show = false").reason)
    assert.are.equal("case 2: run-time error", view(truth, "show = { actual = false }").reason)
    assert.are.equal("case 2: exit code 7", view(truth, "show = function(case) return case.number == 2 end").reason)
    assert.are.equal("case 2: exit code 7", truth.reason)
  end)

  it("keeps the reason of a rejection", function()
    local truth = report.document(job { results = false, verdict = "REJ", reason = "empty" })
    assert.are.equal("empty", view(truth, "show = false").reason)
    assert.are.equal("empty", report.view(truth, nil).reason)
  end)

  it("is decided by what is known of the case", function()
    local truth = report.document(job())
    local cases = { { number = 1, name = "large", form = "file", input = "1 2", expected = "3" } }
    assert.are.equal("1 2", view(truth, [[show = function(case)
      return case.name == "large" and case.form == "file" and case.verdict == "AC" and case.mode == "test"
    end]], cases).cases[1].input)
  end)

  it("is decided by the case's own visibility, also of a truth that was read again", function()
    local truth = report.document(job { results = { run_case(1, "AC"), run_case(2, "WA"), run_case(3, "AC") } })
    local again = assert(host.json.decode(host.json.encode(truth)))
    local cases = {}
    for number = 1, 3 do cases[number] = { number = number, form = "line", input = "1 2", expected = "3" } end
    cases[2].visibility = "hidden"
    for _, document in ipairs { truth, again } do
      local seen = view(document, "", cases)
      assert.are.equal("1 2", seen.cases[1].input)
      assert.are.equal(null, seen.cases[2].input)
      assert.are.equal(null, seen.cases[2].actual)
      assert.are.equal("WA", seen.cases[2].verdict)
      assert.are.equal("1 2", seen.cases[3].input)
      assert.are.equal(null, seen.cases_sha256)
      -- The policy's word is the last.
      assert.are.equal("1 2", view(document, 'show = "visible"', cases).cases[2].input)
    end
  end)

  it("tells a policy what the case is worth, not what was earned", function()
    local truth = report.document(job { results = { run_case(1, "WA") } })
    local cases = { { number = 1, form = "line", input = "1 2", expected = "3", points = 4 } }
    local text = "show = function(case) return case.points == 4 and { expected = false } or false end"
    assert.are.equal("1 2", view(truth, text, cases).cases[1].input)
    assert.are.equal(null, view(truth, text).cases[1].input)
  end)

  it("isn't published when the policy fails", function()
    local shown, message, code = view(report.document(job()), "show = function() error('no') end")
    assert.is_nil(shown)
    assert.are.equal("policy", code)
    assert.matches("no", message, 1, true)
  end)
end)

describe("a failure of ours", function()
  it("has its fields in their order", function()
    local document = report.failure(job(), "instructor", "no cases\xff")
    assert.matches('^{"schema":1,"subid":"%x+","admin":"m.soltys","event":"aws_labs","assignment":"lab5","mode":"test",'
      .. '"verdict":"IE","reason":"no cases\u{FFFD}","class":"instructor","at":"20[^"]*Z"}$',
      host.json.encode(document))
  end)
end)
