--- The runner of kind "docker": the sandbox of `runner/sandbox.lua` in a container, one a submission. An engine takes
--- much longer to start one than a program takes to run, so some wait in a pool, started for the largest limits; one that
--- is taken gets its submission's name and limits. Each is used once. What the engine couldn't remove is remembered, and
--- removed when it answers again.
local box = require "submitter.runner.box"
local engine_client = require "submitter.engine.client"
local engine_faults = require "submitter.engine.faults"
local form = require "submitter.engine.form"
local host = require "submitter.host"
local leftovers = require "submitter.runner.leftovers"
local pool = require "submitter.runner.pool"

local container_runner = {}

-- Two starts at a time take an engine about as long as one each; more only make all of them slow.
local STARTS_AT_ONCE = 2
local MEMORY_RESERVE_BYTES = 128 << 20
-- Between two tries to remove what could not be removed.
local SWEEP_FIRST_MS, SWEEP_LONGEST_MS = 200, 10000

---@class ContainerRunner
---@field known table<string, true> tags of the containers that somebody sees to, those of all runners of this worker
local Runner = {}
Runner.__index = Runner

---@class ContainerSession a container for one submission; another takes its place when it ends early
local Session = {}
Session.__index = Session

-- ---- opening ----

local function folder_of(path)
  return path:match "^(.*)/[^/]*$" or "."
end

-- The filter of the containers: that which was named, or the one that was made with the programs.
local function read_seccomp(named)
  local places = { named }
  if not named then
    for index, path in ipairs { host.system.executable(), host.system.lua_directory() } do
      places[index] = folder_of(path) .. "/seccomp.json"
    end
  end
  for _, path in ipairs(places) do
    local stream = io.open(path, "rb")
    local text = stream and stream:read "a"
    if stream then stream:close() end
    if text then
      if type(host.json.decode(text)) ~= "table" then
        return nil, ("%s is no seccomp profile: it isn't JSON"):format(path), "environment"
      end
      return { path = path, text = text }
    end
  end
  return nil, ("the containers' seccomp profile can't be read: %s; make walls builds it, and docker { seccomp = "
    .. "\"…\" } says where it is"):format(table.concat(places, ", ")), "environment"
end

local function name_of(about, tag)
  local subid = about and about.subid
  return subid and ("subid%s-%s"):format(subid, tag) or "submitter-run-" .. tag
end

-- An engine without room answers, and yet makes none for anybody: as long as it doesn't, that is nobody's fault either.
local function note_room(self, message)
  if not message then
    self.without_room = nil
  elseif message:find "^out of disk" then
    self.without_room = self.without_room or { message = message, since_ms = host.clock.now_ms() }
  end
end

local function make(self, limits, wanted, name, tag)
  self.known[tag] = true
  local made, message, code = box.make(self, { name = name, tag = tag, limits = limits, wanted = wanted })
  note_room(self, message)
  if not made then return nil, message, code end
  local info = made.sandbox:info()
  self.version, self.image_id = info.python or self.version, made.image_id
  return made
end

local function wanted_for(self, limits)
  return form.wanted(limits, self.settings.memory_reserve_bytes, self.processors)
end

-- For the pool: with all processors as long as it starts, which it does the sooner.
local function make_for_pool(self)
  local tag = host.digest.random(8)
  local wanted = form.wanted(self.ceilings, self.settings.memory_reserve_bytes)
  return make(self, self.ceilings, wanted, "submitter-pool-" .. tag, tag)
end

--- Reads what containers are made with. Asks the engine nothing.
---@async
---@param configuration table what configuration.load returned: its ceilings, and `processors`
---@param settings table the fields of docker { … }: image, engine, socket, pool, patience_ms, apparmor, seccomp, runtime,
--- cgroup_parent, user_namespace, memory_reserve_bytes
---@param parts {jobs:JobRegistry|nil, directory:Directory|nil, known:table<string, true>|nil, http:table|nil,
--- sandbox:table|nil}|nil what a worker has opened, and the tags that all its runners know, which must not remove each
--- other's containers; nil for a command; http and sandbox stand in for the host's in specs
---@return ContainerRunner|nil
---@return string|nil message
---@return "environment"|nil code
function container_runner.open(configuration, settings, parts)
  local profile, message, code = read_seccomp(settings.seccomp)
  if not profile then return nil, message, code end
  local owned
  owned, message, code = leftovers.new(parts)
  if not owned then return nil, message, code end
  local self = setmetatable({
    engine = engine_client.new {
      socket = settings.socket, patience_ms = settings.patience_ms, is_quiet = configuration.is_command,
      http = parts and parts.http, sandbox = parts and parts.sandbox,
    },
    settings = {
      image = settings.image, apparmor = settings.apparmor, runtime = settings.runtime, seccomp_path = profile.path,
      seccomp_profile = profile.text, cgroup_parent = settings.cgroup_parent, user_namespace = settings.user_namespace,
      memory_reserve_bytes = settings.memory_reserve_bytes or MEMORY_RESERVE_BYTES,
    },
    pool_size = settings.pool, ceilings = configuration.policy.limits, processors = configuration.processors,
    leftovers = owned, known = parts and parts.known or {}, under_way = 0, changed = host.task.event(),
  }, Runner)
  self.pool = pool.new {
    name = "container made ready", at_once = STARTS_AT_ONCE, build = function() return make_for_pool(self) end,
  }
  return self
