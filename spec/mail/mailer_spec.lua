local fake_database = require "spec.fake.database"
local fake_store = require "fake.store"
local host = require "submitter.host"
local key = require "submitter.key"
local mailer = require "submitter.mail.mailer"
local python = require "spec.mail.python"
local smtp = require "fake.smtp"
local sql = require "submitter.database.statements.mail"
local support = require "support"

local SUBID = ("ab"):rep(16)
local MINUTE_MS = 60000

local function names(mode, root)
  return key.names(assert(key.location("admin", "fall", "sum", SUBID, root)), mode or "test")
end

local function report(changes)
  local made = {
    subid = SUBID, admin = "admin", event = "fall", assignment = "sum", mode = "test", verdict = "AC",
    reason = host.json.null, passed = 2, total = 2, points = 2, max_points = 2, attempt = 1, run = 1,
    submitted_at = "2026-11-24T05:55:34.123Z", finished_at = "2026-11-24T05:56:00.000Z", cases = host.json.array {},
  }
  for name, value in pairs(changes or {}) do made[name] = value end
  return host.json.encode(made)
end

local function row(changes)
  local made = {
    id = 7, run = 1, tries = 1, uncertain = 0, created_at = 1795499734123, age_ms = 1000,
    email = "student@example.org", name = "Ada",
    administrator = "admin", event = "fall", assignment = "sum", subid = SUBID, mode = "test", attempt = 1,
    verdict = "AC", passed = 2, total = 2, points = 2.0, max_points = 2.0, submitted_at = 1795499734123,
    finished_at = 1795499760000, has_newer = false,
  }
  for name, value in pairs(changes or {}) do made[name] = value end
  return made
end

