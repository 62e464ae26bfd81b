--- The commands as a user calls them: the real program, a folder of its own.
local fingerprint = require "submitter.fingerprint"
local host = require "submitter.host"
local key = require "submitter.key"
local submission = require "submitter.submission"
local support = require "spec.cli.support"

local token = ("0123456789abcdef"):rep(2)

describe("the command line", function()
  local folder
  before_each(function() folder = support.folder() end)
  after_each(function() folder.remove_all() end)

  local function run(...) return support.submitter(folder, { ... }) end

  local function fixture(path) return support.fixtures .. "/" .. path end

  local function status()
    local ended = run("status", "--format", "json")
    assert.equal(0, ended.exit_code, ended.stderr)
    return host.json.decode(ended.stdout)
  end

  local function submit(program, ...)
    return run("submit", fixture("sum/submissions/" .. program), "--admin", "m.soltys", "--event", "labs",
      "--assignment", "sum", "--token", token, ...)
  end

  local function names()
    local what = { admin = "m.soltys", event = "labs", assignment = "sum", tokens = { token } }
    return key.names(key.location("m.soltys", "labs", "sum", submission.subid(what)), "test")
  end

  local function install_cases()
    for _, name in ipairs { "test.in", "test.out" } do
      local file = assert(io.open(fixture("sum/" .. name), "rb"))
      folder:write("var/bucket/m.soltys/labs/sum/grading/" .. name, file:read "a")
      file:close()
    end
  end

  describe("submit", function()
    it("uploads both files and queues one message", function()
      local ended = submit "right.py"
      assert.equal(0, ended.exit_code, ended.stderr)
      assert.truthy(ended.stdout:find(names().document, 1, true))
      local document = host.json.decode(assert(folder:read("var/bucket/" .. names().document)))
      assert.equal("m.soltys", document.admin)
      assert.same({ token }, { table.unpack(document.tokens) })
      assert.truthy(folder:read("var/bucket/" .. names().source):find("total += int(word)", 1, true))
      local depth = status()
      assert.same({ 1, 0, 0 }, { depth.ready, depth.held, depth.dead })
    end)

    it("refuses a name that can't be part of a key, and uploads nothing", function()
      local ended = run("submit", fixture "sum/submissions/right.py", "--admin", "..", "--event", "e",
        "--assignment", "s", "--token", token)
      assert.equal(2, ended.exit_code)
      assert.truthy(ended.stderr:find("submitter submit: ", 1, true))
      assert.equal(0, status().ready)
    end)

    it("gives up waiting in time, and says what to look at", function()
      local ended = submit("right.py", "--wait", "--timeout", "200ms")
      assert.equal(3, ended.exit_code)
      assert.truthy(ended.stderr:find("submitter serve", 1, true))
    end)

    it("shows the report of what was just handed in, not an older one #cgroup", function()
      install_cases()
      local worker = host.child.start {
        program = host.system.executable(), arguments = { "serve" },
        environment = { SUBMITTER_VAR = folder.var, SUBMITTER_POLICY = fixture "policy", PATH = "/usr/bin:/bin" },
      }
      local first = submit("right.py", "--wait", "--timeout", "30s")
      local second = submit("wrong_negative.py", "--wait", "--timeout", "30s", "--format", "json")
      local again = submit("wrong_negative.py", "--wait", "--timeout", "30s", "--format", "csv")
      worker:kill "TERM"
      local ended = worker:wait()
      assert.equal(0, first.exit_code, first.stderr)
      assert.truthy(first.stdout:find("AC: all passed", 1, true))
      assert.equal(1, second.exit_code, second.stderr)
      assert.equal("WA", host.json.decode(second.stdout).verdict)
      assert.equal(1, again.exit_code, again.stderr)
      assert.truthy(again.stdout:find("^input,expected output,actual output,pass/fail\r\n"))
      assert.equal(0, ended.exit_code)
    end)
  end)

  it("submit grades for the final mark, and says when policy publishes less than was asked for #cgroup", function()
    install_cases()
    folder:write("var/bucket/m.soltys/labs/sum/grading/grade.in", "1 2\n")
    folder:write("var/bucket/m.soltys/labs/sum/grading/grade.out", "3\n")
    folder:write("policy/default.lua", 'return { publish = { "json" } }')
    local worker = host.child.start {
      program = host.system.executable(), arguments = { "serve" },
      environment = { SUBMITTER_VAR = folder.var, SUBMITTER_POLICY = folder.path .. "/policy", PATH = "/usr/bin:/bin" },
    }
    local marked = submit("right.py", "--mode", "grade", "--wait", "--timeout", "30s")
    local no_table = submit("right.py", "--wait", "--timeout", "30s", "--format", "csv")
    folder:write("policy/default.lua", 'return { publish = { "csv" } }')
    local no_json = submit("wrong.py", "--wait", "--timeout", "3s")
    worker:kill "TERM"
    worker:wait()
    assert.equal(0, marked.exit_code, marked.stderr)
    assert.truthy(marked.stdout:find("1 of 1 cases passed", 1, true), marked.stdout)
    assert.truthy(folder:read("var/bucket/" .. names().result:gsub("result", "grade.result")))
    assert.equal(3, no_table.exit_code)
    assert.truthy(no_table.stderr:find("publishes no table", 1, true), no_table.stderr)
    assert.equal(3, no_json.exit_code)
    assert.truthy(no_json.stderr:find("publishes no JSON report", 1, true), no_json.stderr)
  end)

  it("submit shows the report for the final mark where the event was over", function()
    local ended
    local submitting = host.task.spawn("submitting", function()
      ended = submit("right.py", "--wait", "--timeout", "30s", "--format", "csv")
    end)
    local source, document
    for _ = 1, 400 do
      source, document = folder:read("var/bucket/" .. names().source), folder:read("var/bucket/" .. names().document)
      if document then break end
      host.clock.sleep_ms(25)
    end
    local final = "var/bucket/" .. names().result:gsub("%.result%.json$", ".grade")
    folder:write(final .. ".out", "a,b\r\n")
    folder:write(final .. ".result.json", host.json.encode {
      mode = "grade", verdict = "AC", source_sha256 = fingerprint.of(document, source),
    })
    assert(submitting:join())
    assert.equal(0, ended.exit_code, ended.stderr)
    assert.equal("a,b\r\n", ended.stdout)
    assert.matches("graded on the cases for the final mark", ended.stderr, 1, true)
  end)

  it("submit shows why nothing could be graded #cgroup", function()
    install_cases()
    folder:write("var/bucket/m.soltys/labs/sum/grading/test.out", "6\n")
    local worker = host.child.start {
      program = host.system.executable(), arguments = { "serve" },
      environment = { SUBMITTER_VAR = folder.var, PATH = "/usr/bin:/bin" },
    }
    local shown = submit("right.py", "--wait", "--timeout", "30s")
    local csv = submit("right.py", "--wait", "--timeout", "30s", "--format", "csv")
    worker:kill "TERM"
    worker:wait()
    assert.equal(1, shown.exit_code, shown.stderr)
    assert.truthy(shown.stdout:find("IE: ", 1, true))
    assert.truthy(shown.stdout:find("12", 1, true))
    assert.equal(1, csv.exit_code, csv.stderr)
    assert.equal("", csv.stdout)
    assert.truthy(csv.stderr:find("IE: ", 1, true))
  end)

  describe("notify", function()
    local document_key = ("a/e/s/%s/%s.json"):format(token, token)

    local function event(...)
      local records = host.json.array {}
      for _, object_key in ipairs { ... } do
        records[#records + 1] = { eventName = "ObjectCreated:Put", s3 = { object = { key = object_key } } }
      end
      return host.json.encode { Records = records }
    end

    it("queues submission documents and tells why it skips the rest", function()
      local path = folder:write("event.json", event(document_key, "a/e/s/grading/test.in"))
      local ended = run("notify", path)
      assert.equal(0, ended.exit_code, ended.stderr)
      assert.truthy(ended.stdout:find("queued   {\"subdata\":\"" .. document_key, 1, true))
      assert.truthy(ended.stdout:find("skipped  a/e/s/grading/test.in: ", 1, true))
      assert.equal(1, status().ready)
    end)

    it("reads standard input, with or without a byte order mark", function()
      local ended = support.submitter(folder, { "notify", "-" }, { input = "\xEF\xBB\xBF" .. event(document_key) })
      assert.equal(0, ended.exit_code, ended.stderr)
      assert.equal(1, status().ready)
    end)

    it("queues a message as it is", function()
      local body = ('{"mode":"grade","subdata":"%s"}'):format(document_key)
      local ended = support.submitter(folder, { "notify" }, { input = body })
      assert.equal(0, ended.exit_code, ended.stderr)
      assert.equal("queued   " .. body .. "\n", ended.stdout)
      assert.equal(1, status().ready)
    end)

    it("refuses what is no event, and no message", function()
      for _, text in ipairs { "", "not JSON", "[1]", "{}", "3", '{"subdata":"x"}', '{"subdata":1}',
        ('{"subdata":"%s","mode":"final"}'):format(document_key) } do
        local ended = support.submitter(folder, { "notify" }, { input = text })
        assert.equal(2, ended.exit_code, text)
        assert.truthy(ended.stderr:find("submitter notify: ", 1, true))
      end
      assert.equal(0, status().ready)
    end)

    it("queues what can be read, and tells what can't", function()
      local mixed = host.json.decode(event(document_key, document_key))
      mixed.Records[3] = { eventVersion = "3.0" }
      local ended = support.submitter(folder, { "notify" }, { input = host.json.encode(mixed) })
      assert.equal(1, ended.exit_code)
      assert.truthy(ended.stdout:find("queued   {\"subdata\":\"" .. document_key, 1, true))
      assert.truthy(ended.stdout:find("skipped  " .. document_key .. ": the event names it twice", 1, true))
      assert.equal("submitter notify: Records[3]: the eventVersion is \"3.0\"; only 2.x is understood\n", ended.stderr)
      assert.equal(1, status().ready)
    end)

    it("takes a message out of what wraps it", function()
      local body = ('{"mode":"grade","subdata":"%s"}'):format(document_key)
      local ended = support.submitter(folder, { "notify" },
        { input = host.json.encode { Type = "Notification", Message = body } })
      assert.equal(0, ended.exit_code, ended.stderr)
      assert.equal("queued   " .. body .. "\n", ended.stdout)
    end)

    it("says what the queue didn't take", function()
      local function record(fields) return { eventSource = "aws:sqs", body = host.json.encode(fields) } end
      local large = record { subdata = document_key, note = ("x"):rep(300 << 10) }
      local good = record { subdata = document_key, mode = "grade" }
      local ended = support.submitter(folder, { "notify" }, { input = host.json.encode { Records = { large, good } } })
      assert.equal(3, ended.exit_code)
      assert.truthy(ended.stderr:find("a queue takes at most 262144", 1, true), ended.stderr)
      assert.truthy(ended.stderr:find("1 of 2 messages couldn't be queued", 1, true), ended.stderr)
      assert.truthy(ended.stdout:find("queued   ", 1, true))
      assert.equal(1, status().ready)
    end)
  end)

  describe("grade", function()
    local function grade(program, ...)
      return run("grade", fixture("sum/submissions/" .. program), "--in", fixture "sum/test.in",
        "--out", fixture "sum/test.out", "--policy", fixture "policy/default.lua", ...)
    end

    it("exits 0 when all passed #cgroup", function()
      local ended = grade "right.py"
      assert.equal(0, ended.exit_code, ended.stderr)
      assert.truthy(ended.stdout:find("AC: all passed · 12 of 12 cases passed", 1, true))
      assert.equal("", ended.stderr)
    end)

    it("exits 1 and explains what failed #cgroup", function()
      local ended = grade "wrong_negative.py"
      assert.equal(1, ended.exit_code, ended.stderr)
      assert.truthy(ended.stdout:find("case 4  WA", 1, true))
      assert.truthy(ended.stdout:find("expected  0", 1, true))
      assert.truthy(ended.stdout:find("got       5", 1, true))
      assert.is_nil(ended.stdout:find("\27", 1, true))
    end)

    it("prints the whole document #cgroup", function()
      local ended = grade("crashing.py", "--format", "json", "--mode", "grade")
      assert.equal(1, ended.exit_code, ended.stderr)
      local document = host.json.decode(ended.stdout)
      assert.equal(1, document.schema)
      assert.equal("RTE", document.verdict)
      assert.equal("grade", document.mode)
      assert.equal(12, #document.cases)
    end)

    it("prints the table #cgroup", function()
      local ended = grade("right.py", "--format", "csv")
      assert.equal(0, ended.exit_code, ended.stderr)
      assert.truthy(ended.stdout:find("^input,expected output,actual output,pass/fail\r\n1 2 3,6,6,Pass\r\n"))
    end)

    it("takes a folder of pairs #cgroup", function()
      folder:write("cases/one.in", "")
      folder:write("cases/one.out", "0\n")
      folder:write("cases/README", "not a case")
      local ended = run("grade", fixture "sum/submissions/right.py", "--in", folder.path .. "/cases")
      assert.equal(0, ended.exit_code, ended.stderr)
      assert.truthy(ended.stdout:find("1 of 1 cases passed", 1, true))
    end)

    it("runs the program where it is told to, else where the policy says #cgroup", function()
      local config = folder:write("submitter.lua", 'return { runner = docker { image = "a:1", socket = "/none" }, '
        .. "runners = { walls = sandbox {} } }")
      local away = grade("right.py", "--config", config)
      assert.equal(3, away.exit_code, away.stdout)
      assert.truthy(away.stderr:find("engine away: ", 1, true), away.stderr)
      local chosen = folder:write("policy.lua", 'return { runner = "walls" }')
      for _, arguments in ipairs { { "--runner", "sandbox" }, { "--runner", "walls" }, { "--policy", chosen } } do
        local ended = run("grade", fixture "sum/submissions/right.py", "--in", fixture "sum/test.in", "--out",
          fixture "sum/test.out", "--config", config, "--format", "json", table.unpack(arguments))
        assert.equal("sandbox", host.json.decode(ended.stdout).runner.kind, ended.stderr)
      end
      local ended = grade("right.py", "--config", config, "--runner", "docker")
      assert.equal(3, ended.exit_code, ended.stdout)
    end)

    it("names the runners that there are", function()
      local ended = grade("right.py", "--runner", "nowhere")
      assert.equal(2, ended.exit_code)
      assert.truthy(ended.stderr:find('there is no runner "nowhere": say sandbox, docker or one of default', 1, true))
      ended = grade("right.py", "--runner", "docker")
      assert.equal(2, ended.exit_code)
      assert.truthy(ended.stderr:find("SUBMITTER_RUNNER_IMAGE", 1, true))
      local chosen = folder:write("policy.lua", 'return { runner = "walls" }')
      ended = run("grade", fixture "sum/submissions/right.py", "--in", fixture "sum/test.in", "--out",
        fixture "sum/test.out", "--policy", chosen)
      assert.equal(2, ended.exit_code)
      assert.truthy(ended.stderr:find('runner: "walls" is none that the operator allows', 1, true))
    end)

    it("names both numbers when there are more inputs than expected outputs", function()
      local path = folder:write("short.out", "6\n")
      local ended = run("grade", fixture "sum/submissions/right.py", "--in", fixture "sum/test.in", "--out", path)
      assert.equal(2, ended.exit_code)
      assert.truthy(ended.stderr:find("12", 1, true))
      assert.truthy(ended.stderr:find("1", 1, true))
    end)

    it("names the field of a policy that is wrong", function()
      local path = folder:write("policy.lua", "return { limits = { memroy = '1M' } }")
      local ended = run("grade", fixture "sum/submissions/right.py", "--in", fixture "sum/test.in",
        "--out", fixture "sum/test.out", "--policy", path)
      assert.equal(2, ended.exit_code)
      assert.truthy(ended.stderr:find("memroy", 1, true))
    end)

    it("refuses an empty program as its student would be told", function()
      local ended = grade "empty.py"
      assert.equal(1, ended.exit_code, ended.stderr)
      assert.truthy(ended.stdout:find("REJ: the program is empty", 1, true))
    end)
  end)

  it("grade refuses a program that is larger than the service accepts", function()
    local program = folder:write("large.py", "#" .. ("x"):rep(20 << 20))
    local cases = fixture "sum/test.in"
    local ended = run("grade", program, "--in", cases, "--out", cases)
    assert.equal(1, ended.exit_code, ended.stderr)
    assert.truthy(ended.stdout:find("REJ: the program has 20971521 bytes; at most 1048576", 1, true), ended.stdout)
  end)

  it("serve logs as the configuration says from its first line on #cgroup", function()
    local config = folder:write("submitter.lua", ('return { var = %q, log = { format = "human" } }'):format(folder.var))
    folder:write("var/jobs/host-1-abc/note", "left by a worker that died")
    local ended = run("serve", "--once", "--config", config)
    assert.equal(0, ended.exit_code, ended.stderr)
    assert.truthy(ended.stderr:find("jobs_swept", 1, true), ended.stderr)
    assert.is_nil(ended.stderr:find('{"', 1, true), ended.stderr)
  end)

  describe("deadletters", function()
    local function refuse_one()
      support.submitter(folder, { "notify" }, { input = host.json.encode { Records = host.json.array { {
        eventName = "ObjectCreated:Put", s3 = { object = { key = names().document } },
      } } } })
      folder:write("var/bucket/" .. names().document, "{ not JSON \27[31m")
      local served = run("serve", "--once")
      assert.equal(0, served.exit_code, served.stderr)
    end

    local function list()
      return host.json.decode(run("deadletters", "list", "--format", "json").stdout)
    end

    it("has none at first", function()
      local ended = run("deadletters", "list")
      assert.equal(0, ended.exit_code)
      assert.equal("no dead letters\n", ended.stdout)
      assert.equal("[]\n", run("deadletters", "list", "--format", "json").stdout)
      assert.equal(0, run("deadletters", "retry", "--all").exit_code)
    end)

    it("lists, shows, retries and drops #cgroup", function()
      refuse_one()
      local letters = list()
      assert.equal(1, #letters)
      local id = letters[1].id
      assert.truthy(run("deadletters", "list").stdout:find(id, 1, true))
      local shown = run("deadletters", "show", id)
      assert.equal(0, shown.exit_code)
      assert.truthy(shown.stdout:find("JSON", 1, true))
      assert.truthy(shown.stdout:find(names().document, 1, true))
      assert.is_nil(shown.stdout:find("\27", 1, true))

      assert.equal(0, run("deadletters", "retry", id).exit_code)
      local depth = status()
      assert.same({ 1, 0 }, { depth.ready, depth.dead })
      run("serve", "--once")
      assert.equal(1, status().dead)

      assert.equal(0, run("deadletters", "drop", "--all").exit_code)
      depth = status()
      assert.same({ 0, 0 }, { depth.ready, depth.dead })
    end)

    it("retries all that can be, whatever can't #cgroup", function()
      refuse_one()
      -- Received after the other, so it is the younger of two; then the order is turned round.
      local large = ("0"):rep(32)
      folder:write(("var/queue/ready/1700000000000-%s.0.0"):format(large), ("x"):rep(300 << 10))
      run("serve", "--once")
      local path = ("var/queue/dead/%s.json"):format(large)
      folder:write(path, (folder:read(path):gsub('"died_ms": %d+', '"died_ms": 1')))
      assert.equal(large, list()[1].id)
      local ended = run("deadletters", "retry", "--all")
      assert.equal(3, ended.exit_code)
      assert.truthy(ended.stderr:find(large, 1, true), ended.stderr)
      local depth = status()
      assert.same({ 1, 1 }, { depth.ready, depth.dead })
      assert.equal(0, run("deadletters", "drop", large).exit_code)
    end)

    it("aren't disturbed by a file that is none #cgroup", function()
      refuse_one()
      folder:write("var/queue/dead/abc.json", '{"died_ms":1}')
      for _, action in ipairs { "list", "drop" } do
        local ended = run("deadletters", action, table.unpack(action == "drop" and { "--all" } or {}))
        assert.equal(0, ended.exit_code, ended.stderr)
        assert.truthy(ended.stderr:find("remove it by hand", 1, true), ended.stderr)
      end
      assert.equal('{"died_ms":1}', folder:read("var/queue/dead/abc.json"))
    end)

    it("changes nothing when one that is named isn't there #cgroup", function()
      refuse_one()
      local id = list()[1].id
      local ended = run("deadletters", "drop", id, "nothere")
      assert.equal(2, ended.exit_code)
      assert.truthy(ended.stderr:find("nothere", 1, true))
      assert.equal(1, status().dead)
      assert.equal(2, run("deadletters", "drop").exit_code)
      assert.equal(2, run("deadletters", "drop", id, "--all").exit_code)
      assert.equal(2, run("deadletters", "show", "nothere").exit_code)
    end)
  end)

  it("status tells people too", function()
    submit "right.py"
    local ended = run "status"
    assert.equal(0, ended.exit_code, ended.stderr)
    assert.truthy(ended.stdout:find("ready%s+1 "))
    assert.truthy(ended.stdout:find("in flight%s+0 "))
  end)

  it("status names the submissions that are being graded", function()
    run "status"
    folder:write("var/jobs/host-1-ab/" .. token .. ".1/test.in", "1\n")
    folder:write("var/jobs/host-2-cd/" .. token .. ".7/test.in", "1\n")
    -- A worker that lives has its folder locked; the other was killed.
    local lock = assert(folder.directory:lock "var/jobs/host-1-ab/.")
    local now = status()
    assert.equal(1, #now.in_flight)
    assert.equal(token .. ".1", now.in_flight[1].job)
    assert.equal("host-1-ab", now.in_flight[1].worker)
    assert.truthy(run("status").stdout:find(token .. "%.1 +%d+%.%d s +host%-1%-ab"))
    assert.same({ { name = "host-1-ab" } }, { table.unpack(now.workers) })
    assert.truthy(run("status").stdout:find("host%-1%-ab +never"))
    lock:release()
    now = status()
    assert.same({}, { table.unpack(now.in_flight) })
    assert.same({}, { table.unpack(now.workers) })
  end)

  it("status tells when a worker last heard of the queue, and what is wrong with it", function()
    run "status"
    local lock
    local function worker_says(text)
      if lock then lock:release() end
      folder:write("var/jobs/host-1-ab/state.json", text)
      lock = assert(folder.directory:lock "var/jobs/host-1-ab/.")
      return status().workers[1]
    end
    assert.same({ name = "host-1-ab", last_poll = "2023-11-14T22:13:20.000Z", problem = "no route" },
      worker_says '{"last_poll_ms":1700000000000,"problem":"no route"}')
    assert.truthy(run("status").stdout:find("host%-1%-ab +%d+%.%d s +no route"))
    -- Half written, or by somebody else.
    assert.same({ name = "host-1-ab" }, worker_says '{"last_po')
    assert.same({ name = "host-1-ab" }, worker_says '{"last_poll_ms":"x","problem":{}}')
    lock:release()
  end)

  it("doctor tries the sandbox and leaves nothing behind #cgroup", function()
    local ended = run "doctor"
    assert.equal(0, ended.exit_code, ended.stdout .. ended.stderr)
    for _, name in ipairs {
      "programs", "kernel", "namespaces", "apparmor", "control groups", "seccomp", "user ids", "python", "var",
      "bucket", "queue", "policy", "sandbox", "own namespaces", "mounts", "network", "processes", "privileges",
      "system calls", "memory limit", "cpu limit",
    } do
      assert.truthy(ended.stdout:find("ok   " .. name, 1, true), name .. " is missing in:\n" .. ended.stdout)
    end
    for _, entry in ipairs(folder.directory:list "var") do assert.equal("directory", entry.type) end
    assert.same({}, folder.directory:list "var/bucket")
  end)

  it("doctor says what accounting by rlimits costs, and is content with it #rlimit", function()
    local config = folder:write("submitter.lua", ('return { var = %q, accounting = "rlimit" }'):format(folder.var))
    local ended = run("doctor", "--config", config)
    assert.equal(0, ended.exit_code, ended.stdout .. ended.stderr)
    assert.truthy(ended.stdout:find("warn memory limit   enforced for each process alone", 1, true), ended.stdout)
    assert.truthy(ended.stdout:find("ok   cpu limit", 1, true), ended.stdout)
  end)

  it("doctor says what is wrong with an engine, and asks nothing of walls that nobody uses", function()
    local config = folder:write("submitter.lua",
      ('return { var = %q, runner = docker { image = "a:1", socket = %q } }'):format(folder.var,
        folder.path .. "/none"))
    local ended = run("doctor", "--config", config)
    assert.equal(3, ended.exit_code, ended.stdout)
    assert.truthy(ended.stdout:find("fail engine         engine away: " .. folder.path .. "/none", 1, true),
      ended.stdout)
    for _, name in ipairs { "namespaces", "user ids", "python", "control groups", "sandbox", "container" } do
      assert.is_nil(ended.stdout:find("\n%l+%s+" .. name), name)
    end
  end)

  it("doctor tries to write into the bucket, not to list it", function()
    assert(folder.directory:make("var/locks", { parents = true }))
    -- What can be listed but not be written: links that lead nowhere stand where its locks have to be.
    local links = { "-s", "-t", folder.var .. "/locks" }
    for number = 0, 255 do links[#links + 1] = ("nowhere/%02x"):format(number) end
    require("spec.support").make_special("/bin/ln", links)
    local ended = run "doctor"
    assert.equal(3, ended.exit_code, ended.stdout)
    assert.truthy(ended.stdout:find("fail bucket", 1, true), ended.stdout)
  end)
end)
