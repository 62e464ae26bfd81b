--- A deployment in the cloud: bucket and queue are the real peers of spec/support, the front end is the AWS SDK. What it
--- returns fits where spec/integration/support.lua takes services, so that both are judged by the same checks.
local ability = require "spec.ability"
local catalogue = require "spec.fixtures.catalogue"
local host = require "submitter.host"
local key = require "submitter.key"
local runtime_api = require "spec.fake.runtime_api"
local peers = require "spec.integration.peers"
local submit = require "submitter.cli.submit"
local support = require "spec.integration.support"

local must = support.must
local cloud = {}

local function to_hex(text)
  return (text:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function from_hex(text)
  return (text:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- The bucket as the front end sees it, with the calls of a store that the checks use.
local function front_store(front)
  local store = {}
  function store.put(_, object_key, text)
    front:ask("put", { objects = { { key = object_key, hex = to_hex(text) } } })
    return true
  end
  function store.get(_, object_key)
    local found = front:ask("get", { keys = { object_key } }).objects[object_key]
    if not found then return nil, object_key .. " isn't there", "not_found" end
    return from_hex(found)
  end
  function store.head(_, object_key)
    return store:get(object_key) and {} or nil
  end
  return store
end

-- The queue as the operator's console shows it. What `submit` sends is taken and dropped: the bucket's events announce.
local function console_queue(world)
  local queue = {}
  function queue.send() return "dropped" end
  function queue.depth()
    local main = world:ask("queue", { name = world.ready.queue })
    local dead = world:ask("queue", { name = world.ready.dead })
    return { ready = main.ready, held = main.held, dead = dead.ready + dead.held }
  end
  return queue
end

local function write_configuration(folder, ready, settings)
  settings = settings or {}
  local fields = {
    var = ("%q"):format(folder:path() .. "/var"),
    policy = ("{ directory = %q }"):format(folder:path() .. "/policy"),
    accounting = ability.reason_to_skip "cgroup" and '"rlimit"' or '"cgroup"',
    bucket = ("s3 { name = %q, endpoint = %q, region = %q, path_style = true }"):format(ready.bucket,
      ready.endpoints.s3, ready.region),
    queue = ("sqs { url = %q, dead_letter_url = %q, region = %q }"):format(ready.queue_url, ready.dead_letter_url,
      ready.region),
    visibility = '"10s"',
  }
  for name, value in pairs(settings) do fields[name] = type(value) == "function" and value(ready) or value end
  local lines = {}
  for name, value in pairs(fields) do lines[#lines + 1] = ("  %s = %s,"):format(name, value) end
  must(folder:write("submitter.lua", "return {\n" .. table.concat(lines, "\n") .. "\n}\n"))
  -- As support.deployment's, so that reports can be compared.
  must(folder:write("policy/default.lua", 'return { limits = { cpu = "200ms", wall = "700ms", memory = "48M", '
    .. 'output = "32K", processes = 8, files = "1M" } }\n', { parents = true }))
  return folder:path() .. "/submitter.lua"
end

---@class Cloud
---@field world Peer
---@field front Peer
---@field path string of the configuration
local Cloud = {}
Cloud.__index = Cloud

--- Brings all up.
---@async
---@param name string of its folder
---@param settings table<string, string|function>|nil fields of the configuration, as Lua text, or what makes it of the
--- peers' addresses
---@param world string[]|nil the peer that is bucket and queue, and its arguments; default: world.mjs
---@return Cloud
function cloud.open(name, settings, world)
  local reason = ability.reason_to_skip "rlimit"
  if reason then
    print(("ok 1 - %s # SKIP %s"):format(name, reason))
    os.exit(0)
  end
  local folder = peers.folder(name)
  local began = host.clock.monotonic_ms()
  world = peers.start(table.unpack(world or { "world.mjs", folder:path() .. "/ceph" }))
  local front = peers.start "frontend.mjs"
  front:ask("connect", world.ready)
  print(("# the peers were up in %.1f s"):format((host.clock.monotonic_ms() - began) / 1000))
  local self = setmetatable({ world = world, front = front, folder = folder, store = front_store(front),
    queue = console_queue(world), path = write_configuration(folder, world.ready, settings) }, Cloud)
  self.directory = must(folder:open("var", { create = true }))
  must(self.directory:open("jobs", { create = true }))
  return self
end

--- What a worker's environment holds so that it is the operator.
function Cloud:keys()
  local ready = self.world.ready
  return { AWS_ACCESS_KEY_ID = ready.access_key_id, AWS_SECRET_ACCESS_KEY = ready.secret_access_key }
end

-- What ends by itself, and soon: for tests that aren't about programs.
local quick = { AC = true, WA = true, RTE = true }

--- Hands in by the SDK; the queue knows of none yet. All kinds of programs in turn, each by a student of its own.
---@async
---@param count integer
---@param options {cases:integer, from:integer|nil, quick:boolean|nil, event:string|nil, source:string|nil} cases: so many of
--- each assignment; from: students before these; quick: only programs that end soon; event: another than the usual one;
--- source: this program for the assignment "sum", and no other
---@return table[] handed as support.hand_in gives them
function Cloud:hand_in(count, options)
  if not (options.from or options.quick or options.event or options.source) then
    return support.hand_in(self, count, options.cases)
  end
  local event, programs, handed = options.event or "spring", {}, {}
  for _, assignment in ipairs(catalogue.read(host.system.lua_directory() .. "/../spec/fixtures")) do
    for name, text in pairs(assignment.files) do
      must(self.store:put(("integration/%s/%s/grading/%s"):format(event, assignment.name, name),
        text:match("^" .. ("[^\n]*\n"):rep(options.cases))))
    end
    for _, program in ipairs(assignment.programs) do
      if not options.source and (not options.quick or quick[program.verdict]) then
        programs[#programs + 1] = { assignment = assignment.name, program = program }
      end
    end
  end
  if options.source then
    programs[1] = { assignment = "sum", program = { name = "given", source = options.source } }
  end
  for index = (options.from or 0) + 1, (options.from or 0) + count do
    local kind = programs[(index - 1) % #programs + 1]
    local one = must(submit.hand_in(self, { source = kind.program.source, admin = "integration", event = event,
      assignment = kind.assignment, tokens = { host.digest.md5("student " .. index) } }))
    handed[#handed + 1] = { location = one.location,
      name = ("%s/%s/%s %d"):format(event, kind.assignment, kind.program.name, index) }
  end
  return handed
end

--- The objects that a front end uploads for submissions: their programs and documents.
---@param handed table[]
---@return string[]
function cloud.uploads(handed)
  local keys = {}
  for _, one in ipairs(handed) do
    local names = key.names(one.location, "test")
    keys[#keys + 1] = names.source
    keys[#keys + 1] = names.document
  end
  return keys
end

--- The bucket's own events for them, straight into the queue, a message for each object.
---@async
---@param handed table[]
---@param shape "s3"|"eventbridge"|"sns"
function Cloud:announce(handed, shape)
  self.front:ask("announce", { keys = cloud.uploads(handed), shape = shape })
end

local function environment_of(given)
  local environment = { PATH = "/usr/bin:/bin", HOME = "/nonexistent", AWS_EC2_METADATA_DISABLED = "true" }
  for name, value in pairs(given) do environment[name] = value end
  return environment
end

--- Runs `submitter` with this configuration to its end.
---@async
---@param arguments string[]
---@param input string|nil
---@param environment table<string, string>|nil default keys()
function Cloud:run(arguments, input, environment)
  arguments[#arguments + 1] = "--config"
  arguments[#arguments + 1] = self.path
  return must(host.child.run { program = host.system.executable(), arguments = arguments, input = input,
    environment = environment_of(environment or self:keys()) })
end

-- The bucket's events for them, several records an event, as JSON.
local function batched(self, handed, records_each)
  local events = self.front:ask("created", { keys = cloud.uploads(handed), shape = "s3" }).events
  local batches = {}
  for first = 1, #events, records_each do
    local records = {}
    for index = first, math.min(first + records_each - 1, #events) do
      records[#records + 1] = events[index].Records[1]
    end
    batches[#batches + 1] = host.json.encode { Records = host.json.array(records) }
  end
  return batches
end

--- The bucket's events for them through `submitter notify`.
---@async
---@return integer queued by what it says
function Cloud:notify(handed, records_each)
  local queued = 0
  for _, event in ipairs(batched(self, handed, records_each)) do
    local ended = self:run({ "notify", "-" }, event)
    if ended.exit_code ~= 0 then
      error(("notify ended with %s: %s"):format(ended.exit_code or ended.signal, ended.stderr), 0)
    end
    queued = queued + select(2, ended.stdout:gsub("queued ", ""))
  end
  return queued
end

--- The bucket's events for them through `submitter notify` as AWS Lambda's runtime.
---@async
---@return integer succeeded invocations
---@return integer all
function Cloud:invoke(handed, records_each)
  local api, succeeded = runtime_api.open(), 0
  local environment = environment_of(self:keys())
  environment.AWS_LAMBDA_RUNTIME_API = api.address
  local child = must(host.child.start { program = host.system.executable(), environment = environment,
    arguments = { "notify", "--config", self.path } })
  local batches = batched(self, handed, records_each)
  for _, event in ipairs(batches) do
    local outcome = api:outcome(api:invoke(event, { left_ms = 60000 }), 60000)
    if outcome.kind == "response" then succeeded = succeeded + 1 end
  end
  api:close()
  child:kill "TERM"
  child:wait()
  return succeeded, #batches
end

--- Starts a worker as an operator would.
---@async
---@param options {once:boolean|nil, environment:table<string, string>|nil}|nil once: default true; environment: default keys()
function Cloud:start_worker(options)
  options = options or {}
  return support.start_worker(self, {
    once = options.once, environment = environment_of(options.environment or self:keys()),
  })
end

--- What the proxy counted of calls, since the last reset: counts of one operation, or a sum over all that match.
---@async
---@param what string a counter: "seen", "error", "refused skewed", "status 200", …
---@param operation string|nil "s3 PutObject"; default: all
---@return integer
function Cloud:count(what, operation)
  local total = 0
  for name, counts in pairs(self.world:ask("calls").calls) do
    if not operation or name == operation then total = total + (counts[what] or 0) end
  end
  return total
end

-- The right that each call of ours takes.
local rights = {
  ["s3 GetObject"] = "s3:GetObject", ["s3 HeadObject"] = "s3:GetObject", ["s3 PutObject"] = "s3:PutObject",
  ["s3 DeleteObject"] = "s3:DeleteObject", ["s3 ListObjectsV2"] = "s3:ListBucket",
  ["sqs ReceiveMessage"] = "sqs:ReceiveMessage", ["sqs DeleteMessageBatch"] = "sqs:DeleteMessage",
  ["sqs ChangeMessageVisibilityBatch"] = "sqs:ChangeMessageVisibility", ["sqs SendMessage"] = "sqs:SendMessage",
  ["sqs SendMessageBatch"] = "sqs:SendMessage", ["sqs GetQueueAttributes"] = "sqs:GetQueueAttributes",
}

--- Checks that what was called since the last reset takes no right but those that the READMEs name.
---@async
function Cloud:check_rights()
  local repository = must(host.file.directory(host.system.lua_directory() .. "/.."))
  local documented = must(repository:read "README.md") .. must(repository:read "lua/submitter/queue/README.md")
  local missing, calls = {}, self.world:ask("calls").calls
  for operation in pairs(calls) do
    local right = rights[operation]
    if not right or not documented:find("%f[%w]" .. right .. "%f[%W]") then missing[#missing + 1] = operation end
  end
  support.check(next(calls) and #missing == 0, "the rights that the READMEs name are enough",
    table.concat(missing, ", "))
end

--- Waits until a condition holds, for what happens in other processes.
---@async
---@param what string named in the error
---@param condition fun():any
function cloud.wait_until(what, condition)
  support.await(what, 120000, condition)
end

--- For check_published, where it is enough that a report is one.
---@param _ table
---@param report string
---@return string|nil
function cloud.has_verdict(_, report)
  if not report:find '"verdict":"%u+"' then return report end
end

--- How often the truth about each was written, by what the bucket carried out: key → count of puts that succeeded.
---@async
function Cloud:truths()
  local count = {}
  for _, put in ipairs(self.world:ask("puts").puts) do
    if put.status == 200 then
      local object_key = put.key:match "^/[^/]+/(.*)$"
      count[object_key] = (count[object_key] or 0) + 1
    end
  end
  return count
end

--- Checks that each was published, and once, by the bucket's own account.
---@async
---@param handed table[]
---@param title string
---@param judge fun(one:table, report:string):string|nil what is wrong with what was published for it (support.published)
function Cloud:check_published(handed, title, judge)
  local truths = self:truths()
  local missing, doubled, different = {}, {}, {}
  for _, one in ipairs(handed) do
    local text, why = support.published(self, one)
    local written = truths[key.names(one.location, "test").truth] or 0
    if not text then missing[#missing + 1] = one.name .. ": " .. why end
    if written > 1 then doubled[#doubled + 1] = ("%s: %d times"):format(one.name, written) end
    local wrong = text and judge(one, text)
    if wrong then different[#different + 1] = one.name .. ": " .. wrong end
  end
  support.check(#missing == 0, title .. ": every report is in the bucket", table.concat(missing, ", "))
  support.check(#doubled == 0, title .. ": no truth was written twice", table.concat(doubled, ", "))
  support.check(#different == 0, title .. ": they are the right ones", table.concat(different, "\n"))
end

--- Checks that nothing is left of it: messages, dead letters, jobs, processes, control groups.
---@async
function Cloud:check_left(dead_expected, title)
  local left = support.settle(self, dead_expected)
  support.check(#left == 0, title .. ": no message, job folder, process or control group is left",
    table.concat(left, "; "))
end

---@async
function Cloud:close()
  self.front:close()
  self.world:close()
end

--- The reports that the embedded default gives for the same submissions, by name.
---@async
---@return table<string, string>
function cloud.reference(count, case_count)
  local services = support.deployment "cloud-reference"
  local handed = support.hand_in(services, count, case_count)
  local log, ended = support.wait_worker(support.start_worker(services))
  support.check(ended.exit_code == 0, "the embedded default grades them", log:sub(-2000))
  local reports = {}
  for _, one in ipairs(handed) do reports[one.name] = must(support.published(services, one)) end
  services:close()
  return reports
end

return cloud
