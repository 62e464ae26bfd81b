--- `submitter purge`: by the real program on an embedded bucket; with failures and a database, in this process.
local command = require "submitter.cli.purge"
local fake_database = require "spec.fake.database"
local fake_store = require "spec.fake.store"
local host = require "submitter.host"
local options = require "submitter.cli.options"
local path = require "submitter.path"
local shared = require "spec.support"
local sql = require "submitter.database.statements.purge"
local support = require "spec.cli.support"

local old, young = ("1"):rep(32), ("2"):rep(32)

describe("submitter purge", function()
  local folder
  before_each(function() folder = support.folder() end)
  after_each(function() folder.remove_all() end)

  local function run(...) return support.submitter(folder, { "purge", ... }) end

  local function hand_in(subid, date)
    for _, name in ipairs { subid .. ".json", subid .. ".py", subid .. ".out" } do
      local file = folder:write(("var/bucket/a/e/s/%s/%s"):format(subid, name), "x")
      local touched = assert(host.child.run { program = "/bin/touch", arguments = { "-d", date, file } })
      assert.equal(0, touched.exit_code, touched.stderr)
    end
  end

  local function is_there(subid) return folder:read(("var/bucket/a/e/s/%s/%s.json"):format(subid, subid)) ~= nil end

  before_each(function()
    hand_in(old, "2026-01-31T23:59:59Z")
    hand_in(young, "2026-02-01T00:00:00Z")
    folder:write("var/bucket/a/e/s/grading/results/" .. old .. ".json", "{}")
    folder:write("var/bucket/a/e/s/grading/test.in", "1\n")
  end)

  it("says what it would remove", function()
    local ended = run("a", "--before", "2026-02-01", "--dry-run")
    assert.equal(0, ended.exit_code, ended.stderr)
    assert.equal(("would go a/e/s/%s  handed in 2026-01-31T23:59:59.000Z  4 objects\n1 submission with 4 objects would "
      .. "be removed, 0 of them from the database; 1 newer would stay\n"):format(old), ended.stdout)
    assert.equal("before   2026-02-01T00:00:00.000Z\n", ended.stderr)
    assert.is_true(is_there(old))
  end)

  it("removes what was handed in before, and says what", function()
    local ended = run("a/e", "--before", "2026-02-01")
    assert.equal(0, ended.exit_code, ended.stderr)
    assert.equal(("removed  a/e/s/%s  handed in 2026-01-31T23:59:59.000Z  4 objects, 0 rows\n1 submission removed: "
      .. "4 objects of the bucket, 0 rows of the database; 1 newer stayed\n"):format(old), ended.stdout)
    assert.is_false(is_there(old))
    assert.is_true(is_there(young))
    assert.is_nil(folder:read("var/bucket/a/e/s/grading/results/" .. old .. ".json"))
    assert.equal("1\n", folder:read "var/bucket/a/e/s/grading/test.in")
    ended = run("a/e", "--before", "2026-02-01")
    assert.matches("^0 submissions removed", ended.stdout)
  end)

  it("knows zones", function()
    run("a", "--before", "2026-02-01T00:59:59+01:00")
    assert.is_true(is_there(old))
    run("a", "--before", "2026-02-01T01:00:00+01:00")
    assert.is_false(is_there(old))
    assert.is_true(is_there(young))
  end)

  it("refuses what is no date, is ambiguous, or lies in the future", function()
    for date, reason in pairs {
      ["yesterday"] = "is no date", ["2026-13-01"] = "is no date", ["2026-02-01T00:00:00"] = "is no date",
      ["01.02.2026"] = "is no date", [""] = "is no date", ["2999-01-01"] = "is in the future",
    } do
      local ended = run("a", "--before", date)
      assert.equal(2, ended.exit_code)
      assert.matches(reason, ended.stderr, 1, true)
    end
    local ended = run "a"
    assert.equal(2, ended.exit_code)
    assert.matches("--before", ended.stderr, 1, true)
    assert.is_true(is_there(old))
  end)

  describe("when something is in the way", function()
    local services
    before_each(function()
      services = { store = fake_store.open() }
      for _, name in ipairs { old .. ".json", old .. ".py", old .. ".out" } do
        services.store.objects[("a/e/s/%s/%s"):format(old, name)] = "x"
      end
    end)

    local function purge(before_ms)
      local restore = shared.replace(options, { with_services = function(_, parts, body)
        assert.same({ "store", "database" }, parts)
        return body(services)
      end })
      local returned, text, errors, code, message, kind = pcall(support.capture, command.run,
        { path = assert(path.parse "a"), before = before_ms or services.store.modified_ms + 1 })
      restore()
      assert(returned, text)
      return text, errors, code, message, kind
    end

    it("exits 1 and says what is still there", function()
      services.store.fail = function(call)
        if call:find "^delete .*py" then return "the right is missing", "unavailable" end
      end
      local text, errors, code = purge()
      assert.equal(1, code)
      assert.matches("^0 submissions removed: 1 object of the bucket", text)
      assert.matches("a/e/s/" .. old .. " couldn't be removed whole: the right is missing", errors, 1, true)
      assert.matches("1 submission couldn't be removed; call it again", errors, 1, true)
    end)

    it("says what it kept", function()
      local document = ("a/e/s/%s/%s.json"):format(old, old)
      services.store.fail = function(call)
        if call:find "^head" then services.store.times[document] = services.store.modified_ms + 1 end
      end
      local text, _, code = purge()
      assert.equal(0, code)
      assert.matches("kept     a/e/s/" .. old .. ".*uploaded anew meanwhile", text)
      assert.matches("\n0 submissions removed: 0 objects of the bucket, 0 rows of the database; 1 newer stayed\n",
        text, 1, true)
    end)

    it("says that the bucket is away", function()
      services.store.fail = function() return "the bucket is away", "unavailable" end
      local _, _, code, message, kind = purge()
      assert.same({ "the bucket is away", "unavailable" }, { message, kind })
      assert.is_nil(code)
    end)

    it("counts rows, and needs a role that may", function()
      services.database = fake_database.open()
      services.database:answer(sql.read_submissions,
        { { event = "e", assignment = "s", subid = old, submitted_at = services.store.modified_ms } })
      services.database:answer(sql.read_right, { { role = "worker", may_delete = false } })
      local _, _, code, message, kind = purge()
      assert.is_nil(code)
      assert.matches("the database role worker may not remove submissions", message, 1, true)
      assert.equal("environment", kind)
      services.database:answer(sql.read_right, { { role = "ann", may_delete = true } })
      services.database:answer(sql.delete_submission,
        { { submissions = 1, results = 2, case_results = 3, teams = 4, mails = 0 } })
      local text
      text, _, code = purge()
      assert.equal(0, code)
      assert.matches("3 objects, 10 rows\n", text, 1, true)
    end)
  end)
end)
