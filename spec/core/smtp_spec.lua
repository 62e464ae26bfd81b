local core = require "core.support"
local host = require "submitter.host"
local smtp = require "fake.smtp"
local support = require "support"

local task = host.task

local MAIL = "From: a@example.org\r\nSubject: s\r\n\r\nhello\r\n"

describe("smtp", function()
  after_each(support.clean)
  teardown(smtp.stop)

  -- What must not come out: passwords, addresses, the server's own words.
  local function failure(ok, message, code, details)
    assert.is_nil(ok)
    assert.is_nil(message:find("secret", 1, true), message)
    assert.is_nil(message:find("student", 1, true), message)
    return code, message, details
  end

  local function open(server, options)
    options = options or {}
    options.url = options.url or server:url()
    options.ca_file = options.ca_file or server.ca_file
    if server.scheme == "smtp" and not server.ca_file then options.tls = options.tls or "none" end
    return host.smtp.open(options)
  end

  local function send(session, options)
    options = options or {}
    return session:send { from = options.from or "grader@example.org", to = options.to or "student@example.org",
      mail = options.mail or MAIL }
  end

  local function once(server, options, mail)
    local session <close> = open(server, options)
    return send(session, mail)
  end

  describe("a session", function()
    it("sends a mail to one recipient, and takes leave", function()
      local server = smtp.start { size = 1000000 }
      local session = open(server)
      assert.are.same({ true, { reused = false } }, { send(session) })
      assert.is_true(session:close())
      local mails = server:mails()
      assert.are.equal(1, #mails)
      assert.are.same({ "grader@example.org", { "student@example.org" }, MAIL },
        { mails[1].from, mails[1].to, mails[1].data })
      assert.are.equal("SIZE=" .. #MAIL, mails[1].parameters)
      local lines = server:lines()
      assert.are.equal("1 QUIT", lines[#lines])
    end)

    it("keeps its connection from mail to mail", function()
      local server = smtp.start()
      local session <close> = open(server)
      for index = 1, 3 do
        local ok, details = send(session, { to = index .. "@example.org" })
        assert.is_true(ok)
        assert.are.equal(index > 1, details.reused)
      end
      assert.are.equal(1, (select(2, server:lines())))
      -- One that the server ended meanwhile is made anew.
      server:drop()
      host.clock.sleep_ms(50)
      assert.are.same({ true, { reused = false } }, { send(session) })
      assert.are.equal(4, #server:mails())
    end)

    it("greets by the machine's name, or by the one in the URL", function()
      local server = smtp.start()
      assert(once(server, { url = server:url() .. "/worker.example" }))
      assert.are.equal("1 EHLO worker.example", (server:lines())[1])
    end)

    it("carries any text, dots and long lines included, byte for byte", function()
      local server = smtp.start()
      local body = ".\r\n..\r\n.x\r\n" .. ("y"):rep(998) .. "\r\n\xff\xfe\r\n.\r\n\r\n.\r\n"
      local large = ("0123456789abcde.\r\n"):rep(60000)
      local session <close> = open(server)
      for _, text in ipairs { body, large, ".\r\n" } do assert(send(session, { mail = "A: b\r\n\r\n" .. text })) end
      for index, text in ipairs { body, large, ".\r\n" } do
        assert.is_true("A: b\r\n\r\n" .. text == server:mails()[index].data)
      end
    end)

    it("is used by one task at a time, and not after its end", function()
      local server = smtp.start()
      server:answer("message", { delay_ms = 300 })
      local session = open(server)
      local first = task.spawn("first", send, session)
      host.clock.sleep_ms(50)
      assert.has_error(function() send(session) end, nil)
      assert.is_true(first:join())
      session:close()
      assert.is_true(session:close())
      assert.error_matches(function() send(session) end, "the Session is closed")
    end)

    it("checks that it could send", function()
      local server = smtp.start { tls = "start", users = { worker = "secret" } }
      local session <close> = open(server, { user = "worker", password = "secret" })
      assert.is_true((session:check()))
      assert.is_true((send(session)))
      local wrong <close> = open(server, { user = "worker", password = "secret2" })
      assert.are.equal("auth", failure(wrong:check()))
      assert.are.equal(1, #server:mails())
    end)
  end)

  describe("a mail server that thinks", function()
    it("holds nobody up", function()
      local server = smtp.start()
      server:answer("message", { delay_ms = 1500 })
      server:answer("QUIT", { delay_ms = 1500 })
      local session = open(server)
      local longest, done = 0, false
      local watcher = task.spawn("watcher", function()
        local last = host.clock.monotonic_ms()
        while not done do
          host.clock.sleep_ms(5)
          local now = host.clock.monotonic_ms()
          longest, last = math.max(longest, now - last), now
        end
      end)
      assert(send(session))
      session:close()
      done = true
      watcher:join()
      assert.is_true(longest < 1000, longest .. " ms")
    end)

    it("is given up after a time, wherever it is", function()
      local begun = host.clock.monotonic_ms()
      for _, stage in ipairs { "greeting", "EHLO", "MAIL", "RCPT", "DATA", "message" } do
        local server = smtp.start()
        server:answer(stage, { hang = true })
        local early = stage == "greeting" or stage == "EHLO"
        local code, message, details = failure(once(server,
          { connect_timeout_ms = early and 300 or 20000, stall_ms = early and 20000 or 300 }))
        assert.are.equal("timeout", code)
        assert.matches(early and "no connection within 300 ms$" or "not a byte either way for 300 ms$", message)
        assert.are.equal(stage == "message", details.handed_over)
        server:close()
      end
      local slow = smtp.start()
      slow:answer("message", { delay_ms = 20000 })
      local code, message = failure(once(slow, { timeout_ms = 1500 }))
      assert.are.equal("timeout", code)
      assert.matches("the mail wasn't taken within 1500 ms$", message)
      assert.is_true(host.clock.monotonic_ms() - begun < 15000)
    end)

    it("is given up when it talks without end", function()
      for _, stage in ipairs { "greeting", "EHLO", "MAIL", "message" } do
        for _, reply in ipairs { "250-more\r\n", ("250-more and more "):rep(1000) } do
          local server = smtp.start()
          server:answer(stage, { reply = reply, endless = true, taken = false })
          local begun = host.clock.monotonic_ms()
          assert.is_nil((once(server, { timeout_ms = 1000 })))
          assert.is_true(host.clock.monotonic_ms() - begun < 10000)
          server:close()
        end
      end
    end)

    it("can't keep anybody at the door", function()
      local server = smtp.start()
      server:answer("QUIT", { hang = true })
      local session = open(server)
      assert(send(session))
      local begun = host.clock.monotonic_ms()
      session:close()
      assert.is_true(host.clock.monotonic_ms() - begun < 15000)
      -- Nor the end of the process.
      begun = host.clock.monotonic_ms()
      local result = core.script([[
        local smtp = require "submitter.core.smtp"
        local session = smtp.open { url = arg[1], tls = "none" }
        assert(session:send { from = "a@b.c", to = "d@e.f", mail = "A: b\r\n\r\n" })
        local other = smtp.open { url = arg[1], tls = "none" }
        task.spawn("other", function() other:send { from = "a@b.c", to = "hang@e.f", mail = "A: b\r\n\r\n" } end)
        clock.sleep_ms(100)
        print "end"]], { server:url() })
      assert.are.equal("end\n", result.stdout, result.stderr)
      assert.is_true(host.clock.monotonic_ms() - begun < 10000)
    end)

    it("isn't waited for by a task that was cancelled", function()
      local server = smtp.start()
      server:answer("message", { { hang = true }, {} })
      local session <close> = open(server)
      local begun = host.clock.monotonic_ms()
      assert.are.equal("timeout", core.code(task.within(100, send, session)))
      assert.is_true(host.clock.monotonic_ms() - begun < 5000)
      assert.is_true((send(session)))
    end)
  end)

  describe("what the server says", function()
    local cases = {
      { "greeting", "421 4.3.2 busy", "connect", 421, "4.3.2" },
      { "greeting", "554 no", "connect", 554 },
      { "MAIL", "451 4.3.0 later", "deferred", 451, "4.3.0", "sender" },
      { "MAIL", "550 5.7.1 not you", "sender", 550, "5.7.1", "sender" },
      { "MAIL", "530 5.7.0 log in", "auth", 530, "5.7.0", "sender" },
      { "MAIL", "552 5.3.4 too large", "refused", 552, "5.3.4", "sender" },
      { "RCPT", "450 4.2.0 greylisted", "deferred", 450, "4.2.0", "recipient" },
      { "RCPT", "550 5.1.1 no student", "refused", 550, "5.1.1", "recipient" },
      { "RCPT", "550 Relay not permitted", "auth", 550, nil, "recipient" },
      { "RCPT", "421-4.7.0 slowly\r\n421 4.7.0 please", "deferred", 421, "4.7.0", "recipient" },
      { "DATA", "451 later", "deferred", 451, nil, "message" },
      { "message", "452 4.3.1 full", "deferred", 452, "4.3.1", "message" },
      { "message", "554 5.6.0 spam from student", "refused", 554, "5.6.0", "message" },
    }

    it("is a class, a status, and words for details alone", function()
      for _, case in ipairs(cases) do
        local stage, reply, code, status, enhanced, where = table.unpack(case, 1, 6)
        local server = smtp.start()
        server:answer(stage, { reply = reply })
        local got, message, details = failure(once(server))
        assert.are.equal(code, got, reply)
        assert.are.equal(status, details.status)
        assert.are.equal(enhanced, details.enhanced)
        assert.is_false(details.handed_over)
        if where then assert.are.equal(where, details.stage) end
        assert.matches("^127%.0%.0%.1:%d+: ", message)
        assert.matches(": status " .. status, message)
        assert.are.equal(0, #server:mails())
        server:close()
      end
      local server = smtp.start()
      server:answer("RCPT", { reply = "550-5.1.1 first\r\n550 5.1.1 student@example.org \27[2J" })
      local _, _, details = failure(once(server))
      assert.are.equal("first student@example.org ?[2J", details.text)
    end)

    it("about a whole mail may be neither yes nor no", function()
      for _, reply in ipairs { "251 2.0.0 forwarded", "354 go on" } do
        local server = smtp.start()
        server:answer("message", { reply = reply })
        local code, _, details = failure(once(server))
        assert.are.equal("cut", code)
        assert.is_true(details.handed_over, reply)
        server:close()
      end
    end)

    it("of one mail is nothing about the next", function()
      local server = smtp.start()
      server:answer("RCPT nobody@example.org", { reply = "550 5.1.1 nobody" })
      local session <close> = open(server)
      assert.is_true((send(session)))
      assert.are.equal("refused", failure(send(session, { to = "nobody@example.org" })))
      assert.is_true((send(session)))
      assert.are.equal(2, #server:mails())
    end)

    it("can be the end", function()
      for _, stage in ipairs { "greeting", "EHLO", "MAIL", "RCPT", "DATA", "message" } do
        local server = smtp.start()
        server:answer(stage, { close = true })
        local code, _, details = failure(once(server))
        local early = stage == "greeting" or stage == "EHLO"
        assert.are.equal(early and "connect" or "cut", code)
        assert.are.equal(stage == "message", details.handed_over)
        server:close()
      end
      local server = smtp.start()
      server:close()
      local code, message = failure(once(server))
      assert.are.equal("connect", code)
      assert.matches("no connection: connection refused", message)
      assert.are.equal("connect", failure(once(server, { url = "smtp://host.invalid" })))
    end)
  end)

  describe("TLS", function()
    it("is required, verified, and begun first or by STARTTLS", function()
      for _, kind in ipairs { "start", "implicit" } do
        local server = smtp.start { tls = kind }
        assert.is_true((once(server)))
        assert.is_true(server:mails()[1].tls)
        local other = smtp.start { tls = kind, certificate = "wrong_name" }
        local expired = smtp.start { tls = kind, certificate = "expired" }
        for _, one in ipairs { other, expired } do
          local code, message = failure(once(one))
          assert.are.equal("tls", code)
          assert.matches("the server can't be trusted", message)
        end
        local empty = support.directory()
        assert(empty:write("none.pem", ""))
        assert.are.equal("tls", failure(once(server, { ca_file = empty:path() .. "/none.pem" })))
        assert.are.equal("tls", failure(once(server, { ca_file = "/no/such/file" })))
        assert.are.equal(0, #other:mails() + #expired:mails())
        assert.are.equal(1, #server:mails())
        empty:close()
      end
    end)

    it("isn't begun by what somebody slipped in before it", function()
      local server = smtp.start { tls = "start" }
      server:answer("STARTTLS", { reply = "220 go ahead\r\n250-fake.invalid\r\n250 AUTH PLAIN" })
      failure(once(server, { user = "worker", password = "secret" }))
      assert.are.equal(0, #server:mails())
    end)

    it("isn't done without, unless that is said", function()
      local plain = smtp.start()
      local code, message = failure(once(plain, { tls = "required" }))
      assert.are.equal("tls", code)
      assert.matches("offers no STARTTLS", message)
      assert.is_true((once(plain, { tls = "opportunistic" })))
      local able = smtp.start { tls = "start" }
      assert.is_true((once(able, { tls = "opportunistic" })))
      assert.is_true((once(able, { tls = "none" })))
      assert.are.same({ true, false }, { able:mails()[1].tls, able:mails()[2].tls })
      able:answer("STARTTLS", { reply = "454 4.7.0 not now" })
      assert.are.equal("tls", failure(once(able, { tls = "required" })))
    end)

    it("has its authorities from SSL_CERT_FILE, not from Amazon's variable", function()
      local server = smtp.start { tls = "implicit" }
      local script = [[
        local session <close> = require "submitter.core.smtp".open { url = arg[1] }
        local ok, message, code = session:check()
        print(ok or code)]]
      local function says(environment)
        return core.script(script, { server:url() }, { environment = environment }).stdout
      end
      assert.are.equal("true\n", says { SSL_CERT_FILE = server.ca_file })
      assert.are.equal("tls\n", says { AWS_CA_BUNDLE = server.ca_file })
    end)
  end)

  describe("a login", function()
    local login = { user = "worker", password = "secret" }
    local function with(more)
      local options = { user = login.user, password = login.password }
      for name, value in pairs(more or {}) do options[name] = value end
      return options
    end

    it("is by PLAIN or LOGIN", function()
      for _, mechanism in ipairs { "PLAIN", "LOGIN" } do
        local server = smtp.start { tls = "start", users = { worker = "secret" }, mechanisms = { mechanism } }
        assert.is_true((once(server, with())))
        assert.are.equal("worker", server:mails()[1].user)
      end
    end)

    it("that is refused, or that nobody offers, sends nothing", function()
      local server = smtp.start { tls = "start", users = { worker = "secret" } }
      local code, message, details = failure(once(server, with { password = "secret2" }))
      assert.are.equal("auth", code)
      assert.matches("refuses the login: status 535 5%.7%.8; see user and password$", message)
      assert.are.equal("login", details.stage)
      server:answer("AUTH", { reply = "454 4.7.0 later" })
      assert.are.equal("connect", failure(once(server, with())))
      local none = smtp.start { tls = "start" }
      assert.are.equal("auth", failure(once(none, with())))
      local strange = smtp.start { tls = "start", users = { worker = "secret" }, mechanisms = { "CRAM-MD5" } }
      assert.are.equal("auth", failure(once(strange, with())))
      assert.are.equal(0, #server:mails() + #none:mails() + #strange:mails())
    end)

    it("is a secret, whichever command its letters look like", function()
      local server = smtp.start { tls = "start", users = { worker = "secret" }, mechanisms = { "LOGIN" } }
      local looks_like = "4\u{33C0}" -- NOOP…
      assert.are.equal("NOOP", host.smtp.base64(looks_like):sub(1, 4))
      local code, _, details = failure(once(server, with { password = looks_like }))
      assert.are.same({ "auth", "login" }, { code, details.stage })
    end)

    it("never goes out unencrypted", function()
      local server = smtp.start { users = { worker = "secret" }, login_without_tls = true }
      for _, tls in ipairs { "none", "opportunistic" } do
        assert.error_matches(function() open(server, with { tls = tls }) end, "under TLS only")
      end
      assert.are.equal("tls", failure(once(server, with { tls = "required" })))
      for _, line in ipairs((server:lines())) do assert.is_nil(line:find "AUTH") end
    end)
  end)

  describe("what is asked", function()
    local function refused(options, pattern)
      local session <close> = host.smtp.open { url = "smtp://127.0.0.1:1", tls = "none" }
      options.from, options.to = options.from or "a@b.c", options.to or "d@e.f"
      options.mail = options.mail or MAIL
      assert.error_matches(function() session:send(options) end, pattern)
    end

    it("never begins a command or a header of its own", function()
      for _, key in ipairs { "from", "to" } do
        for _, address in ipairs { "a@b.c\r\nRCPT TO:<x@y.z>", "a@b.c\n", "a\0@b.c", "a@b.c> SIZE=1", "a b@c.d",
          "<a@b.c>", "a@b.c,d@e.f", "a", "@b.c", "a@", "", "\xc3\xa4@b.c", ("a"):rep(250) .. "@b.cc" } do
          refused({ [key] = address }, "Session:send: " .. key)
        end
      end
    end)

    it("is a message whose lines nobody can read otherwise", function()
      for _, mail in ipairs { "", "a", "a\n", "a\r", "a\r\n.\nb\r\n", "a\r.\r\n", "a\0b\r\n",
        ("x"):rep(999) .. "\r\n" } do
        refused({ mail = mail }, "Session:send: mail ")
      end
    end)

    it("has the options that there are", function()
      for pattern, options in pairs {
        ["unknown option \"server\""] = { url = "smtp://a", server = "b" },
        ["url is needed"] = {},
        ["tls is"] = { url = "smtp://a", tls = "yes" },
        ["both or neither"] = { url = "smtp://a", user = "b" },
        ["line end"] = { url = "smtp://a", user = "b\r\n", password = "c" },
        ["timeout_ms"] = { url = "smtp://a", timeout_ms = 0 },
      } do
        assert.error_matches(function() host.smtp.open(options) end, pattern)
      end
      refused({ cc = "x@y.z" }, "unknown option \"cc\"")
    end)

    it("names a server", function()
      for _, url in ipairs { "http://a", "mail.example", "smtp://", "smtp://:25", "smtp://user:secret@host",
        "smtp://a/?b" } do
        local session <close> = host.smtp.open { url = url, tls = "none" }
        assert.are.equal("url", failure(send(session)))
      end
    end)
  end)

  it("leaves no thread, socket or descriptor behind", function()
    local server = smtp.start()
    server:answer("RCPT no@example.org", { reply = "550 no" })
    local function round()
      local session = open(server)
      send(session)
      send(session, { to = "no@example.org" })
      session:close()
      open(server)
      collectgarbage()
    end
    round()
    local before = core.descriptors()
    for _ = 1, 20 do round() end
    assert.are.equal(before, core.descriptors())
    support.eventually("all connections are closed", function() return select(3, server:lines()) == 0 end)
  end)

  it("writes base64 in lines of 76", function()
    for length = 0, 200 do
      local bytes = host.digest.random(256, "raw"):sub(1, length)
      local text = host.smtp.base64(bytes)
      for line in text:gmatch "([^\r\n]*)\r\n" do assert.is_true(#line <= 76 and #line > 0) end
      assert.are.equal(text:gsub("[^\r\n]", ""), ("\r\n"):rep(math.ceil(math.ceil(length / 3) * 4 / 76)))
    end
    assert.are.equal("", host.smtp.base64 "")
    assert.are.equal("Zg==\r\n", host.smtp.base64 "f")
    assert.are.equal("Zm8=\r\n", host.smtp.base64 "fo")
    assert.are.equal("Zm9v\r\n", host.smtp.base64 "foo")
    assert.are.equal(("Zm9v"):rep(19) .. "\r\nZm9vYg==\r\n", host.smtp.base64(("foo"):rep(20) .. "b"))
  end)
end)
