local core = require "core.support"
local host = require "submitter.host"
local http_support = require "core.http_support"
local support = require "support"
local web = require "fake.web"

local http, task = host.http, host.task
local duration = http_support.duration

describe("core.http to a Unix socket", function()
  local directory, site, socket

  local function open_site(name)
    local path = directory:path() .. "/" .. name
    return web.start { unix = path }, path
  end

  --- Without http_support.direct: what stands in the environment must not matter.
  local function request(more)
    local options = { url = "http://engine/v1.41/info", unix_socket = socket }
    for name, value in pairs(more or {}) do options[name] = value end
    return http.request(options)
  end

  local function failure(more)
    local response, message, code = request(more)
    assert.is_nil(response)
    return code, message
  end

  before_each(function()
    directory = support.directory()
    site, socket = open_site "engine.sock"
  end)
  after_each(function()
    site:close()
    directory:close()
    support.clean()
  end)
  teardown(web.stop)

  it("carries requests, with the URL's host and target", function()
    site:route("POST /v1.41/containers/create?name=a%2Fb", { status = 201, body = "made" })
    local response = assert(request { method = "POST", url = "http://engine/v1.41/containers/create?name=a%2Fb",
      headers = { { "Content-Type", "application/json" } }, body = "{}", proxy = false })
    assert.are.equal(201, response.status)
    assert.are.equal("made", response.body)
    local sent = site:requests()[1]
    assert.are.equal("POST /v1.41/containers/create?name=a%2Fb HTTP/1.1", sent.line)
    assert.are.same({ { "Host", "engine" }, { "Content-Type", "application/json" }, { "Content-Length", "2" } },
      sent.headers)
    assert.are.equal("{}", sent.body)
  end)

  it("by no proxy, whatever the environment says", function()
    site:route("*", { status = 200, body = "direct" })
    local result = core.script([[
      local http = require "submitter.core.http"
      local response = assert(http.request { url = "http://engine/", unix_socket = arg[1] })
      io.write(response.body)]], { socket }, { environment = { http_proxy = "http://127.0.0.1:1",
      all_proxy = "socks5://127.0.0.1:1", no_proxy = "" } })
    assert.are.equal("direct", result.stdout, result.stderr)
  end)

  it("keeps connections, for each socket its own", function()
    site:route("*", { status = 200, body = "one" })
    local other, other_socket = open_site "other.sock"
    finally(function() other:close() end)
    other:route("*", { status = 200, body = "two" })
    for round = 1, 3 do
      local one, two = assert(request()), assert(request { unix_socket = other_socket })
      assert.are.same({ "one", "two" }, { one.body, two.body })
      assert.are.same({ round > 1, round > 1 }, { one.reused, two.reused })
    end
    assert.are.equal(1, site:connections().opened)
    assert.are.equal(1, other:connections().opened)
  end)

  it("carries many at once", function()
    site:route("*", { status = 200, body = "x", delay_ms = 50 })
    local tasks = {}
    for index = 1, 40 do
      tasks[index] = task.spawn("request", function() return assert(request()).body end)
    end
    for _, one in ipairs(tasks) do assert.are.equal("x", select(2, one:join())) end
    assert.are.equal(40, #site:requests())
  end)

  it("connects anew after a kept connection was closed", function()
    site:route("*", { status = 200 })
    assert(request())
    site:drop()
    support.eventually("the end is seen", function() return site:connections().open == 0 end)
    host.clock.sleep_ms(20)
    local response = assert(request())
    assert.are.same({ false, false }, { response.reused, response.resent })
  end)

  it("sends nothing twice", function()
    site:route("*", { { status = 200 }, { cut = 0 }, { status = 200 } })
    assert(request())
    for _, method in ipairs { "POST", "GET" } do
      site:forget()
      local code, message = failure { method = method }
      assert.are.equal("cut", code)
      assert.are.equal(socket .. ": the connection was cut: a kept one ended without a word, and nothing is sent twice",
        message)
      assert.are.equal(1, #site:requests())
      site:route("*", { { status = 200 }, { cut = 0 }, { status = 200 } })
      assert(request())
    end
  end)

  it("streams both ways", function()
    site:route("PUT /", { status = 200, fill = 3000000 })
    local exchange <close> = assert(http.open { method = "PUT", url = "http://engine/", unix_socket = socket,
      upload_bytes = 2000000 })
    for _ = 1, 20 do assert(exchange:write(("x"):rep(100000))) end
    assert.are.equal(200, assert(exchange:response()).status)
    local length = 0
    repeat
      local piece = assert(exchange:read())
      length = length + #piece
    until piece == ""
    assert.are.equal(3000000, length)
    assert.are.equal(2000000, site:requests()[1].body_bytes)
  end)

  it("tells which socket it was, and what is wrong with it", function()
    local function connect_failure(path)
      local code, message = failure { unix_socket = path }
      assert.are.equal("connect", code)
      assert.are.equal(path:sub(1, 256) .. ": no connection: ", message:sub(1, #path:sub(1, 256) + 17))
      return message
    end
    assert.is_truthy(connect_failure(socket .. "-missing"):find("no such file or directory", 1, true))
    assert(directory:write("file", ""))
    assert.is_truthy(connect_failure(directory:path() .. "/file"):find("connection refused", 1, true))
    connect_failure("/" .. ("x"):rep(500))
    site:route("GET /silent", { silent = true })
    local code, message
    local taken = duration(function()
      code, message = failure { url = "http://engine/silent", timeout_ms = 300 }
    end)
    assert.are.equal("timeout", code)
    assert.are.equal(socket .. ": timed out: no whole answer within 300 ms", message)
    assert.is_true(taken < 5000, taken)
  end)

  it("ends when its task is cancelled", function()
    site:route("*", { silent = true })
    local running = task.spawn("request", function() request() end)
    support.eventually("the request came", function() return #site:requests() == 1 end)
    running:cancel()
    running:join()
    support.eventually("the connection is closed", function() return site:connections().open == 0 end)
  end)

  it("leaves no descriptor behind", function()
    site:route("*", { status = 200, close = true })
    assert(request())
    local before = core.descriptors()
    for _ = 1, 20 do
      assert(request())
      failure { unix_socket = socket .. "-missing" }
    end
    support.eventually("all are closed", function() return core.descriptors() <= before end)
  end)

  it("names misuse", function()
    for _, example in ipairs {
      { { unix_socket = "engine.sock" }, "unix_socket is an absolute path" },
      { { unix_socket = "" }, "unix_socket is an absolute path" },
      { { unix_socket = "/a\0b" }, "unix_socket holds a NUL byte" },
      { { url = "https://engine/" }, "with unix_socket the url begins with http://" },
      { { proxy = "http://127.0.0.1:1" }, "there is no proxy to a unix_socket" },
    } do
      local good, message = pcall(request, example[1])
      assert.is_false(good)
      assert.is_truthy(tostring(message):find("http.request: " .. example[2], 1, true), message)
      assert.is_false((pcall(http.open, { url = example[1].url or "http://engine/", proxy = example[1].proxy,
        unix_socket = example[1].unix_socket or socket })))
    end
  end)
end)
