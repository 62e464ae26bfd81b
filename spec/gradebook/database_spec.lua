local database = require "submitter.gradebook.database"
local fake_database = require "spec.fake.database"
local path = require "submitter.path"
local sql = require "submitter.database.statements.gradebook"

describe("the grade book of a database", function()
  local pool, book, rules
  before_each(function()
    pool, book, rules = fake_database.open(), {}, { s = "latest", t = "best" }
    pool:answer(sql.read_assignments, { { event = "e", assignment = "s" }, { event = "e", assignment = "t" } })
    pool:answer(sql.read_book, function() return book end)
  end)

  local function rows(text, mode)
    return database.rows {
      database = pool, path = assert(path.parse(text or "a")), mode = mode,
      rule = function(location)
        assert.are.equal("a", location.admin)
        assert.are.equal("e", location.event)
        local rule = rules[location.assignment]
        if not rule then return nil, "the policy is broken", "policy" end
        return rule
      end,
    }
  end

  it("asks for what the path names, with the assignments where the best attempt counts", function()
    local subid = ("1"):rep(32)
    assert(rows("a/e/s/" .. subid, "grade"))
    assert.are.same({ "a", "e", "s" }, pool:asked(sql.read_assignments)[1].parameters)
    assert.are.same({ "a", "e", "s", subid, "grade", { "e/t" } }, pool:asked(sql.read_book)[1].parameters)
    assert(rows())
    assert.are.same({ "a", "", "", "", "", { "e/t" } }, pool:asked(sql.read_book)[2].parameters)
  end)

  it("asks by the names that the database has for those that aren't UTF-8", function()
    pool:answer(sql.read_assignments, {})
    assert(rows "a\xff/e/s\xfe")
    assert.are.same({ "a\\xff", "e", "s\\xfe" }, pool:asked(sql.read_assignments)[1].parameters)
    assert.are.same({ "a\\xff", "e", "s\\xfe", "", "", {} }, pool:asked(sql.read_book)[1].parameters)
  end)

  it("makes rows of rows", function()
    book[1] = {
      email = "ann@example.org", name = "Ann", event = "e", assignment = "s", mode = "test", verdict = "WA",
      points = 2.0, max_points = 3.0, attempt = 1, attempts = 2, submitted_at = 1767225600000, late = true,
      subid = ("1"):rep(32), tokens = 2, unknown_tokens = 0,
    }
    assert.are.same({ {
      email = "ann@example.org", name = "Ann", event = "e", assignment = "s", mode = "test", verdict = "WA",
      points = 2.0, max_points = 3.0, attempt = 1, attempts = 2, submitted_ms = 1767225600000, late = true,
      subid = ("1"):rep(32), tokens = 2,
    } }, rows())
  end)

  it("notes what the figures don't say", function()
    local subid = ("1"):rep(32)
    book = {
      { event = "e", assignment = "s", mode = "test", attempts = 0 },
      { event = "e", assignment = "s", mode = "test", attempts = 1, subid = subid, tokens = 1, unknown_tokens = 1 },
      { event = "e", assignment = "s", mode = "test", attempts = 1, subid = subid, tokens = 3, unknown_tokens = 2,
        failure_class = "instructor" },
    }
    local notes = {}
    for index, row in ipairs(assert(rows())) do notes[index] = row.note end
    assert.are.same({
      "nothing handed in", "1 token unknown", "last grading failed: instructor; 2 tokens unknown",
    }, notes)
  end)

  it("makes no book by another rule than the policy's", function()
    rules.t = nil
    local found, message, code = rows()
    assert.are.same({ nil, "the policy is broken", "policy" }, { found, message, code })
    assert.are.same({}, pool:asked(sql.read_book))
  end)

  it("fails where the database does", function()
    for _, statement in pairs(sql) do
      pool.trouble = function(call)
        if call.sql == statement then return "the server is away", "unavailable" end
      end
      local found, message, code = rows()
      assert.are.same({ nil, "the server is away", "unavailable" }, { found, message, code })
    end
  end)

  it("says what to do about a book that is too large", function()
    pool.trouble = function(call)
      if call.sql == sql.read_book then return "the result has more than 268435456 bytes", "too_large" end
    end
    local found, message, code = rows()
    assert.is_nil(found)
    assert.matches("name an event or an assignment", message, 1, true)
    assert.are.equal("too_large", code)
  end)
end)