-- A mail server in memory: `answers` by the number of the call, each { sent, message, code, details }.
local function fake_smtp()
  local self = { mails = {}, opened = 0, closed = 0, answers = {} }
  function self.open(options)
    self.opened, self.options = self.opened + 1, options
    local session = {}
    function session.send(_, envelope)
      self.mails[#self.mails + 1] = envelope
      local answer = self.answers[#self.mails] or self.answer or { true, { reused = false } }
      if answer.throws then error(answer.throws) end
      if answer.waits then host.clock.sleep_ms(60000) end
      return table.unpack(answer, 1, 4)
    end
    function session.check() return table.unpack(self.answer or { true, { reused = false } }, 1, 4) end
    function session.close() self.closed = self.closed + 1 return true end
    return session
  end
  return self
end

describe("the mailer", function()
  local database, store, server, due, lines
  local restore

  before_each(function()
    database, store, server, due, lines = fake_database.open(), fake_store.open {}, fake_smtp(), {}, {}
    store.objects[names().result], store.objects[names().out] = report(), "input,expected output\r\n1,1\r\n"
    database:answer(sql.claim_mail, function() return due[1] and { table.remove(due, 1) } or {} end)
    database:answer(sql.end_mail, { rows = {}, count = 1 })
    database:answer(sql.put_mail_off, { rows = {}, count = 1 })
    local function keep(event, fields) lines[#lines + 1] = { event = event, fields = fields or {} } end
    restore = support.replace(host.log, { debug = keep, info = keep, warn = keep, error = keep })
  end)
  after_each(function()
    restore()
    -- No line of the log ever tells whom it was about.
    for _, line in ipairs(lines) do
      local text = host.json.encode(line.fields)
      for _, secret in ipairs { "student@", "Ada", "words", "password" } do
        assert.is_nil(text:find(secret, 1, true), text)
      end
    end
  end)
  teardown(smtp.stop)

  local function new(changes)
    local settings = { url = "smtp://mail.example", from = "grading@example.org", tls = "none",
      attachment_limit_bytes = 1000, modes = { "test", "grade" } }
    for name, value in pairs(changes or {}) do settings[name] = value end
    return assert(mailer.new { database = database, store = store, settings = settings, smtp = server,
      random = function() return 0 end })
  end

  local function events()
    local list = {}
    for index, line in ipairs(lines) do list[index] = line.event end
    return list
  end

  -- How the only mail ended: { id, try, outcome, problem }.
  local function ended()
    local calls = database:asked(sql.end_mail)
    assert.are.equal(1, #calls)
    return calls[1].parameters
  end

  local function put_off(number)
    local calls = database:asked(sql.put_mail_off)
    assert.are.equal(number or 1, #calls)
    return calls[#calls].parameters
  end

  describe("with a mail that is due", function()
    it("sends the student's own report to him alone", function()
      due = { row() }
      assert.are.same({ sent = 1, superseded = 0, refused = 0, deferred = 0 }, (new():run_once()))
      assert.are.same({ 7, 1, "sent", "" }, ended())
      assert.are.same({ "grading@example.org", "student@example.org" }, { server.mails[1].from, server.mails[1].to })
      local read = python.read(server.mails[1].mail)
      assert.are.same({ { "Ada", "student@example.org" } }, read.to)
      assert.are.equal("[fall/sum] AC 2 of 2", read.field "Subject")
      assert.are.equal("sum.csv", read.parts[2].name)
      assert.are.equal("input,expected output\r\n1,1\r\n", read.parts[2].data)
      assert.are.same({ 1, 1 }, { server.opened, server.closed })
      assert.are.same({ 15 * MINUTE_MS }, database:asked(sql.claim_mail)[1].parameters)
    end)

    it("can be known again, if it is sent again", function()
      due = { row(), row { tries = 2 }, row { id = 8 } }
      new():run_once()
      local ids = {}
      for index, mail in ipairs(server.mails) do ids[index] = mail.mail:match "Message%-ID: <(%x+)@example%.org>" end
      assert.is_string(ids[1])
      assert.are.equal(ids[1], ids[2])
      assert.are_not.equal(ids[1], ids[3])
    end)

    it("uses one connection, and reads a team's report once", function()
      due = { row(), row { id = 8, email = "b@example.org" }, row { id = 9, email = "c@example.org" } }
      assert.are.equal(3, new():run_once().sent)
      assert.are.equal(1, server.opened)
      assert.are.equal(2, #store:asked "get")
      for index, mail in ipairs(server.mails) do
        local _, count = mail.mail:gsub("@example%.org", "")
        assert.are.equal(3, count, "From, To and Message-ID of mail " .. index)
      end
    end)

    it("never takes one submission's report for another's", function()
      local other, grade = ("cd"):rep(16), key.names(assert(key.location("admin", "fall", "sum", SUBID)), "grade")
      local others = key.names(assert(key.location("admin", "fall", "sum", other)), "test")
      store.objects[others.result], store.objects[others.out] = report { subid = other, passed = 1 }, "other\r\n"
      store.objects[grade.result], store.objects[grade.out] = report { mode = "grade", passed = 0 }, "grade\r\n"
      due = { row(), row { id = 8, subid = other, email = "b@example.org" }, row { id = 9, mode = "grade" } }
      assert.are.equal(3, new():run_once().sent)
      local told = {}
      for index, mail in ipairs(server.mails) do
        told[index] = ("%s %s"):format(mail.to, mail.mail:match "Passed +(%d) of")
      end
      assert.are.same({ "student@example.org 2", "b@example.org 1", "student@example.org 0" }, told)
    end)

    it("says nothing where something newer has its own mail", function()
      due = { row { has_newer = true } }
      assert.are.equal(1, new():run_once().superseded)
      assert.are.same({ 7, 1, "superseded", "" }, ended())
      assert.are.equal(0, #server.mails)
    end)

    it("waits for the mail of what was published since, and tells of that if none comes", function()
      store.objects[names().result] = report { run = 2, passed = 1, verdict = "WA" }
      due = { row() }
      assert.are.equal(1, new():run_once().deferred)
      assert.are.equal(0, #server.mails)
      due = { row { tries = 2 } }
      assert.are.equal(1, new():run_once().sent)
      assert.are.equal("[fall/sum] WA 1 of 2", python.read(server.mails[1].mail).field "Subject")
    end)

    it("never tells of something older", function()
      for _, older in ipairs { row { run = 2, tries = 9 }, row { attempt = 2, run = 5, tries = 9 } } do
        due = { older }
        assert.are.equal(1, new():run_once().deferred)
      end
      assert.are.equal(0, #server.mails)
    end)

    it("takes what is there: the report alone, the table alone, the other spelling of keys", function()
      due = { row() }
      store.objects[names().out] = nil
      assert.are.equal(1, new():run_once().sent)
      assert.are.equal(1, #python.read(server.mails[1].mail).parts)
      due = { row() }
      store.objects[names().result], store.objects[names().out] = nil, "x\r\n"
      assert.are.equal(1, new():run_once().sent)
      assert.are.equal("[fall/sum] AC 2 of 2", python.read(server.mails[2].mail).field "Subject")
      due = { row { mode = "grade" } }
      store.objects = { [names("grade", "/").result] = report(), [names("grade", "/").out] = "y\r\n" }
      assert.are.equal(1, new():run_once().sent)
      local read = python.read(server.mails[3].mail)
      assert.are.equal("[fall/sum] AC 2 of 2 (final)", read.field "Subject")
      assert.are.equal("y\r\n", read.parts[2].data)
    end)

    it("of which nothing can be made, goes on to the next", function()
      store.objects[names().result] = report { cases = 1 }
      store.objects[names("grade").result] = report { mode = "grade" }
      due = { row(), row { id = 8, mode = "grade" } }
      assert.are.same({ sent = 1, superseded = 0, refused = 0, deferred = 1 }, (new():run_once()))
      assert.are.equal(7, put_off()[1])
      assert.are.equal("mail_error", events()[1])
    end)

    it("leaves a table out that is too large, and says so", function()
      store.objects[names().out] = ("x"):rep(1001)
      due = { row() }
      assert.are.equal(1, new():run_once().sent)
      local read = python.read(server.mails[1].mail)
      assert.are.equal(1, #read.parts)
      assert.is_truthy(read.parts[1].data:find "too large for a mail")
    end)

    it("gives it up where nothing is published, or nobody can be written to", function()
      store.objects = {}
      due = { row(), row { id = 8, email = "student@example.org\r\nBcc: x@example.org" },
        row { id = 9, email = "Ada" } }
      assert.are.equal(3, new():run_once().refused)
      assert.are.same({ "mail_refused", "mail_refused", "mail_refused" }, events())
      assert.are.equal(0, #server.mails)
    end)
  end)

  describe("told no", function()
    local function answers(message, code, details)
      server.answer = { nil, message, code, details }
      due = { row(), row { id = 8, email = "b@example.org" } }
    end

    it("for good, gives that mail up and goes on", function()
      answers("s: refused: status 550", "refused",
        { status = 550, stage = "recipient", text = "no words student@example.org" })
      server.answers[2] = { true, {} }
      assert.are.same({ sent = 1, superseded = 0, refused = 1, deferred = 0 }, (new():run_once()))
      local call = database:asked(sql.end_mail)[1].parameters
      assert.are.same({ 7, 1, "refused", "s: refused: status 550 (no words student@example.org)" }, call)
    end)

    it("for now, tries that mail later and goes on", function()
      answers("s: status 450", "deferred", { status = 450, stage = "recipient", text = "words" })
      server.answers[2] = { true, {} }
      assert.are.same({ sent = 1, superseded = 0, refused = 0, deferred = 1 }, (new():run_once()))
      assert.are.same({ 7, 1, MINUTE_MS, "s: status 450 (words)", false }, put_off())
    end)

    it("waits longer and longer, for three days", function()
      local one = new()
      for tries, minutes in pairs { [1] = 1, [2] = 2, [3] = 4, [6] = 32, [7] = 60, [70] = 60 } do
        server.answer = { nil, "s: status 450", "deferred", { status = 450, stage = "recipient" } }
        due = { row { tries = tries } }
        database.calls = {}
        one:run_once()
        assert.are.equal(minutes * MINUTE_MS, put_off()[3])
      end
      database.calls = {}
      due = { row { tries = 80, age_ms = 3 * 24 * 60 * MINUTE_MS } }
      assert.are.equal(1, one:run_once().refused)
      assert.is_truthy(ended()[4]:find "^given up after three days: s: status 450")
    end)

    it("by a server that is away, stops at once and says so once", function()
      local one = new()
      for _, code in ipairs { "connect", "tls", "timeout", "cut", "auth", "sender", "url", "library" } do
        answers("s: no connection", code, { stage = "greeting", handed_over = false })
        database.calls, server.mails = {}, {}
        local counts, message, class = one:run_once()
        assert.are.same({ nil, "s: no connection", code }, { counts, message, class })
        assert.are.equal(1, #server.mails)
        assert.are.equal(7, put_off()[1])
      end
      assert.are.equal("mail_server_away", one:problem())
      server.answer = nil
      due = { row() }
      assert.are.equal(1, one:run_once().sent)
      assert.is_nil(one:problem())
      local told = {}
      for _, event in ipairs(events()) do
        if event:find "server" then told[#told + 1] = event end
      end
      assert.are.same({ "mail_server_away", "mail_server_back" }, told)
    end)

    it("by a server that is closing, or has enough of the sender, takes that for the server's own", function()
      for _, details in ipairs { { status = 421, stage = "recipient" }, { status = 451, stage = "sender" } } do
        answers("s: status", "deferred", details)
        server.mails = {}
        assert.is_nil((new():run_once()))
        assert.are.equal(1, #server.mails)
      end
    end)

    it("for a recipient elsewhere, by a server that takes other mails, goes on", function()
      local one = new()
      answers("s: status 554", "auth", { status = 554, stage = "recipient", handed_over = false })
      assert.is_nil((one:run_once()))
      due = { row(), row { id = 8 }, row { id = 9 } }
      server.answers = { [2] = { true, {} }, [4] = { true, {} } }
      assert.are.same({ sent = 2, superseded = 0, refused = 0, deferred = 1 }, (one:run_once()))
      assert.is_nil(one:problem())
    end)

    it("on a connection that was used before, tries once on another", function()
      answers("s: cut", "cut", { stage = "sender", reused = true, handed_over = false })
      server.answer = nil
      server.answers[2] = { nil, "s: cut", "cut", { stage = "sender", reused = true, handed_over = false } }
      assert.are.equal(2, new():run_once().sent)
      assert.are.equal(3, #server.mails)
      assert.are.equal(2, server.opened)
    end)

    it("neither yes nor no, doesn't send the same for ever", function()
      local details = { stage = "message", reused = true, handed_over = true }
      answers("s: timed out", "timeout", details)
      assert.is_nil((new():run_once()))
      assert.are.equal(1, #server.mails)
      assert.is_true(put_off()[5])
      server.mails = {}
      answers("s: cut", "cut", details)
      assert.is_nil((new():run_once()))
      assert.are.equal(1, #server.mails)
      -- Tries that came to nothing for other reasons don't count.
      due = { row { tries = 9, uncertain = 1 } }
      assert.is_nil((new():run_once()))
      assert.are.equal(0, #database:asked(sql.end_mail))
      due = { row { tries = 3, uncertain = 2 } }
      assert.are.equal(1, new():run_once().refused)
      assert.is_truthy(ended()[4]:find "may have arrived")
    end)
  end)

  describe("in the way of what is away", function()
    it("leaves mails where they are while the bucket is", function()
      store.fail = function() return "the bucket is away", "unavailable" end
      due = { row(), row { id = 8 } }
      local one = new()
      assert.are.equal("unavailable", (select(3, one:run_once())))
      assert.are.equal("mail_reports_unavailable", one:problem())
      assert.are.equal(1, #due)
      assert.are.equal(0, #server.mails)
      store.fail = function() end
      assert.are.equal(1, one:run_once().sent)
      assert.is_nil(one:problem())
    end)

    it("never sends twice what the database couldn't note", function()
      due = { row() }
      local one = new()
      database.trouble = function(call) if call.sql == sql.end_mail then return "away", "unavailable" end end
      assert.is_nil((one:run_once()))
      database.trouble = function() end
      due = { row { tries = 2 } }
      assert.are.equal(1, one:run_once().sent)
      assert.are.equal(1, #server.mails)
      assert.are.equal(2, database:asked(sql.end_mail)[2].parameters[2])
    end)

    it("tells of the database once, and goes on by itself", function()
      local one = new()
      database.trouble = function() return "away", "unavailable" end
      assert.is_nil((one:run_once()))
      assert.is_nil((one:run_once()))
      assert.are.same({ "mail_outbox_unavailable" }, events())
      database.trouble = function() end
      assert.are.equal(0, one:run_once().sent)
      assert.is_nil(one:problem())
    end)
  end)

  describe("as a loop", function()
    it("sends what comes when it is woken, until it is stopped", function()
      local one = new()
      local loop = host.task.spawn("mail", one.loop, one)
      host.clock.sleep_ms(20)
      due = { row() }
      one:wake()
      support.eventually("it is sent", function() return #server.mails == 1 end)
      assert.error_matches(function()
        due = { row() }
        local waiting = new()
        waiting.is_running = true
        waiting:run_once()
      end, "running already")
      one:stop()
      assert.is_true(loop:done())
      one:stop()
    end)

    it("isn't woken for nothing while the server is away", function()
      local one = new()
      server.answer = { nil, "s: no connection", "connect", { stage = "greeting" } }
      due = { row(), row { id = 8 } }
      host.task.spawn("mail", one.loop, one)
      support.eventually("it was tried", function() return #server.mails == 1 end)
      for _ = 1, 5 do
        one:wake()
        host.clock.sleep_ms(10)
      end
      assert.are.equal(1, #server.mails)
      one:stop()
    end)

    it("outlives its own errors, and gives the mail back", function()
      local one = new()
      server.answer = { throws = "a bug" }
      due = { row() }
      local loop = host.task.spawn("mail", one.loop, one)
      support.eventually("it was tried", function() return one:problem() == "mail_error" end)
      assert.are.equal(7, put_off()[1])
      assert.is_false(loop:done())
      one:stop()
      assert.is_true(loop:done())
    end)

    it("isn't held up by a mail server when it is stopped", function()
      local one = new()
      server.answer = { waits = true }
      due = { row() }
      local loop = host.task.spawn("mail", one.loop, one)
      support.eventually("it is being sent", function() return #server.mails == 1 end)
      local begun = host.clock.monotonic_ms()
      one:stop()
      assert.is_true(loop:done())
      assert.is_true(host.clock.monotonic_ms() - begun < 20000)
      assert.are.equal(7, put_off()[1])
    end)
  end)

  it("refuses settings that contradict each other", function()
    for _, settings in ipairs { { user = "a" }, { password = "password" },
      { user = "a", password = "password", tls = "opportunistic" } } do
      local one, message, code = mailer.new { database = database, store = store, smtp = server, settings = {
        url = "smtp://mail.example", from = "a@b.c", tls = settings.tls or "required", user = settings.user,
        password = settings.password, attachment_limit_bytes = 0 } }
      assert.is_nil(one)
      assert.is_truthy(message:find("mail = smtp { … }: ", 1, true))
      assert.are.equal("environment", code)
    end
    assert.has_error(function() mailer.new { database = database } end)
    assert.has_error(function() mailer.new { database = database, store = store, settings = {}, other = 1 } end)
  end)

  it("tries the server for the doctor", function()
    local real = smtp.start { tls = "start", users = { worker = "secret" } }
    local settings = { url = real:url(), ca_file = real.ca_file, tls = "required", user = "worker",
      password = "secret" }
    assert.is_true((mailer.check(settings)))
    settings.password = "wrong"
    local good, message, code = mailer.check(settings)
    assert.is_nil(good)
    assert.are.equal("auth", code)
    assert.is_truthy(message:find "see user and password")
    assert.are.equal(0, #real:mails())
  end)

  it("speaks to a real server", function()
    local real = smtp.start { tls = "start", users = { worker = "secret" } }
    server = host.smtp
    due = { row(), row { id = 8, email = "nobody@example.org" }, row { id = 9, email = "c@example.org" } }
    real:answer("RCPT nobody@example.org", { reply = "550 5.1.1 no words for nobody@example.org" })
    local settings = { url = real:url(), ca_file = real.ca_file, tls = "required", user = "worker",
      password = "secret" }
    local counts = new(settings):run_once()
    assert.are.same({ sent = 2, superseded = 0, refused = 1, deferred = 0 }, counts)
    assert.are.same({ { "student@example.org" }, { "c@example.org" } }, { real:mails()[1].to, real:mails()[2].to })
  end)
end)
