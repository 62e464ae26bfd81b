--- `submitter results`: by the real program on an embedded bucket; with a database, in this process.
local command = require "submitter.cli.results"
local fake_database = require "spec.fake.database"
local fake_store = require "spec.fake.store"
local host = require "submitter.host"
local options = require "submitter.cli.options"
local path = require "submitter.path"
local shared = require "spec.support"
local sql = require "submitter.database.statements.gradebook"
local submission = require "submitter.submission"
local support = require "spec.cli.support"

local one, other = ("1"):rep(32), ("2"):rep(32)

describe("submitter results", function()
  local folder
  before_each(function() folder = support.folder() end)
  after_each(function() folder.remove_all() end)

  local function run(...)
    local ended = support.submitter(folder, { "results", ... })
    assert.equal(0, ended.exit_code, ended.stderr)
    return ended.stdout, ended.stderr
  end

  local function hand_in(subid)
    folder:write(("var/bucket/a/e/s/%s/%s.json"):format(subid, subid), submission.encode {
      subid = subid, admin = "a", event = "e", assignment = "s", tokens = { ("a"):rep(32), ("b"):rep(32) },
    })
  end

  before_each(function()
    hand_in(one)
    hand_in(other)
    folder:write("var/bucket/a/e/s/grading/results/" .. one .. ".json", host.json.encode {
      schema = 1, verdict = "WA", points = 1.5, max_points = 3, attempt = 2, run = 1, cases = host.json.array {},
      submitted_at = "2026-01-01T00:00:00.000Z",
    })
  end)

  it("shows the bucket's book as a table, CSV and JSON", function()
    local lines = {}
    for line in run("a/e"):gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal(3, #lines)
    assert.matches("^assignment +mode +verdict +points +attempt +submitted +subid +note$", lines[1])
    assert.matches("^s +test +WA +1%.5/3 +2/2 +2026%-01%-01T00:00:00%.000Z +" .. one .. "$", lines[2])
    assert.matches("^s +test +" .. other .. " +not graded yet$", lines[3])
    assert.equal("email,name,event,assignment,mode,verdict,points,max_points,attempt,attempts,submitted_at,late,subid,"
      .. "tokens,note\r\n,,e,s,test,WA,1.5,3,2,2,2026-01-01T00:00:00.000Z,," .. one .. ",2,\r\n,,e,s,test,,,,,0,,,"
      .. other .. ",2,not graded yet\r\n", (run("a/e", "--format", "csv")))
    local list = assert(host.json.decode((run("a/e/s/" .. one, "--format", "json"))))
    assert.equal(1, #list)
    assert.same({ one, 1.5, 2 }, { list[1].subid, list[1].points, list[1].tokens })
  end)

  it("shows what a path is about, and one mode", function()
    local text = run("a", "--mode", "grade")
    assert.matches("^event +assignment +mode", text)
    assert.is_nil(text:find("WA", 1, true))
    assert.matches("^mode ", (run "a/e/s"))
  end)

  it("says that there is nothing", function()
    local text, errors = run "a/nothing"
    assert.same({ "", "nothing is known of a/nothing: no submission\n" }, { text, errors })
    assert.equal("[]\n", (run("a/nothing", "--format", "json")))
    assert.matches("^email,[^\n]+\r\n$", (run("a/nothing", "--format", "csv")))
  end)

  it("refuses what it can't do, and says why", function()
    for _, case in ipairs {
      { { "a/e/s/x" }, "is no subid" }, { { "a", "--format", "xml" }, "'xml' is not one of: table, csv, json" },
      { { "a", "--mode", "x" }, "'x' is not one of" }, { {}, "PATH" },
    } do
      local ended = support.submitter(folder, { "results", table.unpack(case[1]) })
      assert.equal(2, ended.exit_code)
      assert.matches(case[2], ended.stderr, 1, true)
    end
  end)

  describe("with a database", function()
    local database, rows
    before_each(function()
      database, rows = fake_database.open(), {
        { email = "ann@example.org", name = "=Ann\27[31m\u{202E}", event = "e", assignment = "s", mode = "test",
          verdict = "AC", points = 3.0, max_points = 3.0, attempt = 2, attempts = 5, submitted_at = 1767225600000,
          late = true, subid = one, tokens = 1, unknown_tokens = 0 },
        { email = "bob@example.org", name = "Bob", event = "e", assignment = "s", mode = "test", attempts = 0 },
      }
      database:answer(sql.read_assignments, {})
      database:answer(sql.read_book, function() return rows end)
    end)

    local function show(format)
      local services = { configuration = { policy = { from_bucket = false, limits = {} } }, store = fake_store.open(),
        database = database }
      local restore = shared.replace(options, { with_services = function(_, parts, body)
        assert.same({ "store", "policies", "database" }, parts)
        return body(services)
      end })
      local returned, text, errors, code, message, kind = pcall(support.capture, command.run,
        { path = assert(path.parse "a/e/s"), format = format })
      restore()
      assert(returned, text)
      return text, errors, code, message, kind
    end

    it("shows students, and no byte of theirs that steers a terminal", function()
      local text, _, code = show "table"
      assert.equal(0, code)
      assert.matches("ann@example.org", text, 1, true)
      assert.matches("=Ann\\e[31m\\u{202e}", text, 1, true)
      assert.is_nil(text:find "[\27\r]")
      assert.matches("AC +3/3 +2/5 +2026%-01%-01T00:00:00%.000Z +late", text)
      assert.matches("bob@example.org +Bob +test +nothing handed in", text)
    end)

    it("guards their names in CSV and leaves them in JSON", function()
      assert.matches("\r\nann@example.org,'=Ann", (show "csv"), 1, true)
      assert.equal("=Ann\27[31m\u{202E}", assert(host.json.decode((show "json")))[1].name)
    end)

    it("says that it knows nobody, that the server is away, that the book is too large", function()
      rows = {}
      local text, errors = show "table"
      assert.same({ "", "nothing is known of a/e/s: no submission and no student\n" }, { text, errors })
      database.trouble = function() return "the server is away", "unavailable" end
      local _, _, code, message, kind = show "table"
      assert.same({ "the server is away", "unavailable" }, { message, kind })
      assert.is_nil(code)
      database.trouble = function() return "more than that", "too_large" end
      _, _, _, _, kind = show "csv"
      assert.equal("usage", kind)
    end)
  end)
end)