end

-- ---- tasks of the runner's own, which go on when those who asked for them are cancelled ----

local function spawn(self, name, body, ...)
  self.under_way = self.under_way + 1
  return host.task.spawn(name, function(...)
    local result = table.pack(xpcall(body, debug.traceback, ...))
    self.under_way = self.under_way - 1
    self.changed:set()
    if not result[1] then error(result[2], 0) end
    return table.unpack(result, 2, result.n)
  end, ...)
end

-- ---- what could not be removed ----

local function is_clean(self)
  return not self.has_lost and not self.has_leftovers
end

-- An engine that didn't answer may still be making what it was asked for, for as long as that may take it once it speaks again.
local function expect_late(self)
  self.lost_until_ms, self.is_silent = host.clock.monotonic_ms() + self.engine.patience_ms, true
end

-- One look at what bears our labels. True when nothing is there that nobody sees to.
local function sweep_once(self)
  local list, message, code = self.engine:list(self.leftovers:labels())
  if not list then
    self.is_silent = self.lost_until_ms ~= nil
    return nil, message, code
  elseif self.is_silent then
    expect_late(self)
    self.is_silent = false
  end
  for _, container in ipairs(list) do
    if not self.known[leftovers.tag(container) or ""] then
      local removed
      removed, message, code = self.engine:remove(container.id)
      if not removed then return nil, message, code end
      host.log.info("container_removed_late", { container = container.id:sub(1, 12) })
    end
  end
  -- What it may still be making appears later.
  if host.clock.monotonic_ms() >= (self.lost_until_ms or 0) then self.has_lost, self.lost_until_ms = false, nil end
  if self.has_leftovers then
    local swept
    swept, message, code = self.leftovers:sweep(self.engine)
    if not swept then return nil, message, code end
    self.has_leftovers = false
  end
  return is_clean(self)
end

local function sweep(self)
  local pause_ms = SWEEP_FIRST_MS
  while not self.is_closing do
    local clean, message, code = sweep_once(self)
    if clean then return end
    if code and code ~= "unavailable" then
      host.log.warn("containers_unswept", { reason = message, hint = "another try is made when the worker ends" })
      return
    end
    self.stopping:wait(pause_ms)
    pause_ms = math.min(pause_ms * 2, SWEEP_LONGEST_MS)
  end
end

local function begin_sweep(self)
  if self.sweeping and not self.sweeping:done() or self.is_closing then return end
  self.stopping = host.task.event()
  self.sweeping = host.task.spawn("sweep of containers", sweep, self)
end

--- Called by a box that is gone.
---@param one Box
function Runner:forget(one)
  self.known[one.tag] = nil
end

--- Called by a box that the engine could not remove.
---@param one Box
---@param message string|nil why; nil: it isn't known whether there is one
function Runner:remember(one, message)
  self.known[one.tag] = nil
  self.has_lost = true
  if one.is_uncertain then expect_late(self) end
  host.log.warn("container_left_for_later", { container = one.name, reason = message or "the engine didn't say" })
  begin_sweep(self)
end

-- ---- the runner ----

--- What a result says about the runner, as far as it is known by now.
---@return {kind:string, language:string, version:string|nil, accounting:string, image:string, image_id:string|nil}
function Runner:describe()
  return {
    kind = "docker", language = "python", version = self.version, accounting = "container", image = self.settings.image,
    image_id = self.image_id,
  }
end

-- Whether one can be made.
local function try_one(self)
  local trial = spawn(self, "trial of a container", function()
    local made, message, code = self.pool:make_now(make_for_pool, self)
    if not made then return nil, message, code end
    made:close()
    return true
  end)
  local ended, tried, message, code = trial:join()
  if not ended then return nil, "the container didn't start: " .. tostring(tried), "sandbox" end
  return tried, message, code
end

--- Is the engine there, has it the image, and room, where it had none?
---@async
---@return true|nil
---@return string|nil message
---@return string|nil code
function Runner:reach()
  local there, message, code = self.engine:ping()
  if not there then return nil, message, code end
  there, message, code = self.engine:image(self.settings.image)
  if not there then return nil, message, code end
  if self.without_room then return try_one(self) end
  return true
