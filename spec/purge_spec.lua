local fake_database = require "spec.fake.database"
local fake_store = require "spec.fake.store"
local path = require "submitter.path"
local purge = require "submitter.purge"
local sql = require "submitter.database.statements.purge"

local old, young = ("1"):rep(32), ("2"):rep(32)
local BEFORE_MS, OLD_MS, YOUNG_MS = 1000000, 500000, 2000000

describe("purging", function()
  local store, database

  local function name(subid, suffix, base) return ("%s/%s/%s%s"):format(base or "a/e/s", subid, subid, suffix) end

  local function hand_in(subid, at_ms, base)
    for _, suffix in ipairs { ".json", ".py", ".result.json", ".out", ".grade.result.json" } do
      store.objects[name(subid, suffix, base)] = suffix
      store.times[name(subid, suffix, base)] = at_ms
    end
    for _, suffix in ipairs { ".json", ".grade.json" } do
      local truth = ("%s/grading/results/%s%s"):format(base or "a/e/s", subid, suffix)
      store.objects[truth] = "{}"
      -- Graded later.
      store.times[truth] = at_ms + 10000000
    end
  end

  before_each(function()
    store, database = fake_store.open(), nil
    hand_in(old, OLD_MS)
    hand_in(young, YOUNG_MS)
    for _, other in ipairs { "a/e/s/grading/test.in", "a/e/s/grading/grade.out", "a/e/s/notes.txt", "b/e/s/x" } do
      store.objects[other] = "stays"
      store.times[other] = 1
    end
  end)

  local function open(text)
    return purge.new {
      store = store, database = database, path = assert(path.parse(text or "a")), before_ms = BEFORE_MS,
    }
  end

  local function run(text)
    local job, told = open(text), {}
    local list = assert(job:find())
    local total, message, code = job:remove(list, function(one, outcome, problem)
      told[one.subid] = problem or outcome.kept or "removed"
    end)
    return total, told, message, code
  end

  local function left(subid)
    local count = 0
    for key in pairs(store.objects) do
      if key:find(subid, 1, true) then count = count + 1 end
    end
    return count
  end

  it("removes what is old, with all that came of it, and nothing else", function()
    local total, told = run()
    assert.are.same({ submissions = 1, objects = 7, rows = 0, kept = 0, failed = 0, untried = 0 }, total)
    assert.are.same({ [old] = "removed" }, told)
    assert.are.equal(0, left(old))
    assert.are.equal(7, left(young))
    for _, other in ipairs { "a/e/s/grading/test.in", "a/e/s/grading/grade.out", "a/e/s/notes.txt", "b/e/s/x" } do
      assert.are.equal("stays", store.objects[other])
    end
    assert.are.same({}, (assert(open():find())))
  end)

  it("finds what would go, and how much is newer", function()
    local list, newer = open "a/e/s":find()
    assert.are.equal(1, newer)
    assert.are.equal("a/e/s/" .. old, purge.describe(list[1]))
    assert.are.same({ OLD_MS, 7, false }, { list[1].submitted_ms, list[1].objects, list[1].has_row })
    assert.are.same({}, (open("a/e/s/" .. young):find()))
    assert.are.equal(0, #store:asked "delete")
  end)

  it("leaves what was handed in that very moment", function()
    hand_in(old, BEFORE_MS)
    assert.are.same({}, (open():find()))
  end)

  it("takes both spellings of the keys for one submission", function()
    hand_in(old, OLD_MS + 1, "/a/e/s")
    assert.are.equal(14, assert(open():find())[1].objects)
    assert.are.equal(14, run().objects)
    assert.are.equal(0, left(old))
  end)

  it("leaves a submission whole that has something newer under the other spelling", function()
    hand_in(old, YOUNG_MS, "/a/e/s")
    assert.are.equal(0, run().submissions)
    assert.are.equal(14, left(old))
  end)

  it("leaves a submission whole whose program was just uploaded", function()
    store.times[name(old, ".py")] = YOUNG_MS
    assert.are.equal(0, run().submissions)
    assert.are.equal(7, left(old))
  end)

  it("removes the document last, after the program", function()
    run()
    local deleted = store:asked "delete"
    assert.are.equal(name(old, ".json"), deleted[#deleted])
    assert.are.equal(name(old, ".py"), deleted[#deleted - 1])
  end)

  it("goes on where it was cut off, wherever that was", function()
    local count = 0
    run()
    for _ in ipairs(store:asked "delete") do count = count + 1 end
    for cut = 1, count do
      store = fake_store.open()
      hand_in(old, OLD_MS)
      local deletions = 0
      store.fail = function(call)
        if call:find "^delete " then deletions = deletions + 1 end
        if deletions == cut then error "killed" end
      end
      assert.has_error(run)
      store.fail = function() end
      assert.are.equal(1, run().submissions)
      assert.are.equal(0, left(old))
    end
  end)

  it("removes what is left of one whose document is gone, by its own time", function()
    store.objects[name(old, ".json")], store.objects[name(old, ".py")] = nil, nil
    assert.are.equal(0, run().submissions)
    for key in pairs(store.objects) do store.times[key] = OLD_MS end
    assert.are.equal(2, run().submissions)
    assert.are.equal(0, left(old))
  end)

  it("keeps what is uploaded while it works", function()
    for _, suffix in ipairs { ".json", ".py" } do
      for _, moment in ipairs { "before", "after" } do
        store = fake_store.open()
        hand_in(old, OLD_MS)
        local job = open()
        local list = assert(job:find())
        local touched = false
        local function upload()
          if touched then return end
          touched = true
          store.objects[name(old, suffix)], store.times[name(old, suffix)] = "new", YOUNG_MS
        end
        -- Just after it was found; or after its reports are gone.
        if moment == "before" then upload() end
        store.fail = function(call)
          if call:find("^delete .*results") then upload() end
        end
        local kept
        local total = job:remove(list, function(_, outcome) kept = outcome.kept end)
        assert.are.equal(1, total.kept)
        assert.matches("uploaded anew meanwhile", kept, 1, true)
        assert.are.equal("new", store.objects[name(old, suffix)])
        assert.are.equal(suffix == ".json" and "new" or ".json", store.objects[name(old, ".json")])
        if moment == "before" then assert.are.equal(7, left(old)) end
      end
    end
  end)

  it("says what couldn't be removed and does the rest", function()
    local third = ("3"):rep(32)
    hand_in(third, OLD_MS)
    store.fail = function(call)
      if call == "delete " .. name(old, ".out") then return "the right is missing", "unavailable" end
    end
    local total, told = run()
    assert.are.equal(1, total.failed)
    assert.are.equal(1, total.submissions)
    assert.are.same({ [old] = "the right is missing", [third] = "removed" }, told)
    assert.are.equal(".json", store.objects[name(old, ".json")])
  end)

  it("gives up when everything fails", function()
    for number = 3, 99 do hand_in(("%032d"):format(number), OLD_MS) end
    store.fail = function(call)
      if call:find "^head" then return "the bucket is away", "unavailable" end
    end
    local total = run()
    assert.are.equal(0, total.submissions)
    assert.is_true(total.failed >= 5 and total.failed < 20)
    assert.are.equal(98, total.failed + total.untried)
  end)

  it("says that the bucket can't be listed", function()
    store.fail = function() return "the bucket is away", "unavailable" end
    local list, message, code = open():find()
    assert.are.same({ nil, "the bucket is away", "unavailable" }, { list, message, code })
  end)

  describe("with a database", function()
    local rows, deleted

    before_each(function()
      database = fake_database.open()
      deleted = {}
      rows = { { event = "e", assignment = "s", subid = old, submitted_at = OLD_MS } }
      database:answer(sql.read_right, { { role = "ann", may_delete = true } })
      database:answer(sql.read_submissions, function() return rows end)
      database:answer(sql.delete_submission, function(parameters)
        deleted[#deleted + 1] = table.concat(parameters, " ")
        return { { submissions = 1, results = 2, case_results = 30, teams = 4, mails = 5 } }
      end)
    end)

    it("removes the rows too, before program and document", function()
      local at_deletion
      database.trouble = function(call)
        if call.sql == sql.delete_submission then at_deletion = left(old) end
      end
      local total = run()
      assert.are.same({ submissions = 1, objects = 7, rows = 42, kept = 0, failed = 0, untried = 0 }, total)
      assert.are.same({ ("a e s %s 1000.0"):format(old) }, deleted)
      assert.are.equal(2, at_deletion)
    end)

    it("asks for what the path names", function()
      run("a/e/s/" .. old)
      assert.are.same({ "a", "e", "s", old }, database:asked(sql.read_submissions)[1].parameters)
      run "a"
      assert.are.same({ "a", "", "", "" }, database:asked(sql.read_submissions)[2].parameters)
    end)

    it("removes rows whose objects are gone", function()
      rows[2] = { event = "f", assignment = "t", subid = old, submitted_at = 3 }
      assert.are.equal(2, run().submissions)
      assert.are.equal(("a f t %s 1000.0"):format(old), deleted[2])
    end)

    it("leaves a submission whole of which the database knows something newer", function()
      rows[1].submitted_at = YOUNG_MS
      assert.are.equal(0, run().submissions)
      assert.are.equal(7, left(old))
      assert.are.same({}, deleted)
    end)

    it("keeps the document of what is still in the database", function()
      database:answer(sql.delete_submission, function() return nil, "the server is away", "unavailable" end)
      local total, told = run()
      assert.are.equal(1, total.failed)
      assert.are.equal("the server is away", told[old])
      assert.are.equal(2, left(old))
    end)

    it("needs the instructor's role, and removes nothing without", function()
      database:answer(sql.read_right, { { role = "worker7", may_delete = false } })
      local total, _, message, code = run()
      assert.is_nil(total)
      assert.matches("the database role worker7 may not remove submissions", message, 1, true)
      assert.matches("submitter_instructor", message, 1, true)
      assert.are.equal("environment", code)
      assert.are.equal(7, left(old))
      database:answer(sql.read_right, function()
        return nil, "permission denied for schema submitter", "environment", { sqlstate = "42501" }
      end)
      total, _, message = run()
      assert.is_nil(total)
      assert.matches("submitter_instructor", message, 1, true)
    end)

    it("knows rows by the names that the database has for those that aren't UTF-8", function()
      local before = #database.calls
      assert(open "a\xff/e/s\xfe":find())
      assert.are.same({ "a\\xff", "e", "s\\xfe", "" }, database.calls[before + 1].parameters)
    end)

    it("says that the database is away, and removes nothing", function()
      for _, statement in ipairs { sql.read_right, sql.read_submissions } do
        database.trouble = function(call)
          if call.sql == statement then return "the server is away", "unavailable" end
        end
        local job = open()
        local list, message, code = job:find()
        if list then list, message, code = job:remove(list, function() end) end
        assert.are.same({ nil, "the server is away", "unavailable" }, { list, message, code })
        assert.are.equal(7, left(old))
      end
    end)
  end)

  it("says how it is to be called", function()
    local where = assert(path.parse "a")
    assert.error_matches(function() purge.new { store = store, path = where, before_ms = 1.5 } end,
      "expected purge.new{", 1, true)
    assert.error_matches(function() purge.new { store = store, before_ms = 1 } end, "expected purge.new{", 1, true)
    assert.error_matches(function() purge.new { store = store, path = where, before_ms = 1, bucket = 1 } end,
      'unknown option "bucket"', 1, true)
  end)
end)
