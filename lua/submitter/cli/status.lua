--- `submitter status`: what waits, what is being graded, what was given up.
local host = require "submitter.host"
local jobs = require "submitter.jobs"
local options = require "submitter.cli.options"
local terminal = require "submitter.cli.terminal"

local command = { name = "status", summary = "what waits, what runs, what was given up" }

--- Making a worker's folder takes no time, but many may start at once.
local GATE_WAIT_MS = 5000
local STATE_LIMIT_BYTES = 64 << 10

function command.describe(parser)
  parser:description("Shows how many messages wait, which submissions are being graded, how many messages were given "
    .. "up, and when the workers of this machine last heard of the queue.\n\nExample: submitter status --format json")
  parser:option("--format"):argname("FORMAT"):choices({ "table", "json" }):default("table")
    :description "table or json"
end

--- A living worker has its folder locked. What a killed one left stays until the next worker starts, and its messages
--- come back by themselves.
local function is_alive(directory, worker)
  if worker.type ~= "directory" then return false end
  local lock, _, code = directory:lock("jobs/" .. worker.name .. "/.", { shared = true })
  if lock then lock:release() end
  return code == "busy"
end

--- What a worker wrote last about its queue; nothing where it is just writing it.
local function read_state(directory, worker)
  local text = directory:read(("jobs/%s/%s"):format(worker, jobs.state_file), { limit_bytes = STATE_LIMIT_BYTES })
  local state = text and host.json.decode(text)
  if type(state) ~= "table" then return {} end
  return {
    last_poll_ms = math.type(state.last_poll_ms) == "integer" and state.last_poll_ms or nil,
    problem = type(state.problem) == "string" and state.problem or nil,
  }
end

local function read_jobs(directory, worker)
  local running = {}
  -- A worker that ends while this looks takes its folder along: that is no failure.
  for _, job in ipairs(directory:list("jobs/" .. worker) or {}) do
    local about = job.type == "directory" and directory:stat("jobs/" .. worker .. "/" .. job.name)
    if about then running[#running + 1] = { worker = worker, job = job.name, since_ms = about.modified_ms } end
  end
  return running
end

--- What the job folders tell of the workers on this machine: { name, last_poll_ms, problem }, and { worker, job, since_ms }
--- for each submission in flight.
local function look_at_workers(directory)
  local workers, running = {}, {}
  local folders, message, code = directory:list "jobs"
  if not folders then
    if code == "ENOENT" then return workers, running end
    return nil, message
  end
  -- Workers start under this lock, so that none finds its new folder locked by the look at it.
  local gate <close> = directory:lock("jobs/.", { shared = true, wait_ms = GATE_WAIT_MS })
  for _, folder in ipairs(gate and folders or {}) do
    if is_alive(directory, folder) then
      local state = read_state(directory, folder.name)
      workers[#workers + 1] = { name = folder.name, last_poll_ms = state.last_poll_ms, problem = state.problem }
      local own = read_jobs(directory, folder.name)
      table.move(own, 1, #own, #running + 1, running)
    end
  end
  return workers, running
end

local show = {}

function show.json(services, depth, workers, running)
  local polled, in_flight = host.json.array {}, host.json.array {}
  for _, worker in ipairs(workers) do
    polled[#polled + 1] = { name = worker.name, problem = worker.problem,
      last_poll = worker.last_poll_ms and host.clock.utc(worker.last_poll_ms) }
  end
  for _, job in ipairs(running) do
    in_flight[#in_flight + 1] = { worker = job.worker, job = job.job, since = host.clock.utc(job.since_ms) }
  end
  local names = { "var", "ready", "held", "dead", "workers", "in_flight" }
  io.stdout:write(host.json.encode(host.json.ordered(names, {
    var = services.directory:path(), ready = depth.ready, held = depth.held, dead = depth.dead, workers = polled,
    in_flight = in_flight,
  }), { indent = 2 }), "\n")
end

local function line(name, count, style, explanation)
  io.stdout:write(("%-9s  "):format(name), style(("%-6s"):format(count)), "  ", explanation, "\n")
end

local function show_depth(depth, about, plain, red)
  if not depth.ready then return line("queue", "?", red, "can't be asked; see below") end
  line("ready", depth.ready, plain, about .. "messages that a worker may take")
  line("held", depth.held, plain, about .. "messages that a worker has taken, or that wait for their next try")
  if depth.dead then
    line("dead", depth.dead, depth.dead > 0 and red or plain, "given up; see: submitter deadletters list")
  else
    local why = depth.dead_problem or "the queue has no dead_letter_url in the configuration"
    line("dead", "?", plain, terminal.escape(why))
  end
end

local function since(now_ms, then_ms)
  return ("%.1f s"):format(math.max(0, now_ms - then_ms) / 1000)
end

local function show_rows(columns, rows, colour)
  if #rows == 0 then return end
  io.stdout:write("\n", table.concat(terminal.table(columns, rows, { colour = colour }), "\n"), "\n")
end

function show.table(services, depth, workers, running)
  local colour = terminal.has_colour(1)
  local pen = terminal.pen(colour)
  io.stdout:write("var        ", terminal.escape(services.directory:path()), "\n")
  local function plain(text) return text end
  show_depth(depth, services.queue.depth_is_approximate and "about so many " or "", plain,
    function(text) return pen("red", text) end)
  line("workers", #workers, plain, "on this machine")
  line("in flight", #running, plain, "submissions that they are at")
  local now_ms, rows = host.clock.now_ms(), {}
  for _, worker in ipairs(workers) do
    rows[#rows + 1] = {
      worker.name, worker.last_poll_ms and since(now_ms, worker.last_poll_ms) or "never",
      terminal.escape(worker.problem or ""),
    }
  end
  local columns = { { title = "worker" }, { title = "queue answered before", right = true }, { title = "trouble" } }
  show_rows(columns, rows, colour)
  rows = {}
  for _, job in ipairs(running) do rows[#rows + 1] = { job.job, since(now_ms, job.since_ms), job.worker } end
  show_rows({ { title = "submission" }, { title = "for", right = true }, { title = "worker" } }, rows, colour)
end

function command.run(arguments)
  return options.with_services(arguments, { "var", "queue" }, function(services)
    local depth, problem = services.queue:depth()
    local workers, running = look_at_workers(services.directory)
    if not workers then return nil, running, "environment" end
    show[arguments.format](services, depth or {}, workers, running)
    -- What the workers say is worth the most when the queue says nothing.
    if not depth then return nil, problem, "environment" end
    return 0
  end)
end

return command
