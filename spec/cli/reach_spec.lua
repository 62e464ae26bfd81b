local fake_database = require "spec.fake.database"
local fake_store = require "spec.fake.store"
local migrations = require "submitter.database.migrations"
local reach = require "submitter.cli.reach"
local sql = require "submitter.database.statements.doctor"
local support = require "spec.support"

describe("the bucket, tried", function()
  local store

  before_each(function() store = fake_store.open() end)

  local function look(settings)
    return reach.bucket { store = store, configuration = { bucket = settings or { kind = "s3", name = "b" } } }
  end

  it("is well when it keeps conditions, and is left as it was", function()
    local found = look()
    assert.are.same({ "ok", "bucket" }, { found.state, found.name })
    assert.matches("^bucket b of S3; an object was put there, read and deleted", found.text)
    assert.is_nil(next(store.objects))
  end)

  it("isn't when it writes in spite of a condition", function()
    local put = store.put
    for _, ignored in ipairs { "if_none_match", "if_match" } do
      function store:put(key, text, options)
        if options[ignored] and self.objects[key] then options = nil end
        return put(self, key, text, options)
      end
      local found = look()
      assert.are.equal("fail", found.state, ignored)
      assert.matches("writes although the condition", found.text)
      assert.matches("conditional_writes = false", found.remedy, 1, true)
      assert.is_nil(next(store.objects))
    end
  end)

  it("says what fails, and cleans up", function()
    for _, verb in ipairs { "put", "get", "delete" } do
      store.fail = function(call)
        if call:match("^%a+") == verb then return verb .. " was refused", "unavailable" end
      end
      local found = look()
      assert.are.same({ "fail", verb .. " was refused" }, { found.state, found.text })
    end
  end)

  it("is one worker's where conditions are only looked at", function()
    local found = look { kind = "s3", name = "b", conditional_writes = false }
    assert.are.same({ "warn", "see that only one worker runs" }, { found.state, found.remedy })
  end)
end)

describe("the queue, asked", function()
  local function look(depth, message)
    local queue = { depth = function() return depth, message end }
    return reach.queue { queue = queue, configuration = { queue = { kind = "sqs", url = "https://q.example/1/q" } } }
  end

  it("tells its counts", function()
    local found = look { ready = 1, held = 2, dead = 0 }
    assert.are.same({ "ok", "queue https://q.example/1/q of SQS: 1 ready, 2 held, 0 dead" },
      { found.state, found.text })
    found = look { ready = 1, held = 2, dead = 3 }
    assert.are.same({ "warn", "submitter deadletters list" }, { found.state, found.remedy })
  end)

  it("warns of a redrive policy that is absent or too strict", function()
    local found = look { ready = 0, held = 0, dead = 0, least_receives = 11 }
    assert.are.same({ "warn", "give it one with a maxReceiveCount of 11 or more" }, { found.state, found.remedy })
    assert.matches("it has no redrive policy$", found.text)
    found = look { ready = 0, held = 0, dead = 0, least_receives = 11, max_receives = 10 }
    assert.are.equal("warn", found.state)
    assert.matches("after 10 receipts$", found.text)
    found = look { ready = 0, held = 0, dead = 0, least_receives = 11, max_receives = 11 }
    assert.are.equal("ok", found.state)
  end)

  it("isn't well when it, or the queue for dead letters, can't be reached", function()
    local found = look(nil, "no such queue")
    assert.are.same({ "fail", "no such queue" }, { found.state, found.text })
    found = look { ready = 1, held = 2, dead_problem = "no such queue" }
    assert.are.equal("warn", found.state)
    assert.matches("1 ready, 2 held; no such queue", found.text)
    assert.matches("dead_letter_url", found.remedy)
  end)

  it("warns where nothing takes what is given up", function()
    local found = look { ready = 1, held = 2 }
    assert.are.equal("warn", found.state)
    assert.matches("no dead_letter_url", found.text)
  end)
end)

