--- What people, front ends and instructors get wrong, one scenario each, and exactly what has to come of it. Read by
--- bad_input.lua, which hands all of it to one worker at once.
---
--- A scenario has a `name`, and of what it needs:
---
---     document, source   texts; absent: a good one; false: nothing is put there
---     cases              files below grading/, by name: the scenario is then an assignment of its own
---     policy             the text of a policy file for that assignment
---     assignment         its name, where the name itself is the point
---     mode               "grade": what is expected stands under the names of that mode
---     arrange            function(kit, place), for what a bucket's own API would not do
---     body               text or function(place): the message; absent: {"subdata": "<key>"}
---     twice              the message is queued twice
---     expect             of accepted, judged, rejected, refused, unreadable, below
---
--- Texts in expectations are plain: all of them must stand in the reason. "%subid" in them is the scenario's subid.
local host = require "submitter.host"

local scenarios = {}

local MEGA = 1 << 20
local BYTE_ORDER_MARK = "\xEF\xBB\xBF"

--- The program that is right for the cases of most scenarios.
scenarios.right = "import sys\nprint(sum(int(word) for word in sys.argv[1:]))\n"

--- The cases of scenarios that don't bring their own.
scenarios.plain = { ["test.in"] = "1 2\n3 4\n", ["test.out"] = "3\n7\n" }

--- All passed; fields of the result that must be so.
local function accepted(fields)
  return { verdict = "AC", fields = fields or {} }
end

--- Graded with this verdict; the texts are in its reason.
local function judged(verdict, ...)
  return { verdict = verdict, reason = { ... }, fields = {} }
end

--- The submission's own fault: REJ with the reason, in all reports, and a dead letter.
local function rejected(...)
  return { verdict = "REJ", reason = { ... }, class = "rejected", retries = 0 }
end

--- The same of what isn't there: it may be on its way, so it is tried until the limit.
local function missing(...)
  return { verdict = "REJ", reason = { ... }, class = "missing", retries = 2 }
end

--- Not the submission's fault: error.json alone, and a dead letter.
local function refused(class, ...)
  return { error = true, reason = { ... }, class = class, retries = class == "not_found" and 2 or 0 }
end

--- Our own fault, whose reason is the operator's alone to read. `stands`: it shows only when the whole truth is
--- published already.
local function failed(class, stands, ...)
  return { error = true, told = { class }, reason = { ... }, class = class, retries = 2, stands = stands }
end

--- Nobody can be told: a dead letter alone.
local function unreadable(...)
  return { reason = { ... }, class = "message", retries = 0 }
end

local function encode(place, changes)
  local document = {
    subid = place.subid, admin = place.admin, event = place.event, assignment = place.assignment,
    tokens = { place.token },
  }
  for name, value in pairs(changes) do
    if value == "none" then document[name] = nil else document[name] = value end
  end
  return host.json.encode(document)
end

local function changed(changes)
  return function(place) return encode(place, changes) end
end

-- One field that the message gets besides its key.
local function with(name, value)
  return function(place) return host.json.encode { subdata = place.key, [name] = value } end
end

