-- submitter.core.http piece by piece: http.open.
local core = require "core.support"
local host = require "submitter.host"
local http_support = require "core.http_support"
local support = require "support"
local web = require "fake.web"

local clock, http, task = host.clock, host.http, host.task
local duration = http_support.duration

describe("core.http", function()
  local site

  before_each(function() site = web.start() end)
  after_each(function() site:close() end)
  teardown(web.stop)

  describe("an exchange", function()
    local function open(options)
      return http.open(http_support.direct(options))
    end

    it("gives an answer piece by piece", function()
      site:route("GET /", { headers = { { "A", "b" } }, body = ("0123456789"):rep(100000) })
      local exchange <close> = assert(open { url = site:url("/") })
      local response = assert(exchange:response())
      assert.are.equal(200, response.status)
      assert.are.same({ "a", "b" }, response.headers[1])
      assert.is_nil(response.body)
      local pieces = {}
      repeat
        pieces[#pieces + 1] = assert(exchange:read())
      until pieces[#pieces] == ""
      assert.is_true(#pieces > 2)
      assert.is_true(table.concat(pieces) == ("0123456789"):rep(100000))
      assert.are.equal("", assert(exchange:read()))
      assert.are.equal(200, assert(exchange:response()).status)
    end)

    it("holds little of what nobody reads yet", function()
      local total = 30 << 20
      site:route("GET /", { fill = total })
      local exchange <close> = assert(open { url = site:url("/"), stall_ms = 200 })
      assert(exchange:response())
      local largest, count = 0, 0
      for index = 1, math.huge do
        if index % 30 == 1 and index < 100 then clock.sleep_ms(300) end -- longer than a stall may last
        local piece = assert(exchange:read())
        if piece == "" then break end
        largest, count = math.max(largest, #piece), count + #piece
      end
      assert.are.equal(total, count)
      assert.is_true(largest >= 256 << 10 and largest <= 320 << 10, largest .. " bytes at once")
    end)

    it("takes a body piece by piece, no faster than the server", function()
      site:route("PUT /", { read_every_ms = 5, body = "done" })
      local piece = ("0123456789abcdef"):rep(65536)
      local exchange <close> = assert(open { method = "PUT", url = site:url("/"), upload_bytes = 20 * #piece,
        headers = { { "X", "y" } } })
      local took = duration(function()
        for _ = 1, 20 do assert(exchange:write(piece)) end
      end)
      assert.is_true(assert(exchange:write("")))
      assert.are.equal(200, assert(exchange:response()).status)
      assert.are.equal("done", exchange:read())
      local sent = site:requests()[1]
      assert.are.same({ { "Host", "127.0.0.1:" .. site.port }, { "X", "y" },
        { "Content-Length", tostring(20 * #piece) } }, sent.headers)
      assert.are.equal(host.digest.sha256(piece:rep(20)), sent.sha256)
      assert.is_true(took > 500, took .. " ms")
      assert.error_matches(function() exchange:write("x") end, "only 0 of upload_bytes are left, these are 1")
    end)

    it("tells the one who writes that the server has answered already", function()
      site:route("PUT /", { status = 403, early = true, hang_up = true, body = "no" })
      local exchange <close> = assert(open { method = "PUT", url = site:url("/"), upload_bytes = 1 << 40 })
      local written, message, code
      for _ = 1, 100 do
        written, message, code = exchange:write(("x"):rep(1 << 20))
        if not written then break end
      end
      assert.is_nil(written, message)
      if code == "answered" then
        assert.are.equal(403, assert(exchange:response()).status)
      else -- the server's reset overtook its answer
        assert.are.equal("cut", code)
      end
    end)

    it("fails as a request does", function()
      assert.are.equal("url", core.code(open { url = "ftp://127.0.0.1/" }))
      local function code_of(options)
        local exchange, _, code = open(options)
        if exchange then
          _, _, code = exchange:response()
          assert.are.equal(code, select(3, exchange:read()))
        end
        return code
      end
      assert.are.equal("connect", code_of { url = ("http://127.0.0.1:%d/"):format(web.closed_port()) })
      site:route("GET /", { silent = true })
      assert.are.equal("timeout", code_of { url = site:url("/"), timeout_ms = 100 })
      assert.are.equal("timeout", code_of { url = site:url("/"), stall_ms = 100 })
      site:route("GET /", { cut = 10 })
      assert.are.equal("cut", code_of { url = site:url("/") })
      site:route("GET /", { fill = 1000 })
      assert.are.equal("too_large", code_of { url = site:url("/"), limit_bytes = 999 })
      assert.error_matches(function() open { url = site:url("/"), body = "x" } end, "unknown option \"body\"")
    end)

    it("gives what came before it failed", function()
      site:route("GET /", { fill = 1000, cut = 500 })
      local exchange <close> = assert(open { url = site:url("/") })
      assert.are.equal(200, assert(exchange:response()).status)
      clock.sleep_ms(50)
      assert.is_true(#assert(exchange:read()) > 400)
      assert.are.equal("cut", core.code(exchange:read()))
      site:route("GET /", { endless = true })
      local endless <close> = assert(open { url = site:url("/"), limit_bytes = 1000000 })
      local count = 0
      repeat
        local more, message, code = endless:read()
        count = count + #(more or "")
        if not more then assert.are.equal("too_large", code, message) end
      until not more
      assert.is_true(count <= 1000000)
    end)

    it("stalls when the server does, not when its user does", function()
      site:route("PUT /", { body = "x" })
      local exchange <close> = assert(open { method = "PUT", url = site:url("/"), upload_bytes = 2, stall_ms = 150 })
      assert(exchange:write("a"))
      clock.sleep_ms(600)
      assert(exchange:write("b"))
      assert.are.equal(200, assert(exchange:response()).status)
      site:route("GET /", { body = ("x"):rep(20), piece_bytes = 10, every_ms = 60000 })
      local stalled <close> = assert(open { url = site:url("/"), stall_ms = 150 })
      assert.are.equal(10, #assert(stalled:read()))
      assert.are.equal("timeout", core.code(stalled:read()))
    end)

    it("goes on after a wait that was interrupted", function()
      site:route("GET /", { delay_ms = 200, body = "late" })
      local exchange <close> = assert(open { url = site:url("/") })
      assert.are.equal("timeout", core.code(task.within(20, exchange.response, exchange)))
      assert.are.equal("timeout", core.code(task.within(20, exchange.read, exchange)))
      assert.are.equal(200, assert(exchange:response()).status)
      assert.are.equal("late", exchange:read())
    end)

    it("has one task for each of its steps, until that one has its result", function()
      site:route("GET /", { body = "all" })
      local exchange <close> = assert(open { url = site:url("/") })
      assert(exchange:response())
      clock.sleep_ms(50)
      -- The body is there, so the first has it as soon as it asks; the second must not take the rest, which is nothing, for it.
      local first = task.spawn("first", exchange.read, exchange)
      local second = task.spawn("second", pcall, exchange.read, exchange)
      assert.are.same({ true, "all" }, { first:join() })
      local _, good, message = second:join()
      assert.is_false(good)
      assert.matches("another task waits for the same", message)
      assert.are.equal("", exchange:read())
    end)

    it("is over after a write that was interrupted", function()
      site:route("PUT /", { read_every_ms = 5 })
      local exchange <close> = assert(open { method = "PUT", url = site:url("/"), upload_bytes = 1 << 30 })
      assert.are.equal("timeout", core.code(task.within(200, exchange.write, exchange, ("x"):rep(100 << 20))))
      assert.are.equal("cut", core.code(exchange:response()))
      assert.are.equal("cut", core.code(exchange:write("x")))
      support.eventually("the server saw it", function() return site:connections().open == 0 end)
    end)

    it("ends when it is closed, by hand, at the end of a block, or by the collector", function()
      site:route("GET /", { silent = true })
      local function gone(count)
        support.eventually("the server saw it", function() return site:connections().open == 0 end)
        assert.are.equal(count, site:connections().opened)
      end
      local first = assert(open { url = site:url("/") })
      local waiting = task.spawn("waiting", function() return first:response() end)
      support.eventually("it is there", function() return #site:requests() == 1 end)
      assert.error_matches(function() first:response() end, "another task waits")
      first:close()
      assert.are.same({ true, nil, "the exchange was closed", "cut" }, { waiting:join() })
      assert.error_matches(function() first:read() end, "the Exchange is closed")
      first:close()
      gone(1)
      do
        local second <close> = assert(open { url = site:url("/") })
        assert.are.equal("timeout", core.code(task.within(50, second.read, second)))
      end
      gone(2)
      local third = assert(open { url = site:url("/") })
      support.eventually("it is there", function() return #site:requests() == 3 end)
      assert.is_not_nil(third)
      third = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      gone(3)
    end)
  end)
end)
