--- The outside of a session of AWS: an environment, files, programs, a clock that the spec moves, and services at addresses.
--- Nothing of the machine that the spec runs on is seen.
local session = require "submitter.aws.session"
local sigv4 = require "spec.fake.sigv4"

local Outside = {}
Outside.__index = Outside

-- 2026-11-24T06:00:00Z
local start_s = 1795500000

--- A session in this world. options: as for session.new.
function Outside:session(options)
  local given = {
    getenv = function(name) return self.environment[name] end,
    http = { request = function(request) return self:request(request) end },
    sigv4 = sigv4,
    now_s = function() return self.now_s end,
    sleep_ms = function(milliseconds) self.slept_ms = self.slept_ms + milliseconds end,
    random = function() return 0.5 end,
    read_file = function(path)
      local text = self.files[path]
      self.reads[#self.reads + 1] = path
      if type(text) == "table" then return nil, text.message, text.code end
      if text then return text end
      return nil, "no such file or directory", "ENOENT"
    end,
    run = function(run_options)
      self.runs[#self.runs + 1] = run_options
      return self.run(run_options)
    end,
  }
  for name, value in pairs(options or {}) do given[name] = value end
  return session.new(given)
end

--- Answers as host.http does, by the service whose address the URL begins with.
function Outside:request(request)
  local address, path = request.url:match "^(%a+://[^/]+)(.*)$"
  self.urls[#self.urls + 1] = request.url
  if self.on_request then self.on_request(request) end
  local service = self.services[address]
  if not service then return nil, "nobody answers at " .. address, "connect" end
  return service:request(request, path)
end

return {
  start_s = start_s,
  --- An empty world but for HOME.
  open = function()
    return setmetatable({
      environment = { HOME = "/home/grace" }, files = {}, services = {}, now_s = start_s, slept_ms = 0, reads = {},
      runs = {}, urls = {}, run = function() return nil, "no such file or directory", "ENOENT" end,
    }, Outside)
  end,
}
