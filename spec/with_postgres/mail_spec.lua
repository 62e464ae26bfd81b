--- The outbox on a real server: who gets which mail, once, and what becomes of it.
local database = require "submitter.database"
local fake_store = require "spec.fake.store"
local host = require "submitter.host"
local key = require "submitter.key"
local mailer = require "submitter.mail.mailer"
local postgres = require "spec.postgres"
local record = require "submitter.record"
local sql = require "submitter.database.statements.mail"
local support = require "spec.support"

local HASH = ("0"):rep(64)
local LEASE_MS = 600000

local function token(number)
  return ("%032x"):format(number)
end

local function subid(number)
  return ("%032x"):format(0xabc0 + number)
end

describe("the outbox on a real server", function()
  local server, url, pool, recorder, store

  before_each(function()
    server = postgres.shared()
    url = server:migrated()
    pool = database.open { url = url }
    recorder = record.new { database = pool, mail = true }
    store = fake_store.open {}
    local enrolled = {}
    for number = 1, 20 do
      enrolled[number] = ("SELECT submitter.enrol('a', 'e', 'student%d@example.org', 'Student %d', '%s');"):format(
        number, number, token(number))
    end
    server:sql(url, "SELECT submitter.schedule('a', 'e', '2026-01-01Z', '2026-12-01Z');" .. table.concat(enrolled))
  end)
  after_each(function()
    pool:close()
    support.clean()
  end)

  -- A result as the pipeline publishes and records it.
  local function result(number, tokens, changes)
    local document = {
      schema = 1, subid = subid(number), admin = "a", event = "e", assignment = "s", mode = "test", verdict = "WA",
      passed = 1, total = 2, points = 1, max_points = 2, attempt = 1, run = 1, source_sha256 = HASH,
      cases = host.json.array {}, submitted_at = "2026-02-01T12:00:00.000Z", started_at = "2026-02-01T12:00:01.000Z",
      finished_at = "2026-02-01T12:00:02.000Z",
    }
    for name, value in pairs(changes or {}) do document[name] = value end
    local location = assert(key.location("a", "e", "s", subid(number)))
    local names = key.names(location, document.mode)
    store.objects[names.result] = host.json.encode(document)
    store.objects[names.out] = "input,expected output,actual output,pass/fail\r\n"
    assert(recorder:result({ location = location, mode = document.mode, document = { tokens = tokens } }, document))
  end

  local function claim()
    return assert(pool:query(sql.claim_mail, { LEASE_MS })).rows[1]
  end

  local function rows(text)
    return server:sql(url, text)
  end

  it("hands a mail out with all that is known, and to one alone", function()
    result(1, { token(1) })
    local row = claim()
    assert.are.same({ "student1@example.org", "Student 1", "a", "e", "s", subid(1), "test", 1, 1 }, {
      row.email, row.name, row.administrator, row.event, row.assignment, row.subid, row.mode, row.attempt, row.run,
    })
    assert.are.same({ 1, "WA", 1, 2, false }, { row.tries, row.verdict, row.passed, row.total, row.has_newer })
    assert.are.equal("integer", math.type(row.age_ms))
    assert.are.equal(1769947200000, row.submitted_at)
    assert.is_nil(claim())
    -- Its lease over, the next has it, and the first has nothing to say any more.
    rows "UPDATE submitter.mails SET next_try_at = now() - interval '1 second'"
    assert.are.equal(2, claim().tries)
    assert.are.equal(0, assert(pool:query(sql.end_mail, { row.id, 1, "sent", "" })).count)
    assert.are.equal(0, assert(pool:query(sql.put_mail_off, { row.id, 1, 1000, "x", false })).count)
    assert.are.equal(1, assert(pool:query(sql.end_mail, { row.id, 2, "refused", "a reason" })).count)
    assert.are.equal("refused|a reason", rows "SELECT outcome, problem FROM submitter.mails")
    assert.are.equal(0, assert(pool:query(sql.end_mail, { row.id, 2, "sent", "" })).count)
    rows "UPDATE submitter.mails SET next_try_at = now() - interval '1 second'"
    assert.is_nil(claim())
  end)

  it("is never handed out twice by mailers that ask at the same moment", function()
    result(1, { token(1) })
    local done, row = host.task.event(), nil
    local first = host.task.spawn("another mailer", pool.transaction, pool, function(transaction)
      row = assert(transaction:query(sql.claim_mail, { LEASE_MS })).rows[1]
      done:wait()
      return true
    end)
    support.eventually("it has the mail", function() return row ~= nil end)
    local found = pool:query(sql.claim_mail, { LEASE_MS }, { timeout_ms = 5000 })
    local count = found and #found.rows
    done:set()
    first:join()
    assert.are.equal(0, count)
    assert.is_nil(claim())
  end)

  it("keeps a mail back for as long as it is put off", function()
    result(1, { token(1) })
    local row = claim()
    assert.are.equal(1, assert(pool:query(sql.put_mail_off, { row.id, 1, 90000, "later", true })).count)
    assert.is_nil(claim())
    assert.are.equal("t|later|1", rows [[
      SELECT next_try_at BETWEEN now() + interval '60 seconds' AND now() + interval '91 seconds', problem, uncertain
      FROM submitter.mails]])
  end)

  it("knows what was overtaken by a later run or attempt of the same, for the same student", function()
    result(1, { token(1), token(2) })
    result(1, { token(1), token(2) }, { run = 2, verdict = "AC", passed = 2, points = 2,
      finished_at = "2026-02-01T13:00:00.000Z" })
    result(1, { token(1) }, { run = 3, attempt = 2, source_sha256 = ("1"):rep(64),
      finished_at = "2026-02-01T14:00:00.000Z" })
    result(1, { token(1) }, { mode = "grade", run = 4, attempt = 2, source_sha256 = ("1"):rep(64) })
    result(2, { token(1) })
    local found = {}
    for row in claim do
      found[#found + 1] = ("%s %s %s %d/%d %s"):format(row.email:match "^[^@]+",
        row.subid == subid(1) and "one" or "two", row.mode, row.attempt, row.run,
        row.has_newer and "overtaken" or "stands")
    end
    table.sort(found)
    assert.are.same({
      "student1 one grade 2/4 stands", "student1 one test 1/1 overtaken", "student1 one test 1/2 overtaken",
      "student1 one test 2/3 stands", "student1 two test 1/1 stands", "student2 one test 1/1 overtaken",
      "student2 one test 1/2 stands",
    }, found)
  end)

  it("goes with its student", function()
    result(1, { token(1), token(2) })
    rows "DELETE FROM submitter.students WHERE email = 'student1@example.org'"
    assert.are.equal("student2@example.org", claim().email)
    assert.is_nil(claim())
  end)

  it("is emptied by two mailers, each mail once", function()
    local sent, taken = {}, 0
    local function smtp()
      return { open = function()
        return {
          send = function(_, envelope)
            host.clock.sleep_ms(math.random(0, 3))
            local id = envelope.mail:match "Message%-ID: <(%x+)@"
            assert(not sent[id], "the same mail was sent twice")
            sent[id], taken = envelope.to, taken + 1
            return true, { reused = true }
          end,
          close = function() return true end,
        }
      end }
    end
    for number = 1, 10 do result(number, { token(number), token(number + 10), token(number) }) end
    finally(support.replace(host.log, { info = function() end }))
    local settings = { url = "smtp://mail.example", from = "a@b.c", tls = "none", attachment_limit_bytes = 1000 }
    local tasks, other = {}, database.open { url = url }
    for index, one in ipairs { pool, other } do
      local made = assert(mailer.new { database = one, store = store, settings = settings, smtp = smtp() })
      tasks[index] = host.task.spawn("mailer", made.run_once, made)
    end
    local counts = 0
    for _, one in ipairs(tasks) do
      local _, count = assert(one:join())
      counts = counts + count.sent
    end
    other:close()
    assert.are.same({ 20, 20 }, { taken, counts })
    local people = {}
    for _, address in pairs(sent) do people[address] = true end
    for number = 1, 20 do assert.is_true(people[("student%d@example.org"):format(number)]) end
    assert.are.equal("20", rows "SELECT count(*) FROM submitter.mails WHERE outcome = 'sent' AND ended_at IS NOT NULL")
  end)

  it("may be emptied by a worker that has a worker's rights", function()
    result(1, { token(1) })
    rows "CREATE ROLE a_mailer LOGIN; GRANT submitter_worker TO a_mailer"
    finally(function() rows "REVOKE submitter_worker FROM a_mailer; DROP ROLE a_mailer" end)
    local own = database.open { url = (url:gsub("user=%S+", "user=a_mailer")) }
    finally(function() own:close() end)
    local row = assert(own:query(sql.claim_mail, { LEASE_MS })).rows[1]
    assert(own:query(sql.put_mail_off, { row.id, 1, 0, "x", false }))
    assert(own:query(sql.end_mail, { row.id, 1, "sent", "" }))
    own:close()
  end)
end)
