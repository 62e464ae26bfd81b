--- `submitter doctor`: what this machine can enforce and what is reachable, by trying it where that is possible.
local containers = require "submitter.cli.containers"
local control_group = require "submitter.runner.control_group"
local host = require "submitter.host"
local kernel = require "submitter.kernel"
local machine = require "submitter.cli.machine"
local options = require "submitter.cli.options"
local policy = require "submitter.policy"
local python = require "submitter.python"
local reach = require "submitter.cli.reach"
local runner_fields = require "submitter.runner.fields"
local services = require "submitter.services"
local terminal = require "submitter.cli.terminal"
local trial = require "submitter.cli.trial"
local units = require "submitter.units"

local command = { name = "doctor", summary = "what this machine can enforce, and what to do about it" }

function command.describe(parser)
  parser:description("Looks at the kernel, the programs, the Python interpreter, the folders, tries bucket, queue and "
    .. "database with the credentials that it finds, and builds a sandbox, or starts a container, to run a few "
    .. "programs in it. Exits 3 when something needed fails; each finding says what to do."
    .. "\n\nExample: submitter doctor")
end

local function finding(state, name, text, remedy)
  return { state = state, name = name, text = text, remedy = remedy }
end

local function exists(path)
  local stream = io.open(path, "rb")
  if stream then stream:close() end
  return stream ~= nil
end

local function user_name(user_id)
  for line in (kernel.read "/etc/passwd" or ""):gmatch "[^\n]+" do
    local name, number = line:match "^([^:]+):[^:]*:(%d+):"
    if tonumber(number) == user_id then return name end
  end
  return nil
end