end

--- That the engine is known to be away, or without room. Asks nobody.
---@return string|nil message
---@return integer|nil since_ms wall clock
function Runner:problem()
  local away = self.engine.away or self.without_room
  if away then return away.message, away.since_ms end
end

--- Removes what dead workers left, keeps so many containers ready from now on, and says whether any can be made here.
---@async
---@param count integer where the settings say nothing of a pool
---@return true|nil
---@return string|nil message
---@return string|nil code
function Runner:warm(count)
  self.has_leftovers = self.leftovers.var ~= nil
  if self.has_leftovers then begin_sweep(self) end
  self.pool:want(self.pool_size or count)
  local ready, message, code
  if self.pool.wanted > 0 then
    ready, message, code = self.pool:first()
  else
    ready, message, code = try_one(self)
  end
  if not ready then return nil, message, code end
  return true
end

-- One of the pool that still lives, with this submission's name and limits.
local function take_ready(self, wanted, about)
  while true do
    local one = self.pool:take()
    if not one then return nil end
    local returned, adopted, message, code, fault = true, nil, "its stream ended while it waited", nil, nil
    if one.sandbox:info().usable then
      returned, adopted, message, code, fault = xpcall(one.adopt, debug.traceback, one, name_of(about, one.tag), wanted)
    end
    if returned and adopted then return one end
    host.log.info("container_of_pool_lost", { container = one.name, reason = message })
    spawn(self, "end of a lost container", one.close, one)
    if not returned then error(adopted, 0) end
    if fault == "engine away" or fault == "engine slow" then return nil, message, code end
  end
end

local function obtain(self, limits, about)
  local wanted = wanted_for(self, limits)
  local ready, message, code = take_ready(self, wanted, about)
  if ready then return ready, true end
  if message then return nil, message, code end
  if self.pool.wanted > 0 then host.log.info("container_pool_empty", { size = self.pool.wanted }) end
  local tag = host.digest.random(8)
  local made
  made, message, code = self.pool:make_now(make, self, limits, wanted, name_of(about, tag), tag)
  if not made then return nil, message, code end
  return made, false
end

-- A box for a submission. Who is cancelled while it is made leaves none: it is ended when it stands.
local function start_box(self, limits, about)
  local order = {}
  local starting = spawn(self, "start of a container", function()
    local one, message, code = obtain(self, limits, about)
    if not one or not order.is_abandoned then
      order.box = one
      return one, message, code
    end
    one:close()
  end)
  local waited, ended, one, message, code = pcall(starting.join, starting)
  if not waited then
    order.is_abandoned = true
    if order.box then spawn(self, "end of a container", order.box.close, order.box) end
    error(ended, 0)
  end
  if not ended then return nil, "the container didn't start: " .. tostring(one), "sandbox" end
  return one, message, code
end

--- A container with nothing in it yet.
---@async
---@param limits SandboxLimits the largest that a case of it will have
---@param about {subid:string|nil}|nil whose it is, for its name
---@return ContainerSession|nil
---@return string|nil message
---@return string|nil code
function Runner:start(limits, about)
  local subid = about and about.subid
  if subid and not subid:find "^%x+$" then error("expected runner:start(limits, { subid = hexadecimal digits })", 2) end
  local one, was_ready, code = start_box(self, limits, about)
  if not one then return nil, was_ready, code end
  return setmetatable({ runner = self, box = one, limits = limits, about = about, was_ready = was_ready }, Session)
end

local function shut(self)
  self.pool:drain(function(one) one:close() end)
  while self.under_way > 0 do
    self.changed:wait()
    self.changed:clear()
  end
  if self.sweeping then self.sweeping:join() end
  while not is_clean(self) do
    local clean, message = sweep_once(self)
    if not clean and message then return nil, message end
    if not clean then host.clock.sleep_ms(SWEEP_FIRST_MS) end
  end
  -- A desk has no start of its own at which to look, nor anybody to wait for it: what it can't remove is the next one's.
  if not self.leftovers.var and not self.engine.away then self.leftovers:sweep(self.engine) end
  return true
end

--- Ends those that stand ready, waits for what is under way, and keeps none from now on. What the engine doesn't remove in
--- twice its patience is left to the next worker's start.
---@async
function Runner:close()
  self.is_closing = true
  if self.stopping then self.stopping:set() end
  local shut_down, message = host.task.within(self.engine.patience_ms * 2, shut, self)
  if not shut_down then host.log.warn("containers_left", { reason = message, worker = self.leftovers.worker }) end
end

-- ---- a session ----

