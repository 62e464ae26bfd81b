local host = require "submitter.host"
local limits = require "submitter.cases.limits"
local replace = require "submitter.cases.postgres_replace"
local sql = require "submitter.database.statements.cases"

local fake = require "spec.fake.database"

local place = { admin = "a", event = "e", assignment = "s" }

local function line(number, input, expected, fields)
  local made = { number = number, form = "line", input = input, expected = expected }
  for name, value in pairs(fields or {}) do made[name] = value end
  return made
end

-- As standing_cases tells it.
local function row(case)
  return {
    position = case.number, name = case.name, form = case.form, points = case.points and case.points + 0.0,
    visibility = case.visibility, input_sha256 = host.digest.sha256(case.input),
    expected_sha256 = host.digest.sha256(case.expected),
  }
end

describe("replacing cases in the database", function()
  local database, is_new
  before_each(function()
    database, is_new = fake.open(), { administrator = 0, event = 0, assignment = 0 }
    for _, what in ipairs { "administrator", "event", "assignment" } do
      database:answer(sql["make_" .. what], function() return { rows = {}, count = is_new[what] } end)
    end
    database:answer(sql.lock_assignment, { { id = 5 } })
    database:answer(sql.standing_cases, {})
    database:answer(sql.delete_cases, { rows = {}, count = 0 })
    database:answer(sql.copy_cases, {})
  end)

  local function standing(...)
    local rows = {}
    for index, case in ipairs { ... } do rows[index] = row(case) end
    database:answer(sql.standing_cases, rows)
    database:answer(sql.delete_cases, { rows = {}, count = #rows })
  end

  local function copied()
    local calls = database:asked(sql.copy_cases)
    return calls[1] and calls[1].rows
  end

  it("writes a name that isn't UTF-8 as whoever records results does", function()
    is_new.administrator = 1
    local done = assert(replace(database, { admin = "a\xff", event = "e", assignment = "s\xfe" }, "test",
      { line(1, "1", "2") }))
    assert.are.same({ "administrator a\\xff" }, done.made)
    assert.are.same({ "a\\xff", "e", "s\\xfe" }, database:asked(sql.lock_assignment)[1].parameters)
  end)

  it("puts them there in one transaction", function()
    local null = host.postgres.null
    local whole = { form = "file", name = "n", points = 2, visibility = "hidden" }
    local list = { line(1, "1\n2", ""), line(2, "x", "y", whole) }
    assert.are.same({ made = {}, replaced = 0, own = 0, unchanged = false }, replace(database, place, "grade", list))
    assert.are.same({
      { 5, "grade", 1, null, "line", "1\n2", "", null, null }, { 5, "grade", 2, "n", "file", "x", "y", 2, "hidden" },
    }, copied())
    assert.are.same({ "committed" }, database.ended)
    for _, call in ipairs(database.calls) do assert.are.equal(1, call.transaction) end
    assert.are.same({ 5, "grade", limits.cases + 1 }, database:asked(sql.standing_cases)[1].parameters)
    assert.are.same({ 5, "grade" }, database:asked(sql.delete_cases)[1].parameters)
    assert.are.same({ "a", "e", "s" }, database:asked(sql.lock_assignment)[1].parameters)
  end)

  it("makes what is missing, and says what", function()
    is_new = { administrator = 0, event = 1, assignment = 1 }
    assert.are.same({ "event e", "assignment s" }, assert(replace(database, place, "test", { line(1, "1", "2") })).made)
    assert.are.same({ "a", "e" }, database:asked(sql.make_event)[1].parameters)
  end)

  it("writes nothing where the same stand", function()
    local list = { line(1, "1", "2"), line(2, "3", "4", { points = 2, visibility = "hidden" }) }
    standing(table.unpack(list))
    assert.are.same({ made = {}, replaced = 2, own = 1, unchanged = true }, replace(database, place, "test", list))
    assert.is_nil(copied())
    assert.are.equal(0, #database:asked(sql.delete_cases))
    assert.are.same({ "committed" }, database.ended)
  end)

  it("finds whatever is different", function()
    for _, other in ipairs {
      line(1, "2", "2"), line(1, "1", "3"), line(1, "1", "2", { form = "file" }), line(1, "1", "2", { name = "x" }),
      line(1, "1", "2", { points = 1 }), line(1, "1", "2", { visibility = "visible" }), line(2, "1", "2"),
    } do
      standing(other)
      assert.is_false(assert(replace(database, place, "test", { line(1, "1", "2") })).unchanged)
    end
    standing(line(1, "1", "2"), line(2, "1", "2"))
    local done = assert(replace(database, place, "test", { line(1, "1", "2") }))
    assert.is_false(done.unchanged)
    assert.are.equal(2, done.replaced)
  end)

  it("does nothing at all where any of it fails", function()
    for _, name in ipairs { "make_administrator", "make_event", "make_assignment", "lock_assignment", "standing_cases",
      "delete_cases", "copy_cases" } do
      database.ended = {}
      database.trouble = function(call) if call.sql == sql[name] then return "no: " .. name, "environment" end end
      local done, message, code = replace(database, place, "test", { line(1, "1", "2") })
      assert.is_nil(done, name)
      assert.are.same({ "no: " .. name, "environment" }, { message, code })
      assert.are.same({ "rolled back" }, database.ended)
    end
  end)

  it("says when the assignment goes at the same moment", function()
    database:answer(sql.lock_assignment, {})
    assert.are.equal("unavailable", select(3, replace(database, place, "test", { line(1, "1", "2") })))
    assert.are.same({ "rolled back" }, database.ended)
  end)

  it("refuses what it can't hold before anything is asked", function()
    local function refused(list)
      local done, message, code = replace(database, place, "test", list)
      assert.is_nil(done)
      assert.are.equal("instructor", code)
      assert.are.equal(0, #database.calls)
      return message
    end
    assert.matches("case 2: the input has a NUL byte at byte offset 1",
      refused { line(1, "1", "2"), line(2, "1\0", "2") }, 1, true)
    assert.matches("no UTF-8", refused { line(1, "1", "\xff") }, 1, true)
    local many = {}
    for number = 1, limits.cases + 1 do many[number] = line(number, "", "") end
    assert.matches("100001 cases are more than 100000", refused(many), 1, true)
    local text = ("x"):rep(64 << 20)
    assert.matches("more than 134217728; make them smaller", refused { line(1, text, text), line(2, "1", "") }, 1, true)
  end)
end)