-- Of those of the walls only where they are needed: in containers they are the image's.
local function programs(has_sandbox)
  local folder = host.system.executable():match "^(.*)/"
  if not has_sandbox then
    return finding("ok", "programs", ("submitter %s in %s"):format(host.system.version(), folder))
  end
  local missing = {}
  for _, name in ipairs { "submitter-sandbox", "submitter-runner" } do
    if not exists(folder .. "/" .. name) then missing[#missing + 1] = name end
  end
  if #missing > 0 then
    return finding("fail", "programs", table.concat(missing, " and ") .. " not found in " .. folder,
      "build them: make; or install all three programs in one folder: make install")
  end
  return finding("ok", "programs",
    ("submitter %s, submitter-sandbox and submitter-runner in %s"):format(host.system.version(), folder))
end

--- The command that loads the AppArmor profile. It names the installed program; one that stands elsewhere needs its own path.
local function load_profile()
  local folder = host.system.executable():match "^(.*)/"
  local installed = folder .. "/../share/submitter/apparmor/submitter-sandbox"
  if exists(installed) then return ("apparmor_parser -r %s"):format(installed) end
  return ("sed 's|/usr{,/local}/bin/|%s/|' %s/../docker/apparmor/submitter-sandbox | apparmor_parser -r"):format(
    folder, host.system.lua_directory())
end

local function interpreter(configured)
  local path, version = python.find(configured)
  if not path then
    return finding("fail", "python", version, "apt-get install python3, or set python in the configuration")
  end
  return finding("ok", "python", ("%s, version %s"):format(path, version)), path
end

--- Opens var as the worker does, and writes there.
local function storage(opened)
  local name = ("doctor-%d"):format(host.system.pid())
  local written, message = opened.directory:replace(name, "probe\n")
  if not written then
    return finding("fail", "var", message,
      "see that this user may write in " .. opened.directory:path() .. ", and that there is room")
  end
  opened.directory:remove(name)
  return finding("ok", "var", opened.directory:path() .. " can be written")
end

--- Who we are to AWS: where credentials, region, and endpoints that aren't the configuration's were found.
local function identity(opened)
  local who = opened.session:describe()
  if who.message then return finding("fail", "aws", who.message, "see lua/submitter/aws/README.md") end
  local text = ("credentials by %s, region %s"):format(who.credentials, who.region or "of the queue")
  for _, pair in ipairs { { "bucket", "s3" }, { "queue", "sqs" } } do
    local part, service = table.unpack(pair)
    local settings = opened.configuration[part]
    local found = settings.kind == service and not settings.endpoint
      and opened.session:endpoint(service, { region = settings.region })
    if found and found.custom then text = ("%s, %s at %s (%s)"):format(text, part, found.url, found.source) end
  end
  return finding("ok", "aws", text)
end

local function policies(opened)
  local loaded, message = policy.load {
    directory = opened.policy_directory, ceilings = opened.configuration.policy.limits,
    runners = opened.configuration.policy.runners,
  }
  if not loaded then return finding("fail", "policy", message, "mend the file that the message names") end
  return finding("ok", "policy", ("%s: %s memory, %s CPU, %s wall clock a case"):format(loaded.name,
    units.format_bytes(loaded.limits.memory_bytes), units.format_ms(loaded.limits.cpu_ms),
    units.format_ms(loaded.limits.wall_ms)))
end

-- Where programs run within walls that this program builds itself.
local function try_sandbox(configured, settings, show)
  local found, path = interpreter(configured.python)
  show(found)
  if not path then return end
  local one, message = require("submitter.runner.sandbox").open(configured, settings)
  if not one then return show(finding("fail", "sandbox", message, "see the message")) end
  for _, each in ipairs(trial.run(one)) do show(each) end
  one:close()
end

-- Where they run in containers.
local function try_container(configured, settings, show)
  local facts, problem = require("submitter.engine.probe").probe(settings)
  local about = setmetatable({ processors = configured.processors }, { __index = settings })
  local is_ready = true
  for _, each in ipairs(containers.judge(facts, about, problem)) do
    is_ready = is_ready and each.state ~= "fail"
    show(each)
  end
  if not is_ready then return end
  local one, message = require("submitter.runner.container").open(configured, settings)
  if not one then return show(finding("fail", "container", message, "see the message")) end
  for _, each in ipairs(trial.run(one)) do show(each) end
  one:close()
end

local kinds = { sandbox = try_sandbox, docker = try_container }

-- Every runner that the configuration has. Of several each is named, before what is found about it.
local function runners(configured, show)
  local names = runner_fields.names(configured)
  for _, name in ipairs(names) do
    local settings = name == runner_fields.DEFAULT and configured.runner or configured.runners[name]
    if #names > 1 then
      show(finding("ok", "runner", ("%s: %s"):format(name, settings.image and "a container of " .. settings.image
        or "the walls that are built in")))
    end
    kinds[settings.kind](configured, settings, show)
  end
end

-- What the kernel says, as far as it matters: an engine of containers has its own view of control groups and users.
local function kernel_findings(configured, show)
  show(machine.kernel(kernel.read))
  if runner_fields.has_sandbox(configured) then
    local user_id = host.system.user_id()
    -- As the worker does, and before anything looks: what is found is what the worker will have.
    control_group.enter(configured)
    show(machine.namespaces(kernel.read, exists, user_id))
    show(machine.apparmor(kernel.read, user_id, load_profile()))
    if configured.accounting == "container" then
      show(machine.container(kernel.read, configured.policy.limits.memory_bytes))
    else
      show(machine.cgroup(kernel.read, exists))
    end
    show(machine.user(kernel.read, exists, user_id, user_name(user_id)))
  end
  show(machine.seccomp(kernel.read))
end

--- What the worker opens: by the names of the parts and of the findings about them.
local looks = {
  { "var", "var", storage, "choose a folder that can be written: var in the configuration, or SUBMITTER_VAR" },
  { "store", "bucket", reach.bucket, "see bucket in the configuration" },
  { "queue", "queue", reach.queue, "see queue in the configuration" },
  { "database", "database", reach.database, "see database in the configuration" },
  { "policies", "policy", policies, "mend the file that the message names" },
}

local function parts(configured, show)
  local opened = services.open(configured)
  for _, look in ipairs(looks) do
    local part, name, try, remedy = table.unpack(look)
    local had_session = opened.session ~= nil
    local good, message = opened:open(part)
    if opened.session and not had_session then show(identity(opened)) end
    local found = good and try(opened) or finding("fail", name, message, remedy)
    for _, one in ipairs(found.state and { found } or found) do show(one) end
  end
  opened:close()
end

local styles = { ok = "green", warn = "yellow", fail = "red" }

function command.run(arguments)
  local configured, message, code = options.configuration(arguments)
  if not configured then return nil, message, code end
  local pen = terminal.pen(terminal.has_colour(1))
  local failed, unwritten = false, nil
  local function show(one)
    failed = failed or one.state == "fail"
    io.stdout:write(pen(styles[one.state], ("%-5s"):format(one.state)), ("%-15s"):format(one.name),
      terminal.escape(one.text), "\n")
    if one.remedy then io.stdout:write((" "):rep(20), pen("dim", "▸ "), terminal.escape(one.remedy), "\n") end
    local flushed, problem = io.stdout:flush()
    unwritten = unwritten or not flushed and problem
  end

  show(programs(runner_fields.has_sandbox(configured)))
  kernel_findings(configured, show)
  parts(configured, show)
  if configured.mail then show(reach.mail(configured.mail)) end
  runners(configured, show)
  if unwritten then return nil, "can't write to standard output: " .. unwritten, "environment" end
  if failed then return nil, "something that is needed failed; see the lines marked fail", "environment" end
  return 0
end

return command
