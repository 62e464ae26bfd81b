--- What `submitter doctor` finds out about a real server.
local database = require "submitter.database"
local host = require "submitter.host"
local postgres = require "spec.postgres"
local reach = require "submitter.cli.reach"
local support = require "spec.support"

describe("a real database, asked by the doctor", function()
  local server, pool, restore

  setup(function() server = postgres.shared() end)

  before_each(function() restore = support.replace(host.log, { error = function() end }) end)

  after_each(function()
    pool:close()
    restore()
  end)

  local function look(url)
    pool = database.open { url = url, pool = 1 }
    return reach.database({ database = pool, configuration = { database = { url = url } } }, function() end)
  end

  -- The same database for another user, who is made.
  local function as(url, user, membership)
    server:sql(url, ("DROP ROLE IF EXISTS %s; CREATE ROLE %s LOGIN;"):format(user, user))
    if membership then server:sql(url, ("GRANT %s TO %s"):format(membership, user)) end
    return (url:gsub("user=%S+", "user=" .. user))
  end

  local function states(findings)
    local list = {}
    for index, one in ipairs(findings) do list[index] = one.state end
    return table.concat(list, " ")
  end

  it("lets a worker work", function()
    local found = look(as(server:migrated(), "doctor_worker", "submitter_worker"))
    assert.are.equal("ok ok ok", states(found), found[#found].text)
    assert.matches("^database spec_%d+ at /.* as doctor_worker, PostgreSQL %d+.*, on this machine$", found[1].text)
    assert.are.equal("doctor_worker has all that a worker needs", found[3].text)
  end)

  it("keeps out who isn't a worker", function()
    local url = server:migrated()
    server:sql(url, "GRANT SELECT ON submitter.migrations TO PUBLIC; GRANT USAGE ON SCHEMA submitter TO PUBLIC")
    local found = look(as(url, "doctor_nobody"))
    assert.are.equal("ok ok fail", states(found))
    assert.matches("^doctor_nobody lacks EXECUTE on function assignment_of, .*, %d+ more$", found[3].text)
    pool:close()
    found = look(as(server:migrated(), "doctor_stranger"))
    assert.are.equal("ok fail", states(found))
    assert.matches("permission denied", found[2].text)
  end)

  it("has no tables yet", function()
    local found = look(server:database())
    assert.are.equal("ok fail", states(found))
    assert.matches("lacks 0001_grade_book", found[2].text)
  end)

  it("shouldn't be a worker's whole", function()
    local found = look(server:migrated())
    assert.are.equal("ok ok warn", states(found))
    assert.matches("superuser", found[3].text)
  end)

  it("isn't there", function()
    local found = look "host=/nonexistent dbname=d password=hunter2"
    assert.are.equal("fail", states(found))
    assert.matches("^database d at /nonexistent: can't connect to PostgreSQL: ", found[1].text)
    assert.is_nil(found[1].text:find "hunter")
  end)

  it("says how the connection is encrypted", function()
    local made = assert(host.child.run { program = "/usr/bin/openssl", arguments = { "req", "-x509", "-newkey",
      "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2", "-keyout", "-" },
      environment = { PATH = "/usr/bin:/bin" } }).stdout
    local own = postgres.start { tcp = true, settings = { "ssl=on" }, files = {
      ["server.crt"] = made:match "%-%-%-%-%-BEGIN CERTIFICATE.*",
      ["server.key"] = made:match "%-%-%-%-%-BEGIN PRIVATE.-END PRIVATE[^\n]*\n",
    } }
    finally(function() own:close() end)
    own:sql(own.url, "CREATE ROLE remote LOGIN PASSWORD 'hunter2'")
    -- Neither certificates nor authorities of this user's ~/.postgresql.
    local there = ("127.0.0.1:%d/postgres?sslmode=require&sslrootcert=/none/root&sslcert=/none/own"):format(own.port)
    local found = look("postgres://remote:hunter2@" .. there)
    assert.are.equal("ok fail", states(found), found[1].text)
    assert.matches("at 127.0.0.1:%d+ as remote, PostgreSQL .*, TLSv1.%d$", found[1].text)
    pool:close()
    found = look("postgres://remote:wrong@" .. there)
    assert.matches("password authentication failed.*check the password file", found[1].text)
  end)
end)
