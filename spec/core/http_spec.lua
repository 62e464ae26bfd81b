local core = require "core.support"
local host = require "submitter.host"
local http_support = require "core.http_support"
local support = require "support"
local web = require "fake.web"

local http, task = host.http, host.task
local request, failure, duration = http_support.request, http_support.failure, http_support.duration

local function header(response, name)
  for _, pair in ipairs(response.headers) do
    if pair[1] == name then return pair[2] end
  end
end

--- Runs body in so many tasks at once, and fails with the first that fails.
local function at_once(count, body)
  local tasks = {}
  for index = 1, count do
    tasks[index] = task.spawn("request " .. index, body, index)
  end
  for _, one in ipairs(tasks) do
    assert(one:join())
  end
end

describe("core.http", function()
  local site

  before_each(function() site = web.start() end)
  after_each(function() site:close() end)
  teardown(web.stop)

  describe("a request", function()
    it("comes back with status, headers in order and body", function()
      site:route("GET /a", { status = 201, headers = { { "X-One", "1" }, { "Empty", "" }, { "x-one", "  2 " },
        { "Odd", "a:b; c" } }, body = "a\0b\xff" })
      local response = assert(request { url = site:url("/a") })
      assert.are.equal(201, response.status)
      assert.are.equal("a\0b\xff", response.body)
      assert.are.equal("1.1", response.version)
      assert.is_false(response.reused)
      assert.are.same({ { "x-one", "1" }, { "empty", "" }, { "x-one", "2" }, { "odd", "a:b; c" },
        { "content-length", "4" } }, response.headers)
    end)

    it("is sent byte for byte, with nothing added but Host", function()
      local targets = { "/a/../b//c%2Fd?x&y=", "/", "/?", "/%", "/./.?../..", "/a|b{}\"[]^`\\?<>'\xc3\xa4", "/a?b=c?d" }
      for _, target in ipairs(targets) do
        assert(request { url = site:url(target) })
      end
      for index, sent in ipairs(site:requests()) do
        assert.are.equal("GET " .. targets[index] .. " HTTP/1.1", sent.line)
        assert.are.same({ { "Host", "127.0.0.1:" .. site.port } }, sent.headers)
      end
    end)

    it("sends headers as given, in order, with duplicates and empty values", function()
      local headers = { { "X-Amz-Date", "x" }, { "b", "" }, { "B", "2" }, { "b", "1;=\t,:" }, { "Accept", "*/*" },
        { "Content-Type", "text/plain" }, { "Content-Length", "4" }, { "User-Agent", "spec" }, { "Spaces", "  " } }
      assert(request { method = "PUT", url = site:url("/"), headers = headers, body = "body" })
      local sent = site:requests()[1]
      assert.are.equal("body", sent.body)
      assert.are.same({ "Host", "127.0.0.1:" .. site.port }, table.remove(sent.headers, 1))
      headers[9][2] = ""
      assert.are.same(headers, sent.headers)
    end)

    it("takes the Host that is given", function()
      assert(request { url = site:url("/"), headers = { { "a", "b" }, { "host", "bucket.example" } } })
      assert.are.same({ { "Host", "bucket.example" }, { "a", "b" } }, site:requests()[1].headers)
    end)

    it("has the method and the body that it is given", function()
      local large = ("0123456789abcdef"):rep(200000)
      for _, case in ipairs {
        { "PUT", nil, 0 }, { "POST", nil, 0 }, { "PATCH", "", 0 }, { "DELETE", nil, nil }, { "GET", nil, nil },
        { "GET", "x", 1 }, { "DELETE", "xy", 2 }, { "POST", "a\0b", 3 }, { "PUT", large, #large }, { "M-SEARCH" },
      } do
        assert(request { method = case[1], url = site:url("/"), body = case[2] })
        local all = site:requests()
        local sent = all[#all]
        assert.are.equal(case[1], sent.method)
        assert.are.equal(case[3] or 0, sent.body_bytes)
        assert.are.equal(host.digest.sha256(case[2] or ""), sent.sha256)
        local length = case[3] and { { "Content-Length", tostring(case[3]) } } or {}
        table.insert(length, 1, sent.headers[1])
        assert.are.same(length, sent.headers)
      end
    end)

    it("gets HEAD without waiting for a body, however long it would be", function()
      site:route("HEAD /a", { headers = { { "Content-Length", "99999999999" } } })
      local response = assert(request { method = "HEAD", url = site:url("/a"), limit_bytes = 10 })
      assert.are.equal("99999999999", header(response, "content-length"))
      assert.are.equal("", response.body)
      assert.is_true(assert(request { method = "HEAD", url = site:url("/a") }).reused)
    end)

    it("follows no redirect, decompresses nothing, keeps no cookie", function()
      site:route("GET /a", { status = 307, headers = { { "Location", site:url("/b") }, { "Set-Cookie", "a=b" } } })
      assert.are.equal(307, assert(request { url = site:url("/a") }).status)
      site:route("GET /a", { headers = { { "Content-Encoding", "gzip" } }, body = "no gzip" })
      assert.are.equal("no gzip", assert(request { url = site:url("/a") }).body)
      assert.are.equal(2, #site:requests())
      assert.is_nil(site:requests()[2].header("cookie"))
    end)

    it("understands answers in chunks, without a length, by HTTP/1.0, and after others", function()
      site:route("GET /chunks", { chunked = true, piece_bytes = 3, body = "one two three" })
      assert.are.equal("one two three", assert(request { url = site:url("/chunks") }).body)
      site:route("GET /end", { length = false, hang_up = true, body = "until the end" })
      assert.are.equal("until the end", assert(request { url = site:url("/end") }).body)
      site:route("GET /old", { version = "1.0", length = false, hang_up = true, body = "old" })
      local old = assert(request { url = site:url("/old") })
      assert.are.equal("1.0", old.version)
      site:route("GET /hints", { raw = "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n"
        .. "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nTrailer: t\r\n\r\n" })
      local response = assert(request { url = site:url("/hints") })
      assert.are.same({ { "a", "b" }, { "transfer-encoding", "chunked" } }, response.headers)
      assert.are.equal("hi", response.body)
      site:route("GET /folded", { raw = "HTTP/1.1 204 OK\r\nA: one\r\n  two\r\nB:\r\n\r\n" })
      assert.are.same({ { "a", "one two" }, { "b", "" } }, assert(request { url = site:url("/folded") }).headers)
    end)

    it("keeps the headers of an answer whose later lines look like a status line", function()
      site:route("GET /", { raw = "HTTP/1.1 200 OK\r\nA: b\r\nHTTP/1.1 500 No: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        .. "2\r\nhi\r\n0\r\nHTTP/1.1 500 No: x\r\nEvil: y\r\n\r\n" })
      local response = assert(request { url = site:url("/") })
      assert.are.equal(200, response.status)
      assert.are.same({ { "a", "b" }, { "transfer-encoding", "chunked" } }, response.headers)
    end)

    it("expects no 100 before a large body", function()
      site:route("PUT /", { body = "done" })
      assert(request { method = "PUT", url = site:url("/"), body = ("x"):rep(3000000) })
      assert.is_nil(site:requests()[1].header("expect"))
    end)
  end)

  describe("misuse", function()
    local function refused(pattern, options)
      assert.error_matches(function() http.request(options) end, pattern)
    end

    it("throws, and names what was expected", function()
      refused("table expected", "http://127.0.0.1/")
      refused("unknown option \"hedaers\"", { url = "http://127.0.0.1/", hedaers = {} })
      refused("unknown option \"insecure\"", { url = "https://127.0.0.1/", insecure = true })
      refused("http.request: url is needed", { method = "GET" })
      refused("option body is a string", { url = "http://127.0.0.1/", body = 1 })
      refused("HEAD has no body", { url = "http://127.0.0.1/", method = "HEAD", body = "x" })
      refused("proxy is a URL, or false", { url = "http://127.0.0.1/", proxy = "" })
      for _, key in ipairs { "timeout_ms", "connect_timeout_ms", "stall_ms" } do
        refused(key .. " is milliseconds", { url = "http://127.0.0.1/", [key] = 0 })
        refused(key .. " is an integer", { url = "http://127.0.0.1/", [key] = 1.5 })
      end
      refused("limit_bytes is 0 or more", { url = "http://127.0.0.1/", limit_bytes = -1 })
      refused("headers are longer than 262144 bytes together",
        { url = "http://127.0.0.1/", headers = { { "a", ("b"):rep(200000) }, { "c", ("d"):rep(100000) } } })
    end)

    it("is what would smuggle a line or a request", function()
      for _, bad in ipairs { "a\r\nb", "a\nb", "a\rb", "a\0b", "a\27b" } do
        refused("control character", { url = "http://127.0.0.1/", headers = { { "X-Name", bad } } })
        refused("header's name", { url = "http://127.0.0.1/", headers = { { bad, "x" } } })
        refused("method", { url = "http://127.0.0.1/", method = bad })
      end
      for _, bad in ipairs { "", "a b", "a:", ":a", "a;", "caf\xc3\xa9" } do
        refused("header's name", { url = "http://127.0.0.1/", headers = { { bad, "x" } } })
      end
      for _, bad in ipairs { "", "GET /x", "CONNECT" } do
        refused("method is a word", { url = "http://127.0.0.1/", method = bad })
      end
      for _, bad in ipairs { "http://127.0.0.1/\r\n", "http://127.0.0.1/\0", "http://127.0.0.1\n/" } do
        refused("url holds", { url = bad })
      end
      refused("Transfer%-Encoding can't", { url = "http://127.0.0.1/",
        headers = { { "Transfer-Encoding", "chunked" } } })
      refused("Upgrade can't", { url = "http://127.0.0.1/", headers = { { "Upgrade", "h2c" } } })
      for _, bad in ipairs { "5", "04", "+4", "4 ", "" } do
        refused("Content%-Length isn't the length of the body, which is 4", { url = "http://127.0.0.1/", method = "PUT",
          headers = { { "content-length", bad } }, body = "body" })
      end
    end)

    it("is another shape of headers", function()
      for _, bad in ipairs { { "a" }, { { "a" } }, { { "a", 1 } }, { { "a", "b", "c" } }, { { 1, "b" } } } do
        refused("headers%[1%] is { name, value }", { url = "http://127.0.0.1/", headers = bad })
      end
      refused("not a table by names", { url = "http://127.0.0.1/", headers = { a = "b" } })
      refused("headers is a list", { url = "http://127.0.0.1/", headers = "a: b" })
    end)

    it("never repeats a value, which may be a secret", function()
      local _, message = pcall(http.request, { url = "http://127.0.0.1/", headers = { { "X-Token", "secret\n" } } })
      assert.is_nil(message:find("secret", 1, true))
    end)
  end)

  describe("connections", function()
    it("are kept and used again", function()
      for index = 1, 20 do
        local response = assert(request { url = site:url("/" .. index) })
        assert.are.equal(index > 1, response.reused)
        assert.is_false(response.resent)
      end
      assert.are.equal(1, site:connections().opened)
    end)

    it("carry 50 requests at once, and are used again", function()
      site:route("*", { delay_ms = 1000, echo = true })
      local took = duration(function()
        for _ = 1, 2 do
          at_once(50, function(index)
            local response = assert(request { method = "POST", url = site:url("/" .. index), body = "body" })
            local hex = ("/" .. index):gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)
            assert.are.equal(hex, assert(host.json.decode(response.body)).target)
          end)
        end
      end)
      assert.are.equal(100, #site:requests())
      assert.is_true(site:connections().opened <= 50)
      assert.is_true(took < 50000, took .. " ms")
    end)

    it("wait for their next request only up to 64", function()
      site:route("*", { delay_ms = 1500 })
      at_once(80, function(index) assert(request { url = site:url("/" .. index) }) end)
      assert.is_true(site:connections().opened > 64)
      support.eventually("the others are closed", function() return site:connections().open <= 64 end)
    end)

    it("that the server closed meanwhile are replaced", function()
      assert(request { url = site:url("/") })
      site:drop()
      support.eventually("closed", function() return site:connections().open == 0 end)
      assert.is_false(assert(request { url = site:url("/") }).reused)
    end)

    it("that the server closes instead of an answer are replaced once, and the request is sent anew", function()
      for _, reset in ipairs { false, true } do
        site:forget()
        site:route("POST /", { { body = "first", close = true }, { body = "second" },
          { cut = 0, reset = reset, delay_ms = 50 },
          { body = "third" } })
        for _, said in ipairs { "first", "second" } do
          assert.are.equal(said, assert(request { method = "POST", url = site:url("/"), body = said }).body)
        end
        local response, message = request { method = "POST", url = site:url("/"), body = "third" }
        assert.are.equal("third", assert(response, message).body)
        assert.is_false(response.reused)
        assert.is_true(response.resent)
        local bodies = {}
        for index, sent in ipairs(site:requests()) do bodies[index] = sent.body end
        assert.are.same({ "first", "second", "third", "third" }, bodies)
      end
    end)

    it("aren't inherited by programs", function()
      local function inherited()
        local pipe <close> = assert(io.popen("ls -l /proc/self/fd"))
        return select(2, pipe:read("a"):gsub("socket:", ""))
      end
      assert(request { url = site:url("/") }) -- libcurl has descriptors of its own
      local before = inherited()
      site:route("*", { delay_ms = 100 })
      at_once(10, function() assert(request { url = site:url("/") }) end)
      assert.is_true(site:connections().open > 1)
      assert.are.equal(before, inherited())
    end)

    it("are closed when the server says so", function()
      site:route("GET /", { close = true })
      assert(request { url = site:url("/") })
      assert.is_false(assert(request { url = site:url("/") }).reused)
    end)
  end)

  describe("an answer that doesn't come whole", function()
    local function cut(answer)
      site:route("GET /", answer)
      local code, message = failure { url = site:url("/?secret"), timeout_ms = 20000 }
      assert.are.equal("cut", code, message)
      assert.matches("^127%.0%.0%.1:%d+: the connection was cut: .", message)
    end

    it("is cut: before it, in its head, in its body, in a chunk", function()
      for _, reset in ipairs { false, true } do
        cut { cut = 0, reset = reset }
        cut { cut = 7, reset = reset }
        cut { cut = 30, reset = reset }
        cut { fill = 100000, cut = 60000, reset = reset }
        cut { fill = 100000, chunked = true, cut = 60000, reset = reset }
      end
    end)

    it("is cut when it is no HTTP", function()
      cut { raw = "220 mail.example ESMTP\r\n", hang_up = true }
      cut { raw = "HTTP/9.9 200 OK\r\n\r\n", hang_up = true }
      cut { raw = "HTTP/1.1 OK\r\n\r\n", hang_up = true }
      cut { raw = "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", hang_up = true }
      cut { raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", hang_up = true }
      cut { raw = "HTTP/1.1 200 OK\r\nNo colon\r\nContent-Length: 0\r\n\r\n", hang_up = true }
      cut { raw = "HTTP/1.1 200 OK\r\nA: \0\r\nContent-Length: 0\r\n\r\n", hang_up = true }
    end)
  end)

  describe("no connection", function()
    it("is told with its reason", function()
      local code, message = failure { url = ("http://127.0.0.1:%d/?secret"):format(web.closed_port()) }
      assert.are.equal("connect", code)
      assert.matches("^127%.0%.0%.1:%d+: no connection: connection refused", message)
    end)

    it("comes of a name that can't be resolved", function()
      local code, message = failure { url = "https://no..such..host/?secret" }
      assert.are.equal("connect", code)
      assert.matches("^no%.%.such%.%.host: no connection: Could not resolve host", message)
    end)
  end)

  it("refuses URLs that aren't, and other schemes", function()
    for _, url in ipairs { "", "/", "127.0.0.1", "ftp://127.0.0.1/secret", "file:///etc/passwd", "HTTP:/secret",
      "http://", "http:///secret", "https://?secret", "http://:80/", "http://user:secret@127.0.0.1/",
      "http://secret@127.0.0.1/",
      "http://127.0.0.1/a b", "http://127.0.0.1/\127", "http://127.0.0.1/#secret", "http://127.0.0.1:99999/",
      "http://127.0.0.1:port/", "http://[::1/", "gopher://127.0.0.1/", "unix:///secret" } do
      local code = failure { url = url }
      assert.are.equal("url", code, url)
    end
    local code = failure { url = site:url("/"), proxy = "ftp://127.0.0.1/" }
    assert.are.equal("url", code)
    local limit = 256 << 10
    local most = site:url("/")
    most = most .. ("x"):rep(limit - #most)
    assert(request { url = most })
    assert.are.same({ "url", "HTTP: the URL is longer than 262144 bytes" }, { failure { url = most .. "x" } })
  end)

  describe("deadlines", function()
    local function timed_out(least_ms, pattern, options)
      local code, message
      local took = duration(function() code, message = failure(options) end)
      assert.are.equal("timeout", code, message)
      assert.matches("^127%.0%.0%.1:%d+: timed out: " .. pattern, message)
      assert.is_true(took >= least_ms and took < least_ms + 5000, took .. " ms")
    end

    it("end the whole request", function()
      site:route("*", { silent = true })
      timed_out(150, "no whole answer within 150 ms", { url = site:url("/?secret"), timeout_ms = 150 })
    end)

    it("end it also while bytes trickle", function()
      site:route("*", { body = ("x"):rep(1000), piece_bytes = 1, every_ms = 20 })
      timed_out(400, "no whole answer within 400 ms", { url = site:url("/"), timeout_ms = 400, stall_ms = 300 })
    end)

    it("end a connection that doesn't come to stand, TLS included", function()
      -- A server that listens and says nothing to a TLS client.
      timed_out(200, "no connection within 200 ms", { url = (site:url("/?secret"):gsub("^http", "https")),
        connect_timeout_ms = 200 })
    end)

    it("end one that stalls: before the answer, in its middle, while it takes a body", function()
      site:route("GET /", { silent = true })
      timed_out(200, "not a byte either way for 200 ms", { url = site:url("/?secret"), stall_ms = 200 })
      site:route("GET /", { body = ("x"):rep(20), piece_bytes = 10, every_ms = 60000 })
      timed_out(200, "not a byte either way for 200 ms", { url = site:url("/"), stall_ms = 200 })
      site:route("PUT /", { silent = true, early = true })
      timed_out(300, "not a byte either way for 300 ms", { method = "PUT", url = site:url("/"), stall_ms = 300,
        body = ("x"):rep(30 << 20) })
    end)

    it("leave one alone that is slow but steady, either way", function()
      site:route("GET /", { body = ("x"):rep(10), piece_bytes = 1, every_ms = 100 })
      assert.are.equal(10, #assert(request { url = site:url("/"), stall_ms = 800 }).body)
      site:route("PUT /", { read_every_ms = 5 })
      local took = duration(function()
        assert(request { method = "PUT", url = site:url("/"), stall_ms = 1000, body = ("x"):rep(20 << 20) })
      end)
      assert.is_true(took > 1000, took .. " ms")
    end)
  end)

  describe("caps", function()
    it("allow what is as large as they say", function()
      site:route("*", { fill = 100000 })
      assert.are.equal(100000, #assert(request { url = site:url("/"), limit_bytes = 100000 }).body)
      site:route("*", { fill = 100000, chunked = true })
      assert.are.equal(100000, #assert(request { url = site:url("/"), limit_bytes = 100000 }).body)
      site:route("*", {})
      assert.are.equal("", assert(request { url = site:url("/"), limit_bytes = 0 }).body)
      site:route("*", { fill = 1000000 })
      assert.are.equal(1000000, #assert(request { url = site:url("/") }).body)
    end)

    it("end an answer by its Content-Length, before its body", function()
      site:route("*", { body = ("x"):rep(1001), piece_bytes = 1, every_ms = 1000 })
      local code, message
      local took = duration(function()
        code, message = failure { url = site:url("/?secret"), limit_bytes = 1000 }
      end)
      assert.are.equal("too_large", code)
      assert.matches("^127%.0%.0%.1:%d+: the answer's body is larger than the 1000 bytes allowed$", message)
      assert.is_true(took < 5000)
    end)

    it("end an answer without a length as soon as it is larger", function()
      site:route("*", { endless = true })
      assert.are.equal("too_large", (failure { url = site:url("/"), limit_bytes = 1000000 }))
      assert.are.equal("too_large", (failure { url = site:url("/"), limit_bytes = 0 }))
      support.eventually("the server saw it", function() return site:connections().open == 0 end)
    end)

    it("bound what headers may hold, also those of a 100", function()
      local many = {}
      for index = 1, 20 do many[index] = { "X-" .. index, ("x"):rep(15000) } end
      site:route("*", { headers = many })
      local code, message = failure { url = site:url("/") }
      assert.are.equal("too_large", code)
      assert.matches("header is larger than the 262144 bytes allowed", message)
      site:route("*", { raw = ("HTTP/1.1 103 Early\r\nA: b\r\n\r\n"):rep(20000) })
      assert.are.equal("too_large", (failure { url = site:url("/") }))
    end)

    it("are told, not thrown, where they are libcurl's own: one line of the head", function()
      local long = ("a"):rep(150000)
      for _, line in ipairs { "HTTP/1.1 200 OK\r\nA: " .. long, "HTTP/1.1 200 " .. long } do
        site:route("*", { raw = line .. "\r\nContent-Length: 0\r\n\r\n" })
        local code, message = failure { url = site:url("/?secret") }
        assert.are.equal("too_large", code)
        assert.matches("^127%.0%.0%.1:%d+: the answer has a line that is longer than libcurl takes", message)
      end
    end)
  end)

  describe("cancellation", function()
    it("ends the transfer at once, and no other", function()
      site:route("GET /silent", { silent = true })
      site:route("GET /slow", { body = ("x"):rep(10), piece_bytes = 1, every_ms = 50 })
      local other = task.spawn("other", function() return assert(request { url = site:url("/slow") }).body end)
      local silent = task.spawn("silent", request, { url = site:url("/silent") })
      support.eventually("both are there", function() return #site:requests() == 2 end)
      silent:cancel("the spec says so")
      local good, message, code = silent:join()
      assert.is_nil(good)
      assert.are.equal("cancelled", code)
      assert.matches("the spec says so", message)
      support.eventually("the server saw it go", function()
        for _, sent in ipairs(site:requests()) do
          if sent.target == "/silent" and sent.gone_after_ms then return true end
        end
      end)
      assert.are.same({ true, ("x"):rep(10) }, { other:join() })
    end)

    it("comes at any stage", function()
      site:route("GET /body", { endless = true, every_ms = 20 })
      local urls = { "http://nowhere.invalid/", (site:url("/"):gsub("^http", "https")), site:url("/body") }
      for _, url in ipairs(urls) do
        for _, milliseconds in ipairs { 0, 1, 50 } do
          -- A name may be found wanting before the time is over.
          local response, _, code = task.within(milliseconds, request, { url = url, limit_bytes = 1 << 40 })
          assert.is_nil(response)
          assert.is_true(code == "timeout" or code == "connect", code)
        end
      end
      support.eventually("no connection is left", function() return site:connections().open == 0 end)
    end)

    it("leaves the connections of others whole, and no descriptor", function()
      site:route("GET /silent", { silent = true })
      local function round()
        assert(request { url = site:url("/") })
        for _ = 1, 10 do
          assert.are.equal("timeout", select(3, task.within(5, request, { url = site:url("/silent") })))
        end
        site:drop()
        support.eventually("all are gone", function() return site:connections().open == 0 end)
        assert(request { url = site:url("/") })
      end
      round()
      local before = core.descriptors()
      round()
      round()
      assert.is_true(core.descriptors() <= before)
    end)
  end)

  describe("libcurl", function()
    after_each(support.clean)

    it("is loaded by the first request, not before", function()
      local result = core.script([[
        local http = require "submitter.core.http"
        local function loaded()
          local maps <close> = assert(io.open("/proc/self/maps"))
          return maps:read("a"):find("libcurl", 1, true) ~= nil
        end
        local before = loaded()
        local response = assert(http.request { url = arg[1], proxy = false })
        print(before, loaded(), response.status)]], { site:url("/") })
      assert.are.equal("false\ttrue\t404\n", result.stdout, result.stderr)
    end)

    it("that isn't there is told, and not looked for again", function()
      local directory = support.directory()
      assert(directory:write("libcurl.so.4", "no library"))
      local result = core.script([[
        local http = require "submitter.core.http"
        for _ = 1, 2 do
          local response, message, code = http.request { url = "http://127.0.0.1/" }
          print(response, code, message)
        end
        print(select(3, http.open { url = "http://127.0.0.1/" }))]], {},
        { environment = { LD_LIBRARY_PATH = directory:path() } })
      local line = "nil\tlibrary\t127%.0%.0%.1: HTTP and mail need libcurl %(Debian: libcurl4%), which can't be "
        .. "loaded: [^\n]*\n"
      assert.matches("^" .. line:rep(2) .. "library\n$", result.stdout)
      directory:close()
    end)

    it("that is too old, lacks something or refuses an option is told", function()
      local directory = support.directory()
      assert(directory:write("stub.c", [[
        static int handle;
        struct { int age; const char *version; unsigned number; const char *host; int features; } told =
          { 9, VERSION, NUMBER, "", FEATURES };
        #define MAKE(name) void *curl_##name(void) { return &handle; }
        #define DO(name) long curl_##name(void) { return 0; }
        void *curl_version_info(void) { return &told; }
        MAKE(easy_init) MAKE(multi_init) MAKE(share_init) MAKE(slist_append)
        DO(global_init) DO(easy_cleanup) DO(easy_getinfo) DO(easy_pause) DO(easy_strerror) DO(easy_perform)
        DO(easy_reset) DO(slist_free_all) DO(share_setopt) DO(share_cleanup)
        DO(multi_setopt) DO(multi_add_handle) DO(multi_remove_handle)
        DO(multi_socket_action) DO(multi_info_read) DO(multi_cleanup)
        #ifndef MISSING
        DO(multi_assign)
        #endif
        #ifdef OLD /* knows no option that is younger than 7.81 */
        long curl_easy_setopt(void *easy, int option) { return option % 10000 >= 318 ? 48 : 0; }
        #else
        long curl_easy_setopt(void *easy, int option) { return option == 84 ? 4 : 0; } /* CURLOPT_HTTP_VERSION */
        #endif
      ]]))
      local function says(version, number, features, more)
        local compiled = assert(host.child.run { program = "/usr/bin/cc", arguments = { "-shared", "-fPIC", "-o",
          directory:path() .. "/libcurl.so.4", directory:path() .. "/stub.c", "-DVERSION=\"" .. version .. "\"",
          "-DNUMBER=" .. number, "-DFEATURES=" .. features, more }, environment = { PATH = "/usr/bin:/bin" } })
        assert.are.equal(0, compiled.exit_code, compiled.stderr)
        return core.script([[
          local http = require "submitter.core.http"
          local response, message, code = http.request { url = "http://127.0.0.1/", timeout_ms = 100 }
          print(response, code, message)]], {}, { environment = { LD_LIBRARY_PATH = directory:path() } }).stdout
      end
      local tls_and_resolver = 1 << 2 | 1 << 7
      assert.are.equal("nil\tlibrary\t127.0.0.1: libcurl is 7.80.0: install 7.81 or newer\n",
        says("7.80.0", "0x075000", tls_and_resolver))
      -- It takes the request, to which a stub has no answer.
      assert.matches("nil\ttimeout\t", says("7.81.0", "0x075100", tls_and_resolver, "-DOLD"))
      assert.matches("library\t127.0.0.1: libcurl is built without TLS", says("8.0.0", "0x080000", 1 << 7))
      assert.matches("library\t127.0.0.1: libcurl is built without TLS", says("8.0.0", "0x080000", 1 << 2))
      assert.matches("library\t127.0.0.1: libcurl.so.4 has no curl_multi_assign",
        says("8.0.0", "0x080000", tls_and_resolver, "-DMISSING"))
      assert.matches("library\t127.0.0.1: libcurl is built without something that is needed",
        says("8.0.0", "0x080000", tls_and_resolver))
      directory:close()
    end)
  end)
end)