--- As `Runner:describe`, as the sandbox itself said it.
---@return {kind:string, language:string, version:string|nil, accounting:string, image:string, image_id:string|nil}
function Session:describe()
  local described, info = self.runner:describe(), self.box.sandbox:info()
  described.version = info.python or described.version
  described.accounting = info.accounting or described.accounting
  described.image_id = self.box.image_id
  return described
end

-- Another container in the place of one that is over.
local function replace(self)
  spawn(self.runner, "end of a container", self.box.close, self.box)
  local one, was_ready, code = start_box(self.runner, self.limits, self.about)
  if not one then return nil, was_ready, code end
  self.box, self.was_ready = one, was_ready
  return true
end

-- What an error of the sandbox means, where its stream ended: as the engine knows it.
local function explained(self, since_ms, message, code)
  if code ~= "cut" then return nil, message, code end
  self.box.is_lost = true
  return self.box:failure(self.box:reason(since_ms), message)
end

-- What the sandbox answers comes through the engine, which may hang while the container runs on: so it has its patience, beyond
-- the time that the program may take.
local function patiently(self, beside_ms, method, options)
  local patience_ms = beside_ms + self.runner.engine.patience_ms
  local answer, message, code = host.task.within(patience_ms, method, self.box.sandbox, options)
  if answer or code ~= "timeout" then return answer, message, code end
  -- Whether it answers nobody has to be known by now: it decides whether this counts against the message.
  self.runner.engine:ping()
  return engine_faults.failure("engine slow", ("nothing comes from %s: %s"):format(self.box.name, message))
end

local function hand_over(self)
  local program, sandbox = self.program, self.box.sandbox
  local since_ms = host.clock.now_ms()
  local done, message, code = patiently(self, 0, sandbox.submit, {
    files = { { name = program.name, data = program.source } }, program = program.name, limits = program.limits,
  })
  if done then return true end
  return explained(self, since_ms, message, code)
end

--- Hands the program over, once. A container that waited for long may have died since; then another takes its place.
---@async
---@param program {name:string, source:string, limits:SandboxLimits}
---@return true|nil
---@return string|nil message
---@return string|nil code
function Session:submit(program)
  self.program = program
  local done, message, code = hand_over(self)
  -- The next of the pool may have died with it; each is tried once.
  while self.box.is_lost and self.was_ready do
    local replaced
    replaced, message, code = replace(self)
    if not replaced then return nil, message, code end
    done, message, code = hand_over(self)
  end
  return done, message, code
end

-- The program took all the memory that the container has, and the kernel ended the runner with it. What it printed and used
-- until then is lost but for the time on the clock.
local function out_of_memory(limits, wall_us)
  return {
    ending = "memory", cpu_ms = 0, cpu_us = 0, wall_ms = wall_us // 1000, wall_us = wall_us,
    memory_bytes = limits.memory_bytes, stdout = "", stderr = "", stdout_truncated = true, stderr_truncated = true,
  }
end

-- What a case came to whose container is over.
local function broken(self, since_ms, wall_us, message)
  local reason = self.box:reason(since_ms)
  if reason.ending ~= "memory" then return self.box:failure(reason, message) end
  host.log.debug("container_out_of_memory", { container = self.box.name })
  self.is_over = true
  return out_of_memory(self.program.limits, wall_us)
end

local function renew(self)
  local replaced, message, code = replace(self)
  if not replaced then return nil, message, code end
  local done
  done, message, code = self:submit(self.program)
  if not done then return nil, message, code end
  self.is_over = false
  return true
end

--- Runs the program once; in a fresh container, where the case before took the last one along.
---@async
---@param case {number:integer, arguments:string[], stdin:string|nil}
---@return SandboxResult|nil
---@return string|nil message
---@return string|nil code
function Session:case(case)
  if self.is_over then
    local renewed, problem, class = renew(self)
    if not renewed then return nil, problem, class end
  end
  local since_ms, begun_us = host.clock.now_ms(), host.clock.monotonic_us()
  local limits = self.program.limits
  local result, message, code = patiently(self, limits.wall_ms, self.box.sandbox.case, {
    number = case.number, arguments = case.arguments, stdin = case.stdin, limits = limits,
  })
  if result or code ~= "cut" then return result, message, code end
  return broken(self, since_ms, host.clock.monotonic_us() - begun_us, message)
end

--- Ends all of it and waits until it is gone; where the engine can't remove it now, the runner does so later. May be called
--- again.
---@async
---@return true
function Session:close()
  self.box:close()
  -- Only now, so that starting doesn't take the processor from a program that is being measured.
  if not self.is_closed then
    self.is_closed = true
    self.runner.pool:fill()
  end
  return true
end

return container_runner