local messages = {
  { name = "message: not JSON", body = "subdata=lab5", expect = unreadable("the message isn't JSON") },
  { name = "message: empty", body = "", expect = unreadable("the message is empty", "expected a JSON object") },
  { name = "message: an array", body = '["subdata"]', expect = unreadable("must be a JSON object", "an array") },
  { name = "message: binary", body = "\0\255\254\1", expect = unreadable("the message isn't JSON") },
  { name = "message: nested without end", body = ("["):rep(100000), expect = unreadable("isn't JSON") },
  { name = "message: without subdata", body = '{"mode":"test"}',
    expect = unreadable("field subdata", "found nothing") },
  { name = "message: subdata is a number", body = '{"subdata":42}', expect = unreadable("subdata", "the number 42") },
  { name = "message: subdata is null", body = '{"subdata":null}', expect = unreadable("subdata", "found null") },
  { name = "message: key outside the form", body = '{"subdata":"a/b/c.json"}',
    expect = unreadable('"a/b/c.json"', "<admin>/<event>/<assignment>/<subid>/<subid>.json") },
  { name = "message: key of a program",
    body = function(place) return host.json.encode { subdata = (place.key:gsub("json$", "py")) } end,
    expect = unreadable("%subid.json", "%subid.py") },
  { name = "message: subid in capitals",
    body = function(place) return host.json.encode { subdata = (place.key:gsub(place.subid, place.subid:upper())) } end,
    expect = unreadable("32 lower-case hexadecimal digits") },
  { name = "message: key with ..",
    body = function(place) return host.json.encode { subdata = "../" .. place.key } end,
    expect = unreadable('segment ".."') },
  { name = "message: key with .. that stays inside",
    body = function(place) return host.json.encode { subdata = (place.key:gsub("^([^/]+)/", "%1/../%1/")) } end,
    expect = unreadable('segment ".."') },
  { name = "message: key with an empty segment",
    body = function(place) return host.json.encode { subdata = "//" .. place.key } end,
    expect = unreadable("empty segment") },
  { name = "message: key with NUL",
    body = function(place) return host.json.encode { subdata = place.key .. "\0" } end,
    expect = unreadable("NUL byte") },
  { name = "message: key of 5,000 bytes",
    body = function(place) return host.json.encode { subdata = ("x"):rep(5000 - #place.key) .. place.key } end,
    expect = unreadable("5000 bytes", "at most 1024") },
  { name = "message: another mode", body = with("mode", "exam"), expect = unreadable("mode", '"exam"') },
  { name = "message: regrade with a slash", body = with("regrade", "../x"), expect = unreadable("regrade", '"../x"') },
  { name = "message: fields nobody knows", body = with("colour", { 1, 2 }), expect = accepted() },
  { name = "message: with a byte order mark",
    body = function(place) return BYTE_ORDER_MARK .. host.json.encode { subdata = place.key } end,
    expect = accepted() },
  { name = "message: a leading slash in the key",
    body = function(place) return host.json.encode { subdata = "/" .. place.key } end, expect = accepted() },
  { name = "message: the bucket's own notification",
    body = function(place)
      return host.json.encode(require("submitter.notify").records(place.key))
    end, expect = accepted() },
  { name = "message: the notification of a key with everything in it", own = true,
    assignment = 'Übung 1+2 %41 "\\?#&=\n',
    body = function(place)
      return host.json.encode(require("submitter.notify").records(place.key))
    end, expect = accepted() },
  { name = "message: names as long as they may be", assignment = ("a"):rep(255), own = true, expect = accepted() },
  { name = "message: mode grade", mode = "grade", body = with("mode", "grade"),
    cases = { ["grade.in"] = "1 2\n", ["grade.out"] = "3\n" }, expect = accepted { total = 1, mode = "grade" } },
  { name = "message: mode grade where there are only test cases", mode = "grade", body = with("mode", "grade"),
    own = true, expect = refused("not_found", "there are no cases", "grading/grade.in") },
  { name = "message: mode grade for an empty program", mode = "grade", body = with("mode", "grade"), source = "",
    expect = rejected("%subid.py is empty") },
  { name = "message: twice", twice = true, expect = accepted { run = 1, attempt = 1 } },
}

local documents = {
  { name = "document: missing", document = false, expect = missing("there is no object", "%subid.json") },
  { name = "document: nothing there at all", document = false, source = false,
    expect = missing("there is no object", "%subid.json") },
  { name = "document: empty", document = "", expect = rejected("the submission document is empty") },
  { name = "document: 50 MB", document = (" "):rep(50 * MEGA),
    expect = rejected("%subid.json", "52428800 bytes", "at most 65536") },
  { name = "document: as large as it may be",
    document = function(place) return encode(place, {}) .. (" "):rep(65536 - #encode(place, {})) end,
    expect = accepted() },
  { name = "document: a byte too large",
    document = function(place) return encode(place, {}) .. (" "):rep(65537 - #encode(place, {})) end,
    expect = rejected("65537 bytes", "at most 65536") },
  { name = "document: not JSON", document = "admin: m.soltys", expect = rejected("submission document isn't JSON") },
  { name = "document: cut off", document = function(place) return encode(place, {}):sub(1, -3) end,
    expect = rejected("submission document isn't JSON") },
  { name = "document: an array", document = "[]", expect = rejected("must be a JSON object") },
  { name = "document: subid is a number", document = changed { subid = 7 },
    expect = rejected("subid must be a text", "the number 7") },
  { name = "document: admin is an object", document = changed { admin = { name = "x" } },
    expect = rejected("admin must be a text", "an object") },
  { name = "document: tokens is a text", document = changed { tokens = "240669d4326dea48bba75e066b90b76f" },
    expect = rejected("tokens must be an array") },
  { name = "document: a token is no token", document = changed { tokens = { "240669d4326dea48bba75e066b90b76g" } },
    expect = rejected("tokens[1]", "32 hexadecimal digits") },
  { name = "document: no tokens", document = changed { tokens = host.json.array {} },
    expect = rejected("tokens is empty") },
  { name = "document: without assignment", document = changed { assignment = "none" },
    expect = rejected("assignment (or problem) is missing") },
  { name = "document: event disagrees with the key", document = changed { event = "autumn" },
    expect = rejected('event is "autumn"', 'its key says "spring"') },
  { name = "document: subid disagrees with the key", document = changed { subid = ("0"):rep(32) },
    expect = rejected("subid is", "its key says", "%subid") },
  { name = "document: two names that differ", document = changed { problem = "other" },
    expect = rejected("assignment and problem", "differ") },
  { name = "document: the other names of two fields",
    document = function(place)
      return encode(place, {
        subid = "none", submissionid = place.subid, assignment = "none", problem = place.assignment,
      })
    end, expect = accepted() },
  { name = "document: with a byte order mark",
    document = function(place) return BYTE_ORDER_MARK .. encode(place, {}) end, expect = accepted() },
  { name = "document: a folder in its place", document = false,
    arrange = function(kit, place) kit.folder(place.key) end, expect = missing("is no object but a folder") },
  { name = "document: a link to another's", document = false,
    arrange = function(kit, place) kit.link("../../../../../submitter.lua", place.key) end,
    expect = missing("no object but a folder, link or device") },
}

local sources = {
  { name = "program: missing", source = false, expect = missing("there is no object", "%subid.py") },
  { name = "program: empty", source = "", expect = rejected("%subid.py is empty") },
  { name = "program: 50 MB", source = "#" .. ("x"):rep(50 * MEGA - 1),
    expect = rejected("%subid.py", "52428800 bytes", "at most 1048576") },
  { name = "program: as large as it may be", source = scenarios.right .. ("#"):rep(MEGA - #scenarios.right),
    expect = accepted() },
  { name = "program: a byte too large", source = scenarios.right .. ("#"):rep(MEGA + 1 - #scenarios.right),
    expect = rejected("1048577 bytes", "at most 1048576") },
  { name = "program: binary", source = "\x7FELF\2\1\1\0\0\0\0",
    expect = rejected("%subid.py is no Python source", "NUL byte at offset 7") },
  { name = "program: UTF-16", source = "\255\254" .. scenarios.right:gsub(".", "%0\0"),
    expect = rejected("NUL byte at offset 3", "save it as UTF-8") },
  { name = "program: invalid UTF-8", source = "print('\255')\n", expect = judged("RTE", "exit code 1") },
  { name = "program: with a byte order mark", source = BYTE_ORDER_MARK .. scenarios.right, expect = accepted() },
  { name = "program: another declared encoding", source = "# coding: latin-1\n# \xE9\n" .. scenarios.right,
    expect = accepted() },
  { name = "program: a folder in its place", source = false,
    arrange = function(kit, place) kit.folder(place.names.source) end, expect = missing("is no object but a folder") },
  { name = "program: a link out of the bucket", source = false,
    arrange = function(kit, place) kit.link("/etc/hostname", place.names.source) end,
    expect = missing("%subid.py", "no object but a folder, link or device") },
  { name = "program: a FIFO", source = false,
    arrange = function(kit, place) kit.fifo(place.names.source) end,
    expect = missing("no object but a folder, link or device") },
  { name = "reports: links where they are to stand",
    arrange = function(kit, place)
      for _, name in ipairs { "result", "out", "error" } do kit.link(kit.victim, place.names[name]) end
    end, expect = accepted() },
  { name = "reports: the folder of the whole truth is a link", cases = scenarios.plain,
    arrange = function(kit, place) kit.link(kit.outside, place.names.grading .. "results") end,
    expect = failed("invalid_key", false, "results/%subid.json", "can't be written", "link") },
  { name = "reports: a folder with something in it where the table is to stand", own = true,
    arrange = function(kit, place) kit.folder(place.names.out .. "/something") end,
    expect = failed("invalid_key", true, '%subid.out" can\'t be written', "objects below that key") },
  { name = "reports: the submission's folder is a link", document = false, source = false,
    arrange = function(kit, place) kit.link(kit.outside, (place.key:match "^(.*)/")) end,
    expect = { reason = { "no object but a folder, link or device", "this couldn't be published" }, class = "missing",
      retries = 2, truth = true } },
}

-- Prints how many arguments it got.
local count = "import sys\nprint(len(sys.argv) - 1)\n"
-- Prints how long its standard input is.
local measure = "import sys\nprint(len(sys.stdin.read().strip()))\n"
local as_stdin = 'return { input = "stdin" }'

local cases = {
  { name = "cases: missing", cases = {}, expect = refused("not_found", "there are no cases", "grading/test.in") },
  { name = "cases: expected outputs missing", cases = { ["test.in"] = "1\n" },
    expect = refused("not_found", "grading/test.out is not there", "grading/test.in is") },
  { name = "cases: unequal", cases = { ["test.in"] = "1\n2\n3\n", ["test.out"] = "1\n2\n" },
    expect = refused("instructor", "test.in has 3 lines", "test.out has 2") },
  { name = "cases: empty", cases = { ["test.in"] = "", ["test.out"] = "" },
    expect = refused("instructor", "are empty", "there is no case") },
  { name = "cases: an unended quote", cases = { ["test.in"] = '1\n"2\n', ["test.out"] = "1\n2\n" },
    expect = refused("instructor", "case 2", "words", 'input = "line"') },
  { name = "cases: a NUL in a line", cases = { ["test.in"] = "1\n2\0\n", ["test.out"] = "1\n2\n" },
    expect = refused("instructor", "case 2", "NUL") },
  { name = "cases: one line of 10 MB",
    cases = { ["test.in"] = "1\n" .. ("1"):rep(10 * MEGA) .. "\n", ["test.out"] = "1\n1\n" },
    expect = refused("instructor", "case 2", "10485760 bytes", "131071", 'input = "stdin"') },
  { name = "cases: one line of 10 MB in words",
    cases = { ["test.in"] = ("1234567 "):rep(10 * MEGA // 8), ["test.out"] = "1\n" },
    expect = refused("instructor", "case 1", "1310720 arguments", 'input = "stdin"') },
  { name = "cases: more words than can be handed over",
    cases = { ["test.in"] = ("1 "):rep(70000), ["test.out"] = "70000\n" },
    expect = refused("instructor", "case 1", "70000 arguments", "65536", 'input = "stdin"') },
  { name = "cases: one line of 10 MB on standard input", policy = as_stdin, source = measure,
    cases = { ["test.in"] = ("1"):rep(10 * MEGA), ["test.out"] = tostring(10 * MEGA) }, expect = accepted() },
  { name = "cases: one expectation of 10 MB", source = "print('x' * 10485760)\n",
    policy = 'return { limits = { output = "12M", memory = "96M", wall = "5s", cpu = "2s" } }',
    cases = { ["test.in"] = "\n", ["test.out"] = ("x"):rep(10 * MEGA) }, expect = accepted() },
  { name = "cases: an expectation of 10 MB that isn't met",
    cases = { ["test.in"] = "1\n", ["test.out"] = ("x"):rep(10 * MEGA) }, expect = judged("WA", "case 1") },
  { name = "cases: 300 lines", expect = accepted { total = 300, passed = 300 },
    cases = { ["test.in"] = ("1 2\n"):rep(300), ["test.out"] = ("3\n"):rep(300) } },
  { name = "cases: lines that end in CR LF", cases = { ["test.in"] = "1 2\r\n3 4\r\n", ["test.out"] = "3\r\n7\r\n" },
    expect = accepted { total = 2 } },
  { name = "cases: byte order marks in front", expect = accepted { total = 2 },
    cases = { ["test.in"] = BYTE_ORDER_MARK .. "1 2\r\n3 4\r\n", ["test.out"] = BYTE_ORDER_MARK .. "3\r\n7\r\n" } },
  { name = "cases: an empty line in between", source = count,
    cases = { ["test.in"] = "1 2\n\n3\n", ["test.out"] = "2\n0\n1" }, expect = accepted { total = 3 } },
  { name = "cases: a folder where the lines should be", cases = {},
    arrange = function(kit, place)
      kit.folder(place.names.cases_in)
      kit.folder(place.names.cases_out)
    end, expect = refused("not_found", "there are no cases") },
  { name = "cases: a link out of the bucket", cases = { ["test.out"] = "x\n" },
    arrange = function(kit, place) kit.link("/etc/hostname", place.names.cases_in) end,
    expect = refused("not_found", "test.in is not there") },
  { name = "cases: the folder of grading is a link", cases = {},
    arrange = function(kit, place) kit.link("../plain/grading", (place.names.grading:gsub("/$", ""))) end,
    expect = refused("not_found", "there are no cases") },
  { name = "cases: pairs of files", source = measure, expect = accepted { total = 3 },
    cases = {
      ["test/1.in"] = "abc\n", ["test/1.out"] = "3", ["test/2.in"] = "", ["test/2.out"] = "0\n",
      ["test/10.in"] = ("x"):rep(MEGA), ["test/10.out"] = "1048576", ["test/readme.txt"] = "no case",
    } },
  { name = "cases: a file without its pair", source = measure,
    cases = { ["test/a.in"] = "1", ["test/a.out"] = "1", ["test/b.out"] = "2" },
    expect = refused("instructor", "b.out has no b.in") },
  { name = "cases: a link among the pairs", source = measure, cases = { ["test/a.out"] = "1" },
    arrange = function(kit, place) kit.link("/etc/hostname", place.names.cases_folder .. "a.in") end,
    expect = refused("instructor", "a.out has no a.in") },
}

local endless = "return { points = function(case) while true do end end }"

local policies = {
  { name = "policy: syntax", policy = "return { limits = ", expect = refused("policy", "%assignment.lua:1:") },
  { name = "policy: an unknown field", policy = 'return { limitz = { cpu = "1s" } }',
    expect = refused("policy", "limitz", "unknown field", 'did you mean "limits"?') },
  { name = "policy: a number without its unit", policy = "return { limits = { cpu = 2 } }",
    expect = refused("policy", "limits.cpu", "with its unit") },
  { name = "policy: no table", policy = "limits = 3", expect = refused("policy", "returns a table") },
  { name = "policy: an endless loop", policy = "while true do end",
    expect = refused("policy", "takes longer to load") },
  { name = "policy: an endless loop in a function", policy = endless,
    expect = refused("policy", "points", "takes longer than a policy may") },
  { name = "policy: over the ceiling", policy = 'return { limits = { memory = "4G" } }',
    expect = refused("policy", "limits.memory", "4G", "1G that the operator allows") },
  { name = "policy: an error of a megabyte", policy = 'error(("x"):rep(1000000))', expect = refused("policy", "xxx") },
  { name = "policy: reaching for files", policy = 'return { name = io.open("/etc/passwd") }',
    expect = refused("policy", "%assignment.lua:1:") },
}

--- All of them, in the order in which they are queued.
scenarios.all = {}
for _, group in ipairs { messages, documents, sources, cases, policies } do
  for _, one in ipairs(group) do
    one.own = one.own or one.cases ~= nil or one.policy ~= nil
    scenarios.all[#scenarios.all + 1] = one
  end
end

return scenarios
