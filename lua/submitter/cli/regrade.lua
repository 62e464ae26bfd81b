--- `submitter regrade`: submissions into the queue once more.
local below = require "submitter.cli.below"
local options = require "submitter.cli.options"
local regrade = require "submitter.regrade"
local submissions = require "submitter.submissions"
local terminal = require "submitter.cli.terminal"
local units = require "submitter.units"

local command = { name = "regrade", summary = "queue submissions to be graded once more" }

local function id(value)
  if regrade.is_id(value) then return value end
  return nil, ("--id '%s' must be 1 to 128 letters, digits and .:_-"):format(value)
end

function command.describe(parser)
  parser:description("Queues one message for each submission of the bucket below PATH: after the cases or the policy "
    .. "were mended, or with --mode grade for the final mark. A worker grades each anew even though a result stands; "
    .. "attempts stay as they are.\n\nEach call has an id of its own. When one ends half-way, call again with the id "
    .. "that it printed: what was graded under an id isn't graded again under it.\n\n"
    .. "Example: submitter regrade m.soltys/labs --mode grade")
  below.argument(parser, "what is to be graded")
  parser:option("--mode"):argname("MODE"):convert(options.one_of { "test", "grade" }):default("test")
    :description "test: the cases while the event runs; grade: those for the final mark"
  parser:option("--id"):argname("NAME"):convert(id):description "go on with the id of an earlier call"
end

local function send(services, arguments, found)
  local name, where = arguments.id or regrade.id(), terminal.escape(arguments.path.text)
  local bar = terminal.progress(#found)
  local sent, message, code, partly = regrade.send {
    queue = services.queue, submissions = found, mode = arguments.mode, id = name,
    on_sent = function(count) bar:update(count, "queued") end,
  }
  bar:clear()
  if not sent then
    return nil, ("%d of %d submissions were queued, then the queue failed: %s\ngo on with: submitter regrade '%s' "
      .. "--mode %s --id %s"):format(partly, #found, message, where, arguments.mode, name), code
  end
  io.stdout:write(("queued  %s below %s, mode %s\nid      %s\n"):format(units.count(sent, "submission"), where,
    arguments.mode, name))
  return 0
end

function command.run(arguments)
  return options.with_services(arguments, { "store", "queue" }, function(services)
    local found, message, code = submissions.below(services.store, arguments.path)
    if not found then return nil, message, below.code(code) end
    if #found == 0 then
      return nil, ("there is no submission below %s in the bucket; check the path"):format(arguments.path.text), "usage"
    end
    return send(services, arguments, found)
  end)
end

return command
