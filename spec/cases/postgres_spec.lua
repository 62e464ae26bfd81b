local host = require "submitter.host"
local identity = require "submitter.cases.identity"
local key = require "submitter.key"
local limits = require "submitter.cases.limits"
local postgres = require "submitter.cases.postgres"
local sql = require "submitter.database.statements.cases"

local fake = require "spec.fake.database"

local subid = ("a"):rep(32)

local function asked(assignment, mode, admin)
  local location = assert(key.location(admin or "a", "e", assignment or "s", subid))
  return { location = location, mode = mode or "test", names = key.names(location, mode or "test") }
end

describe("cases in PostgreSQL", function()
  local database, source, assignments
  before_each(function()
    database = fake.open()
    source = postgres.source { database = database }
    assignments = {
      s = { id = 5, version = 1, rows = { { position = 1, form = "line", input = "1 2", expected = "3" } } },
    }
    -- As the statement is meant: one row at least, no case where what is known is the same.
    database:answer(sql.read_cases, function(parameters)
      local _, _, name, mode, known_id, known_version, most = table.unpack(parameters)
      local assignment = assignments[name]
      local head = { has_administrator = true, has_event = true, assignment_id = assignment and assignment.id,
        version = assignment and assignment.version }
      local rows = {}
      local is_known = assignment and assignment.id == known_id and assignment.version == known_version
      for index, row in ipairs(assignment and not is_known and mode == "test" and assignment.rows or {}) do
        if index > most then break end
        local copy = {}
        for _, part in ipairs { head, row } do
          for field, value in pairs(part) do copy[field] = value end
        end
        rows[index] = copy
      end
      if #rows == 0 then rows[1] = head end
      return rows
    end)
  end)

  local function cases_sent()
    local sent = {}
    for index, call in ipairs(database.calls) do sent[index] = call.parameters[5] ~= 0 end
    return sent
  end

  it("are the rows, in order, whole", function()
    assignments.s.rows = {
      { position = 2, form = "line", input = "1\n2", expected = "3\n" },
      { position = 5, form = "file", name = "large", input = "x", expected = "y", points = 2.0, visibility = "hidden" },
      { position = 6, form = "line", input = "", expected = "", points = 0.5 },
    }
    local found = assert(source:read(asked()))
    local list = {
      { number = 2, form = "line", input = "1\n2", expected = "3\n" },
      { number = 5, form = "file", name = "large", input = "x", expected = "y", points = 2, visibility = "hidden" },
      { number = 6, form = "line", input = "", expected = "", points = 0.5 },
    }
    assert.are.same(list, found.cases)
    assert.are.equal("integer", math.type(found.cases[2].points))
    assert.are.equal(identity.sha256(list), found.sha256)
    assert.are.equal("postgres", found.source)
  end)

  it("are asked for by names and mode, in one query that may be sent again", function()
    assert(source:read(asked()))
    assert.are.equal(1, #database.calls)
    assert.are.same({ "a", "e", "s", "test", 0, 0, limits.cases + 1 }, database.calls[1].parameters)
    assert.is_true(database.calls[1].options.safe)
    assert.is_true(database.calls[1].options.limit_bytes >= limits.all_bytes)
  end)

  it("are kept while nothing changed, and at once the new ones when something did", function()
    local first = assert(source:read(asked()))
    assert.are.equal(first, (source:read(asked())))
    assert.are.same({ false, true }, cases_sent())
    assignments.s.rows[1].expected, assignments.s.version = "4", 2
    assert.are.equal("4", assert(source:read(asked())).cases[1].expected)
    assert.are.equal(3, #database.calls)
    assert.are.equal(2, (assert(source:read(asked())) and database.calls[4].parameters[6]))
    -- Deleted and made anew: another assignment, although its version may be the same.
    assignments.s = { id = 6, version = 2, rows = { { position = 1, form = "line", input = "9", expected = "9" } } }
    assert.are.equal("9", assert(source:read(asked())).cases[1].input)
  end)

  it("are forgotten when they are gone", function()
    assert(source:read(asked()))
    local before = assignments.s
    assignments.s = nil
    assert.are.equal("not_found", select(3, source:read(asked())))
    assert.are.equal(0, source.held_bytes)
    assignments.s = before
    assert.are.equal(1, #assert(source:read(asked())).cases)
  end)

  it("that are missing are named, the outermost first", function()
    local function message_for(row)
      database:answer(sql.read_cases, { row })
      local found, message, code = source:read(asked(nil, "grade", "m. \1"))
      assert.is_nil(found)
      assert.are.equal("not_found", code)
      assert.matches("submitter cases import", message, 1, true)
      return message
    end
    assert.matches('in the database there is no administrator "m. \\x01";', message_for {}, 1, true)
    assert.matches('administrator "m. \\x01" has no event "e"', message_for { has_administrator = true }, 1, true)
    assert.matches('event "e" of "m. \\x01" has no assignment "s"',
      message_for { has_administrator = true, has_event = true }, 1, true)
    assert.matches('assignment "m. \\x01/e/s" has no cases of mode grade',
      message_for { has_administrator = true, has_event = true, assignment_id = 1, version = 1 }, 1, true)
  end)

  it("are asked for by the name that the database has for one that isn't UTF-8", function()
    local found, message, code = source:read(asked("s\xff"))
    assert.is_nil(found)
    assert.are.equal("not_found", code)
    assert.matches('no assignment "s\\xff"', message, 1, true)
    assert.are.equal("s\\xff", database.calls[1].parameters[3])
  end)

  it("that can't be read aren't kept, and why is passed on", function()
    local trouble = true
    database.trouble = function() if trouble then return "no route", "unavailable" end end
    assert.are.same({ nil, "no route", "unavailable" }, { source:read(asked()) })
    trouble = false
    assert(source:read(asked()))
    trouble = true
    -- Also what is known already counts only when the version was asked.
    assert.are.same({ nil, "no route", "unavailable" }, { source:read(asked()) })
    trouble = false
    assert(source:read(asked()))
    assert.are.same({ false, false, true, true }, cases_sent())
  end)

  it("are the instructor's to mend where they are too many or too large", function()
    database.trouble = function() return "more than it may be", "too_large" end
    local _, message, code = source:read(asked())
    assert.are.equal("instructor", code)
    assert.matches('the test cases of "a/e/s" in the database are more than 134217728 bytes together', message, 1, true)
    database.trouble = function() end
    assignments.s.rows = {}
    for position = 1, 4 do
      assignments.s.rows[position] = { position = position, form = "line", input = ("x"):rep(40 << 20), expected = "" }
    end
    _, message, code = source:read(asked())
    assert.are.equal("instructor", code)
    assert.matches("more than 134217728 bytes", message, 1, true)
    for position = 1, limits.cases + 1 do
      assignments.s.rows[position] = { position = position, form = "line", input = "", expected = "" }
    end
    _, message, code = source:read(asked())
    assert.are.equal("instructor", code)
    assert.matches("more than 100000: that is the most", message, 1, true)
    assignments.s.rows[limits.cases + 1] = nil
    assert.are.equal(limits.cases, #assert(source:read(asked())).cases)
  end)

  it("are kept within bounds, the least used going first", function()
    local small = postgres.source { database = database, cache_bytes = 3000 }
    for _, name in ipairs { "p", "q", "r" } do
      assignments[name] = { id = name:byte(), version = 1,
        rows = { { position = 1, form = "line", input = ("x"):rep(1000), expected = "" } } }
    end
    local function is_known(name)
      assert(small:read(asked(name)))
      return database.calls[#database.calls].parameters[5] ~= 0
    end
    assert.is_false(is_known "p")
    assert.is_false(is_known "q")
    assert.is_true(is_known "p")
    assert.is_false(is_known "r")
    assert.is_true(is_known "p")
    assert.is_false(is_known "q")
    assert.is_true(small.held_bytes <= 3000)
    assignments.p.rows[1].input, assignments.p.version = ("x"):rep(3000), 2
    assert.are.equal(3000, #assert(small:read(asked "p")).cases[1].input)
    assert.is_false(is_known "p")
  end)

  it("are read once for submissions that ask at the same moment", function()
    local gate, answer = host.task.event(), database.answers[sql.read_cases]
    database:answer(sql.read_cases, function(...)
      gate:wait()
      return answer(...)
    end)
    local tasks = {}
    for index = 1, 10 do
      tasks[index] = host.task.spawn("asks", function() return source:read(asked()) end)
      if index == 5 then host.clock.sleep_ms(5) end
    end
    host.clock.sleep_ms(5)
    gate:set()
    local first
    for _, one in ipairs(tasks) do
      local ended, found = one:join()
      assert.is_true(ended)
      first = first or found
      assert.are.equal(first, found)
    end
    -- One brings the cases; those who came when it was under way ask once whether anything has changed since.
    assert.are.same({ false, true }, cases_sent())
  end)

  it("are of the assignment and mode that were asked for", function()
    assignments.t = { id = 6, version = 1, rows = { { position = 1, form = "line", input = "t", expected = "" } } }
    assert.are.equal("t", assert(source:read(asked "t")).cases[1].input)
    assert.are.equal("1 2", assert(source:read(asked "s")).cases[1].input)
    assert.are.equal("not_found", select(3, source:read(asked("s", "grade"))))
  end)

  it("want a database and nothing unknown", function()
    assert.has_error(function() postgres.source {} end)
    assert.has_error(function() postgres.source { database = database, cache = 1 } end)
  end)
end)
