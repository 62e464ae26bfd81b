--- `submitter status`: what waits, what is being graded, what was given up.
local host = require "submitter.host"
local options = require "submitter.cli.options"
local terminal = require "submitter.cli.terminal"

local command = { name = "status", summary = "what waits, what runs, what was given up" }

--- Making a worker's folder takes no time, but many may start at once.
local GATE_WAIT_MS = 5000

function command.describe(parser)
  parser:description("Shows how many messages wait, which submissions are being graded, and how many messages were "
    .. "given up.\n\nExample: submitter status --format json")
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

--- What the job folders tell: { worker, job, since_ms } for each submission in flight.
local function in_flight(directory)
  local running = {}
  local workers, message, code = directory:list "jobs"
  if not workers then
    if code == "ENOENT" then return running end
    return nil, message
  end
  -- Workers start under this lock, so that none finds its new folder locked by the look at it.
  local gate <close> = directory:lock("jobs/.", { shared = true, wait_ms = GATE_WAIT_MS })
  for _, worker in ipairs(workers) do
    -- A worker that ends while this looks takes its folder along: that is no failure.
    local jobs = gate and is_alive(directory, worker) and directory:list("jobs/" .. worker.name) or {}
    for _, job in ipairs(jobs) do
      local about = job.type == "directory" and directory:stat("jobs/" .. worker.name .. "/" .. job.name)
      if about then running[#running + 1] = { worker = worker.name, job = job.name, since_ms = about.modified_ms } end
    end
  end
  return running
end

local show = {}

function show.json(services, depth, running)
  local jobs = host.json.array {}
  for _, job in ipairs(running) do
    jobs[#jobs + 1] = { worker = job.worker, job = job.job, since = host.clock.utc(job.since_ms) }
  end
  io.stdout:write(host.json.encode(host.json.ordered({ "var", "ready", "held", "dead", "in_flight" }, {
    var = services.directory:path(), ready = depth.ready, held = depth.held, dead = depth.dead, in_flight = jobs,
  }), { indent = 2 }), "\n")
end

function show.table(services, depth, running)
  local colour = terminal.has_colour(1)
  local pen = terminal.pen(colour)
  io.stdout:write("var        ", terminal.escape(services.directory:path()), "\n")
  local about = services.queue.depth_is_approximate and "about so many " or ""
  local function line(name, count, style, explanation)
    io.stdout:write(("%-9s  "):format(name), pen(style, ("%-6s"):format(count)), "  ", explanation, "\n")
  end
  line("ready", depth.ready, nil, about .. "messages that a worker may take")
  line("held", depth.held, nil, about .. "messages that a worker has taken, or that wait for their next try")
  if depth.dead then
    line("dead", depth.dead, depth.dead > 0 and "red" or nil, "given up; see: submitter deadletters list")
  else
    local why = depth.dead_problem or "the queue has no dead_letter_url in the configuration"
    line("dead", "?", nil, terminal.escape(why))
  end
  line("in flight", #running, nil, "submissions that a worker is at")
  if #running == 0 then return end
  local now, rows = host.clock.now_ms(), {}
  for _, job in ipairs(running) do
    rows[#rows + 1] = { job.job, ("%.1f s"):format(math.max(0, now - job.since_ms) / 1000), job.worker }
  end
  local columns = { { title = "submission" }, { title = "for", right = true }, { title = "worker" } }
  io.stdout:write("\n", table.concat(terminal.table(columns, rows, { colour = colour }), "\n"), "\n")
end

function command.run(arguments)
  return options.with_services(arguments, { "var", "queue" }, function(services)
    local depth, message = services.queue:depth()
    if not depth then return nil, message, "environment" end
    local running
    running, message = in_flight(services.directory)
    if not running then return nil, message, "environment" end
    show[arguments.format](services, depth, running)
    return 0
  end)
end

return command
