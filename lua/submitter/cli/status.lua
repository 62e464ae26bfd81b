--- `submitter status`: what waits, what is being graded, what was given up.
local host = require "submitter.host"
local options = require "submitter.cli.options"
local terminal = require "submitter.cli.terminal"
local workers = require "submitter.cli.workers"

local command = { name = "status", summary = "what waits, what runs, what was given up" }

function command.describe(parser)
  parser:description("Shows how many messages wait, which submissions are being graded, how many messages were given "
    .. "up, and when the workers of this machine last heard of the queue.\n\nExample: submitter status --format json")
  parser:option("--format"):argname("FORMAT"):choices({ "table", "json" }):default("table")
    :description "table or json"
end

--- What the job folders tell of the workers on this machine, and { worker, job, since_ms } for each submission in flight.
local function look_at_workers(directory)
  local found, message = workers.look(directory)
  if not found then return nil, message end
  local running = {}
  for _, worker in ipairs(found) do
    local own = workers.jobs(directory, worker.name)
    table.move(own, 1, #own, #running + 1, running)
  end
  return found, running
end

local show = {}

function show.json(services, depth, found, running)
  local polled, in_flight = host.json.array {}, host.json.array {}
  for _, worker in ipairs(found) do
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

function show.table(services, depth, found, running)
  local colour = terminal.has_colour(1)
  local pen = terminal.pen(colour)
  io.stdout:write("var        ", terminal.escape(services.directory:path()), "\n")
  local function plain(text) return text end
  show_depth(depth, services.queue.depth_is_approximate and "about so many " or "", plain,
    function(text) return pen("red", text) end)
  line("workers", #found, plain, "on this machine")
  line("in flight", #running, plain, "submissions that they are at")
  local now_ms, rows = host.clock.now_ms(), {}
  for _, worker in ipairs(found) do
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
    local found, running = look_at_workers(services.directory)
    if not found then return nil, running, "environment" end
    show[arguments.format](services, depth or {}, found, running)
    -- What the workers say is worth the most when the queue says nothing.
    if not depth then return nil, problem, "environment" end
    return 0
  end)
end

return command
