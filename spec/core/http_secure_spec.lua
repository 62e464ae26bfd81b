-- submitter.core.http through TLS, through proxies, and by HTTP/2.
local core = require "core.support"
local host = require "submitter.host"
local http_support = require "core.http_support"
local support = require "support"
local web = require "fake.web"

local task = host.task
local request, failure = http_support.request, http_support.failure

describe("core.http", function()
  local site

  before_each(function() site = web.start() end)
  after_each(function() site:close() end)
  teardown(function()
    web.stop()
    support.clean()
  end)

  describe("TLS", function()
    local secure

    before_each(function() secure = web.start { tls = "good" } end)
    after_each(function() secure:close() end)

    local function untrusted(pattern, options)
      local code, message = failure(options)
      assert.are.equal("tls", code, message)
      assert.matches(pattern, message)
      return message
    end

    it("is verified, and its connections are used again", function()
      for index = 1, 3 do
        assert.are.equal(index > 1, assert(request { url = secure:url("/"), ca_file = secure.ca_file }).reused)
      end
      assert(request { url = ("https://localhost:%d/"):format(secure.port), ca_file = secure.ca_file })
      assert.are.same({ handshakes_failed = 0, open = 2, opened = 2 }, secure:connections())
    end)

    it("isn't trusted beyond the authorities of the file", function()
      local message = untrusted("the server can't be trusted: SSL certificate problem: ",
        { url = secure:url("/?secret") })
      assert.matches("AWS_CA_BUNDLE or SSL_CERT_FILE can name another file", message)
      -- Nor does a kept connection that was trusted by another file count.
      assert(request { url = secure:url("/"), ca_file = secure.ca_file })
      untrusted("can't be trusted", { url = secure:url("/?secret") })
      assert.are.equal(1, #secure:requests())
    end)

    it("isn't trusted when it is expired, another's, or too old", function()
      local expired, other = web.start { tls = "expired" }, web.start { tls = "wrong_name" }
      local old = web.start { tls = "old" }
      untrusted("^127%.0%.0%.1:%d+: TLS: .*certificate has expired",
        { url = expired:url("/?secret"), ca_file = expired.ca_file })
      untrusted("^127%.0%.0%.1:%d+: TLS: .*subject name", { url = other:url("/?secret"), ca_file = other.ca_file })
      untrusted("no handshake %(1%.2 or newer%): .*protocol version",
        { url = old:url("/?secret"), ca_file = old.ca_file })
      for _, one in ipairs { expired, other, old } do
        assert.are.equal(0, #one:requests())
        one:close()
      end
    end)

    it("isn't what a plain server speaks, nor a file that isn't there", function()
      local mail = web.start { greeting = "220 mail.example ESMTP\r\n" }
      untrusted("no handshake", { url = ("https://127.0.0.1:%d/?secret"):format(mail.port) })
      mail:close()
      untrusted("/no/such/file can't be read", { url = secure:url("/?secret"), ca_file = "/no/such/file" })
    end)

    it("has its authorities from AWS_CA_BUNDLE, then SSL_CERT_FILE, then the system", function()
      local script = [[
        local response, message, code = require "submitter.core.http".request { url = arg[1], proxy = false }
        print(response and response.status or code)]]
      local function says(environment)
        return core.script(script, { secure:url("/") }, { environment = environment }).stdout
      end
      assert.are.equal("404\n", says { AWS_CA_BUNDLE = secure.ca_file, SSL_CERT_FILE = "/no/such/file" })
      assert.are.equal("404\n", says { AWS_CA_BUNDLE = "", SSL_CERT_FILE = secure.ca_file })
      assert.are.equal("tls\n", says { AWS_CA_BUNDLE = "/no/such/file", SSL_CERT_FILE = secure.ca_file })
      assert.are.equal("tls\n", says { CURL_CA_BUNDLE = secure.ca_file })
    end)
  end)

  describe("a proxy", function()
    local proxy, secure

    before_each(function() proxy, secure = web.start(), web.start { tls = "good" } end)
    after_each(function()
      proxy:close()
      secure:close()
    end)

    it("gets plain requests in absolute form", function()
      site:route("GET /a/../b?x=", { body = "by proxy" })
      local response = assert(request { url = site:url("/a/../b?x="), proxy = proxy:url("") })
      assert.are.equal("by proxy", response.body)
      assert.are.equal("GET " .. site:url("/a/../b?x=") .. " HTTP/1.1", proxy:requests()[1].line)
      assert.are.equal("GET /a/../b?x= HTTP/1.1", site:requests()[1].line)
    end)

    it("gets a CONNECT for TLS, and sees nothing of what goes through", function()
      secure:route("GET /", { body = "through" })
      for _ = 1, 2 do
        local response = assert(request { url = secure:url("/?secret"), proxy = proxy:url(""), ca_file = secure.ca_file,
          headers = { { "X-Token", "secret" } } })
        assert.are.equal("through", response.body)
        assert.are.same({ { "content-length", "7" } }, response.headers)
      end
      assert.are.equal(1, #proxy:requests())
      local connect = proxy:requests()[1]
      assert.are.equal(("CONNECT 127.0.0.1:%d HTTP/1.1"):format(secure.port), connect.line)
      assert.is_nil(connect.header("x-token"))
    end)

    it("that isn't there, or declines, is no connection", function()
      local nobody = ("http://user:secret@127.0.0.1:%d"):format(web.closed_port())
      for _, url in ipairs { site:url("/?secret"), secure:url("/?secret") } do
        local code, message = failure { url = url, proxy = nobody }
        assert.are.equal("connect", code)
        assert.matches("no connection: connection refused", message)
      end
      proxy:route(("CONNECT 127.0.0.1:%d"):format(secure.port), { status = 407, headers = { { "X", "secret" } } })
      local code, message = failure { url = secure:url("/?secret"), proxy = proxy:url("") }
      assert.are.equal("connect", code)
      assert.matches("no connection: the proxy answered CONNECT with status 407$", message)
    end)

    it("that goes on talking after it declined, or says too much, holds nobody up", function()
      -- In a process of its own: libcurl reads the rest of such an answer in one go, and nothing else of the host would run.
      proxy:route(("CONNECT 127.0.0.1:%d"):format(secure.port), { status = 407, fill = 1 << 40 })
      local result = core.script([[
        local response, message, code = require "submitter.core.http".request { url = arg[1], proxy = arg[2],
          connect_timeout_ms = 500 }
        print(response, code, message)]], { secure:url("/?secret"), proxy:url("") })
      assert.matches("^nil\ttimeout\t127%.0%.0%.1:%d+: timed out: no connection within 500 ms\n$", result.stdout)
      proxy:route(("CONNECT 127.0.0.1:%d"):format(secure.port), { headers = { { "A", ("secret"):rep(50000) } } })
      local code, message = failure { url = secure:url("/?secret"), proxy = proxy:url("") }
      assert.are.equal("connect", code)
      assert.matches("^127%.0%.0%.1:%d+: no connection: ", message)
    end)

    it("comes from the environment, by its rules", function()
      local script = [[
        local response, message, code = require "submitter.core.http".request { url = arg[1], ca_file = arg[2],
          proxy = arg[3] }
        print(response and response.status or code .. ": " .. message)]]
      local function says(site_, environment, option)
        return core.script(script, { site_:url("/"), secure.ca_file, option }, { environment = environment }).stdout
      end
      local function used(site_, environment, option)
        proxy:forget()
        assert.are.equal("404\n", says(site_, environment, option))
        return #proxy:requests() == 1
      end
      local url = proxy:url("")
      assert.is_true(used(site, { http_proxy = url }))
      assert.is_false(used(site, { HTTP_PROXY = url }))
      assert.is_false(used(site, { https_proxy = url }))
      assert.is_true(used(secure, { https_proxy = url }))
      assert.is_true(used(secure, { HTTPS_PROXY = url }))
      assert.is_false(used(secure, { http_proxy = url }))
      assert.is_true(used(site, { all_proxy = url }))
      assert.is_true(used(secure, { all_proxy = url }))
      assert.is_false(used(site, { http_proxy = url, no_proxy = "example.org,127.0.0.1" }))
      assert.is_false(used(secure, { https_proxy = url, no_proxy = "*" }))
      assert.is_true(used(site, { http_proxy = url, no_proxy = "example.org" }))
      -- One that is named counts for every host.
      assert.is_true(used(site, { http_proxy = "http://127.0.0.1:1", no_proxy = "*" }, url))
      local said = says(site, { http_proxy = "nothing://user:secret@127.0.0.1:1" })
      assert.matches("^connect: ", said)
      assert.is_nil(said:find("secret", 1, true))
    end)
  end)

  describe("HTTP/2", function()
    local secure, server, files, url

    --- nghttpd on a port of 127.0.0.1, with the certificate of web.lua's site.
    local function start()
      local port = web.closed_port()
      local base = ("https://127.0.0.1:%d/"):format(port)
      local started = assert(host.child.start { program = "/usr/sbin/nghttpd", stdout = "inherit", stderr = "inherit",
        arguments = { "--address=127.0.0.1", "--echo-upload", "--htdocs=" .. files:path(), tostring(port),
          secure.certificate, secure.certificate } })
      support.eventually("nghttpd answers", function()
        return (request { url = base .. "small", ca_file = secure.ca_file })
      end, 20000)
      return started, base
    end

    setup(function()
      secure = web.start { tls = "good" }
      files = support.directory()
      assert(files:write("small", "hello"))
      assert(files:write("large", ("0123456789"):rep(300000)))
      server, url = start()
    end)
    teardown(function()
      server:close()
      secure:close()
      files:close()
    end)

    local function get(path, options)
      options = options or {}
      options.url, options.ca_file = url .. path, secure.ca_file
      return request(options)
    end

    it("is what TLS agrees on", function()
      local response = assert(get("small"))
      assert.are.equal("2", response.version)
      assert.are.equal("hello", response.body)
      assert.is_true(response.reused)
      assert.are.equal(404, assert(get("nothing")).status)
      assert.are.equal("", assert(get("small", { method = "HEAD" })).body)
    end)

    it("carries bodies both ways, many at once", function()
      local tasks = {}
      for index = 1, 20 do
        tasks[index] = task.spawn("stream " .. index, function()
          local body = tostring(index):rep(100000)
          assert.is_true(body == assert(get("echo", { method = "POST", body = body })).body)
          assert.are.equal(3000000, #assert(get("large")).body)
        end)
      end
      for _, one in ipairs(tasks) do assert(one:join()) end
    end)

    -- libcurl forgets streams of a connection that is shared: now and then one of the transfers above stood still.
    it("has one request at a time on a connection", function()
      local mute <close>, base = start()
      local tasks, begun, shared = {}, 0, 0
      local function small()
        begun = begun + 1
        return assert(request { url = base .. "small", ca_file = secure.ca_file })
      end
      assert.is_true(small().reused)
      assert(mute:kill("STOP"))
      for index = 1, 5 do tasks[index] = task.spawn("request " .. index, small) end
      support.eventually("all have begun", function() return begun == 6 end)
      assert(mute:kill("CONT"))
      for _, one in ipairs(tasks) do
        local _, response = assert(one:join())
        shared = shared + (response.reused and 1 or 0)
      end
      assert.are.equal(1, shared)
    end)

    it("keeps caps and deadlines, and the other transfers", function()
      local other = task.spawn("other", function() return #assert(get("large")).body end)
      local response, _, code = get("large", { limit_bytes = 1000 })
      assert.is_nil(response)
      assert.are.equal("too_large", code)
      assert.are.equal("timeout", core.code(task.within(0, get, "large")))
      assert.are.same({ true, 3000000 }, { other:join() })
      assert.are.equal("hello", assert(get("small")).body)
    end)

    it("isn't for what goes piece by piece, also not on a connection that is there", function()
      assert.are.equal("2", assert(get("small")).version)
      local exchange <close> = assert(host.http.open { url = url .. "large", ca_file = secure.ca_file, proxy = false })
      assert.are.equal("cut", core.code(exchange:response())) -- nghttpd speaks nothing else
      local plain <close> = assert(host.http.open { url = secure:url("/"), ca_file = secure.ca_file, proxy = false })
      assert.are.equal("1.1", assert(plain:response()).version)
    end)

    it("gives a connection up on which nothing comes", function()
      local mute <close>, base = start()
      local function small(stall_ms)
        return request { url = base .. "small", ca_file = secure.ca_file, stall_ms = stall_ms }
      end
      assert.is_true(assert(small()).reused)
      assert(mute:kill("STOP"))
      local response, _, code = small(200)
      assert(mute:kill("CONT"))
      assert.is_nil(response)
      assert.are.equal("timeout", code)
      assert.is_false(assert(small()).reused)
    end)
  end)
end)
