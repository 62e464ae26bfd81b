--- A scriptable HTTP(S) server and forward proxy, for specs of what speaks HTTP: web.py in a process of its own.
---
---     local web = require "fake.web"
---     local site = web.start()                       -- { tls = "good" } for HTTPS
---     site:route("GET /hello", { status = 200, headers = { { "X-One", "1" } }, body = "hello" })
---     … site:url("/hello") …                         -- "http://127.0.0.1:40000/hello"
---     site:requests()[1].headers                     -- what came, in order
---     teardown(web.stop)                             -- ends the process, which all sites share (or after_each)
---
--- A route is "METHOD TARGET" (with its query), "METHOD PATH" (any query), "* PATH" (any method) or "*", looked for in this
--- order; what has none is answered 404. Its answer is a table, or a list of them: one for each request, the last one again
--- and again. Keys of an answer, all optional:
---
---     status = 200, reason = "Said", version = "1.1", headers = { { name, value }, … }, body = "…"
---     length = false       no Content-Length: the end of the connection ends the body (use with hang_up)
---     chunked = true       in chunks, one a piece
---     fill = 1000000       that many "x" for a body; endless = true: chunks that never end
---     piece_bytes =, every_ms =    a slow body: that many bytes, that pause
---     raw = "…"            these bytes and nothing else, as they are
---     echo = true          the body is what came, as JSON (see web.py)
---     delay_ms = 50        before the answer; silent = true: never an answer, until the client goes away
---     early = true         answers without reading the request's body; read_every_ms = 5: reads it slowly, a pause a piece
---     cut = 10             closes the connection after that many bytes of the answer, head included; reset = true: by a reset
---     close = true         says "Connection: close" and closes; hang_up = true: closes without saying so
---
--- Every site is a forward proxy as well: it carries out requests in absolute form and CONNECT (to where they say), unless
--- there is a route for them ("CONNECT host:port", "GET http://…").
---
--- tls: "good" (127.0.0.1, ::1 and localhost, issued by `site.ca_file`), "expired", "wrong_name", "old" (TLS 1.0 and 1.1 only).

local host = require "submitter.host"
local program = require "fake.program"

local web = {}


local Site = {}
Site.__index = Site

local function as_hex(bytes)
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function from_hex(digits)
  return (digits:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local root, folder -- where the folder of its certificates is, and that folder's name

local process = program.new("web.py", function()
  root = assert(host.file.directory(os.getenv("TMPDIR") or "/tmp"))
  folder = "submitter-spec-web-" .. host.digest.random(8)
  assert(root:make(folder, { mode = tonumber("700", 8) }))
  return { root:path() .. "/" .. folder }
end)

local function ask(command) return process:ask(command) end

local function pairs_to_hex(list)
  local result = host.json.array {}
  for index, pair in ipairs(list or {}) do
    result[index] = host.json.array { as_hex(pair[1]), as_hex(pair[2]) }
  end
  return result
end

local keys = [[ status reason version headers body length chunked fill endless piece_bytes every_ms raw echo delay_ms
  silent early read_every_ms cut reset close hang_up ]]

local function encode_answer(answer)
  local result = {}
  for key, value in pairs(answer) do
    assert(keys:find("%f[%w_]" .. key .. "%f[^%w_]"), "an answer has no key " .. tostring(key))
    result[key] = value
  end
  result.headers = pairs_to_hex(answer.headers)
  result.body = answer.body and as_hex(answer.body)
  result.raw = answer.raw and as_hex(answer.raw)
  return result
end

--- Opens a site: a port of its own, with nothing on it.
---@async
---@param options {tls:"good"|"expired"|"wrong_name"|"old"|nil, greeting:string|nil, unix:string|nil}|nil greeting: said before
--- anything else; unix: a path, to listen on a Unix socket there in the place of a port
---@return table site with port, of HTTPS ca_file and certificate (with its key), and the methods below
function web.start(options)
  options = options or {}
  local reply = ask { ["do"] = "listen", tls = options.tls, greeting = options.greeting and as_hex(options.greeting),
    unix = options.unix }
  return setmetatable({
    number = reply.server, port = reply.port, scheme = options.tls and "https" or "http",
    ca_file = options.tls and reply.ca_file, certificate = options.tls and reply.certificate,
  }, Site)
end

--- Ends the process, with every site.
---@async
function web.stop()
  if not process:stop() then return end
  assert(root:remove_tree(folder))
  root:close()
end

--- A port of 127.0.0.1 where nobody listens.
---@async
---@return integer
function web.closed_port()
  local site = web.start()
  site:close()
  return site.port
end

---@param path string|nil default "/"
---@return string
function Site:url(path)
  return ("%s://127.0.0.1:%d%s"):format(self.scheme, self.port, path or "/")
end

--- What a route answers from now on, in place of what it answered before.
---@async
---@param route string
---@param answer table an answer, or a list of them
function Site:route(route, answer)
  local answers = host.json.array {}
  for index, one in ipairs(#answer > 0 and answer or { answer }) do
    answers[index] = encode_answer(one)
  end
  ask { ["do"] = "route", server = self.number, route = route, answers = answers }
end

--- All requests since the start or the last forget, in the order in which they came: line, method, target, version, headers
--- (a list of { name, value }, byte for byte), body (its first MiB), body_bytes, sha256, connection (its number), complete
--- (the whole body came), gone_after_ms (the client went away before its answer was whole, so long after the request began).
--- Also header(name): the first value of that name, in any case.
---@async
---@return table[]
function Site:requests()
  local list = ask { ["do"] = "requests", server = self.number }.requests
  for _, request in ipairs(list) do
    for _, key in ipairs { "line", "method", "target", "version", "body" } do
      request[key] = from_hex(request[key])
    end
    for _, pair in ipairs(request.headers) do
      pair[1], pair[2] = from_hex(pair[1]), from_hex(pair[2])
    end
    if request.gone_after_ms == host.json.null then request.gone_after_ms = nil end
    request.header = function(name)
      for _, pair in ipairs(request.headers) do
        if pair[1]:lower() == name:lower() then return pair[2] end
      end
    end
  end
  return list
end

--- How many connections were opened since the start or the last forget, how many are open, how many TLS handshakes failed.
---@async
---@return {opened:integer, open:integer, handshakes_failed:integer}
function Site:connections()
  return ask { ["do"] = "connections", server = self.number }
end

--- Forgets requests and counts.
---@async
function Site:forget()
  ask { ["do"] = "forget", server = self.number }
end

--- Closes every open connection, also those that wait for their next request.
---@async
function Site:drop()
  ask { ["do"] = "drop", server = self.number }
end

--- Stops listening: connections to its port are refused from now on.
---@async
function Site:close()
  ask { ["do"] = "close", server = self.number }
end

return web
