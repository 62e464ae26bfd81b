--- What a client of AWS has around it: a session, a clock, a signer and an HTTP that answers from a script. A signature is a
--- text that says what was signed: "KEY region service time".

local client = require "submitter.aws.client"

local World = {}
World.__index = World

--- A Date header.
local function http_date(epoch_s)
  return os.date("!%a, %d %b %Y %H:%M:%S GMT", epoch_s)
end

--- Answers the next requests in this order: tables { status, body =, headers = { name = value } }, { nil, message, code }, or
--- functions of the request that return one of these. The last one stays.
function World:script(...)
  self.answers = { ... }
end

--- The name of a header, as it was sent last or in the request given.
function World:sent(name, request)
  for _, pair in ipairs((request or self.requests[#self.requests]).headers) do
    if pair[1]:lower() == name then return pair[2] end
  end
end

function World:request(options)
  self.requests[#self.requests + 1] = options
  self.clock.now = self.clock.now + self.answer_ms
  local answer = self.answers[1]
  if #self.answers > 1 then table.remove(self.answers, 1) end
  if type(answer) == "function" then answer = answer(options) end
  if not answer[1] then return nil, answer[2], answer[3] end
  local headers = { { "date", http_date((self.clock.now // 1000) + self.service_ahead_s) } }
  for name, value in pairs(answer.headers or {}) do
    if name == "date" then
      headers[1][2] = value
    else
      headers[#headers + 1] = { name, value }
    end
  end
  return { status = answer[1], headers = headers, body = answer.body or "", version = "1.1", reused = true,
    resent = answer.resent }
end

local function sign(options)
  local headers = { table.unpack(options.headers) }
  headers[#headers + 1] = { "Authorization", ("%s %s %s %d"):format(options.credentials, options.region,
    options.service, options.time) }
  return { headers = headers, url = options.url }
end

--- The keys of the session; each `expired` moves on to the next of `keys`.
local function new_session(world)
  local session = { keys = { "KEY1" }, fetched = 0, expirations = 0, name = "eu-central-1" }
  local snapshots = {}
  function session.credentials()
    if session.failure then return nil, session.failure, session.failure_code end
    session.fetched = session.fetched + 1
    local index = math.min(session.expirations + 1, #session.keys)
    snapshots[index] = snapshots[index] or { keys = session.keys[index], access_key_id = session.keys[index] }
    return snapshots[index]
  end
  function session.expired(_, snapshot)
    world.expired = snapshot
    session.expirations = session.expirations + 1
  end
  function session.region() return session.name end
  function session.endpoint(_, service, options)
    if options.endpoint then return { url = options.endpoint, custom = true } end
    return { url = ("https://%s.%s.amazonaws.com"):format(service, options.region or session.name), custom = false }
  end
  return session
end

--- A world at a time of its own; a sleep passes at once and is noted in `slept`.
---@param now_s integer|nil
local function new(now_s)
  local world = setmetatable({ requests = {}, slept = {}, answers = { { 200 } }, service_ahead_s = 0, answer_ms = 10 },
    World)
  world.clock = { now = (now_s or 1700000000) * 1000 }
  function world.clock.now_ms() return world.clock.now end
  function world.clock.sleep_ms(milliseconds)
    world.slept[#world.slept + 1] = milliseconds
    world.clock.now = world.clock.now + milliseconds
    return true
  end
  world.session = new_session(world)
  world.http = { request = function(options) return world:request(options) end }
  return world
end

--- A client in this world.
---@param options table|nil as for client.new
function World:client(options)
  local given = { session = self.session, service = "s3", http = self.http, sign = sign, clock = self.clock,
    random = function() return 0.5 end }
  for name, value in pairs(options or {}) do given[name] = value end
  return client.new(given)
end

return { new = new, http_date = http_date }
