local cli = require "submitter.cli"
local migrations = require "submitter.database.migrations"
local shared = require "spec.support"
local support = require "spec.cli.support"

describe("submitter database migrate", function()
  local folder
  before_each(function() folder = support.folder() end)
  after_each(function() folder.remove_all() end)

  local function run(functions, ...)
    local file = folder:write("submitter.lua",
      'return { database = postgres { url = "host=h dbname=grades", connect_timeout = "7s" } }')
    local restore = shared.replace(migrations, functions)
    -- Whatever database this machine's own variables name.
    local restore_environment = shared.replace(os, { getenv = function() end })
    local output, errors, code = support.capture(cli.main, { "database", "migrate", "--config", file, ... })
    restore_environment()
    restore()
    return code, output, errors
  end

  it("says what it applied", function()
    local given
    local code, output, errors = run { apply = function(options)
      given = options
      options.tell "waiting"
      options.tell("applied", "0001_grade_book")
      return { database = "grades", user = "owner", applied = { "0001_grade_book" }, total = 3, missing_roles = {} }
    end }
    assert.equal(0, code, errors)
    assert.equal("applied   0001_grade_book\ndatabase  grades: 3 migrations, all applied\n", output)
    assert.truthy(errors:find("another migrate is at work", 1, true))
    assert.equal("host=h dbname=grades", given.url)
    assert.equal(7000, given.connect_timeout_ms)
  end)

  it("says that nothing was missing, and gives an administrator the line for the roles", function()
    local code, output, errors = run { apply = function()
      return { database = "grades", user = "owner", applied = {}, total = 1,
        missing_roles = { "submitter_instructor", "submitter_worker" } }
    end }
    assert.equal(0, code)
    assert.equal("database  grades: 1 migration, all applied before\n", output)
    assert.truthy(errors:find(
      "\n    CREATE ROLE submitter_instructor NOLOGIN; CREATE ROLE submitter_worker NOLOGIN;\n", 1, true), errors)
  end)

  it("--dry-run shows what is applied and what isn't", function()
    local code, output = run({ state = function()
      return { database = "grades", user = "owner", applied = { { name = "0001_one", applied_at = 1700000000000 } },
        pending = { "0002_two" }, missing_roles = { "submitter_worker" } }
    end, apply = function() error "it applies" end }, "--dry-run")
    assert.equal(0, code)
    assert.equal("applied   0001_one  2023-11-14T22:13:20.000Z\npending   0002_two\nno role   submitter_worker\n"
      .. "database  grades: 1 migration to apply\n", output)
  end)

  it("exits 3 with the reason where it can't", function()
    for name, words in pairs { apply = {}, state = { "--dry-run" } } do
      local code, output, errors = run({ [name] = function() return nil, "the server is old", "environment" end },
        table.unpack(words))
      assert.equal(3, code)
      assert.equal("", output)
      assert.equal("submitter database: the server is old\n", errors)
    end
  end)

  it("exits 3 where no database is configured, and says how to", function()
    local ended = support.submitter(folder, { "database", "migrate" })
    assert.equal(3, ended.exit_code)
    assert.truthy(ended.stderr:find("set SUBMITTER_DATABASE_URL", 1, true), ended.stderr)
  end)

  it("is refused with exit code 2 without a verb", function()
    local ended = support.submitter(folder, { "database" })
    assert.equal(2, ended.exit_code)
  end)
end)