describe("the database, asked", function()
  local database, server, pending, restore

  before_each(function()
    database, pending = fake_database.open(), {}
    server = { version = "15.13", database = "grades", user = "worker_1", is_standby = false, is_superuser = false,
      is_local = true }
    database:answer(sql.read_server, function() return { server } end)
    database:answer(sql.read_missing_rights, { { has_role = true } })
    restore = support.replace(migrations, { pending = function() return table.unpack(pending, 1, 2) end })
    pending[1] = {}
  end)

  after_each(function() restore() end)

  local function look(url, environment)
    return reach.database({ database = database, configuration = { database = { url = url or "" } } },
      function(name) return (environment or {})[name] end)
  end

  it("tells who it is, that its tables are there and that a worker may use them", function()
    assert.are.same({
      { state = "ok", name = "database", text = "database grades at db.example as worker_1, PostgreSQL 15.13, "
        .. "on this machine" },
      { state = "ok", name = "schema", text = "up to date" },
      { state = "ok", name = "rights", text = "worker_1 has all that a worker needs" },
    }, look "host=db.example password=secret")
    assert.are.equal("database grades as worker_1, PostgreSQL 15.13, on this machine", look()[1].text)
  end)

  it("may be none", function()
    local found = reach.database { configuration = {} }
    assert.are.same({ 1, "ok" }, { #found, found[1].state })
    assert.matches("none configured", found[1].text)
  end)

  it("isn't well when it can't be reached", function()
    database.trouble = function() return "can't connect to PostgreSQL: refused", "unavailable" end
    local found = look()
    assert.are.same({ 1, "fail", "a database in memory: can't connect to PostgreSQL: refused" },
      { #found, found[1].state, found[1].text })
    assert.matches("SUBMITTER_DATABASE_URL", found[1].remedy)
    -- A refusal says by itself what to do.
    database.trouble = function() return "can't connect to PostgreSQL: password; check it", "environment" end
    assert.is_nil(look()[1].remedy)
  end)

  it("shouldn't be talked to in the open, nor to whoever answers", function()
    server.is_local = false
    local found = look("host=h")[1]
    assert.are.equal("warn", found.state)
    assert.matches("not encrypted$", found.text)
    assert.matches("sslmode=verify%-full", found.remedy)
    server.tls = "TLSv1.3"
    for _, case in ipairs { { "host=h", {} }, { "host=h sslmode=require", {} }, { "host=h", { PGSSLMODE = "x" } } } do
      found = look(table.unpack(case))[1]
      assert.are.equal("warn", found.state)
      assert.matches("TLSv1.3, but whose server that is isn't checked$", found.text)
    end
    for _, case in ipairs { { "postgres://h/d?sslmode=verify-full", {} }, { "host=h", { PGSSLMODE = "verify-full" } },
      { "host=h sslmode=verify-ca", {} }, { "service=grades", {} }, { "", { PGSERVICE = "grades" } } } do
      found = look(table.unpack(case))[1]
      assert.are.equal("ok", found.state)
      assert.matches("TLSv1.3$", found.text)
    end
  end)

  it("has to be a primary", function()
    server.is_standby = true
    local found = look()[1]
    assert.are.equal("fail", found.state)
    assert.matches("target_session_attrs", found.remedy)
  end)

  it("has to have this program's tables", function()
    pending[1] = { "0002_more", "0003_and_more" }
    local found = look()
    assert.are.same({ 2, "fail", "lacks 0002_more, 0003_and_more" }, { #found, found[2].state, found[2].text })
    assert.matches("submitter database migrate", found[2].remedy)
    pending = { nil, "permission denied" }
    assert.are.same({ "fail", "permission denied" }, { look()[2].state, look()[2].text })
  end)

  it("has to let a worker in, and no more than that", function()
    local rows = {}
    for number = 1, 6 do
      rows[number] = { has_role = true, kind = "table", name = "t" .. number, privilege = "SELECT" }
    end
    database:answer(sql.read_missing_rights, rows)
    local found = look()[3]
    assert.are.same({ "fail", "worker_1 lacks SELECT on table t1, SELECT on table t2, SELECT on table t3, "
      .. "SELECT on table t4, 2 more", "GRANT submitter_worker TO worker_1" },
      { found.state, found.text, found.remedy })
    database:answer(sql.read_missing_rights, { rows[1] })
    assert.matches("lacks SELECT on table t1$", look()[3].text)
    database:answer(sql.read_missing_rights, { { has_role = false } })
    assert.are.equal("warn", look()[3].state)
    database:answer(sql.read_missing_rights, function() return nil, "no", "environment" end)
    assert.are.same({ "fail", "no" }, { look()[3].state, look()[3].text })
    server.is_superuser = true
    found = look()[3]
    assert.are.equal("warn", found.state)
    assert.matches("is a superuser", found.text)
  end)
end)

describe("a mail server", function()
  local settings = { url = "smtps://mail.example.edu:465", user = "grader" }

  it("has to answer, and to take the password", function()
    local found = reach.mail(settings, { check = function() return true end })
    assert.are.same({ "ok", "mail", "mail.example.edu:465 answers, and takes user and password" },
      { found.state, found.name, found.text })
    found = reach.mail(settings, { check = function() return nil, "no login", "auth" end })
    assert.are.same({ "fail", "no login" }, { found.state, found.text })
    assert.matches("see mail in the configuration", found.remedy, 1, true)
  end)
end)
