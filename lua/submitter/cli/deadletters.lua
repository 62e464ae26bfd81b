--- `submitter deadletters`: the messages that were given up, and what becomes of them.
local host = require "submitter.host"
local options = require "submitter.cli.options"
local terminal = require "submitter.cli.terminal"

local command = { name = "deadletters", summary = "list, show, retry or drop messages that were given up" }

local function chooses(parser, what)
  parser:argument("ID"):target("id"):argname("ID"):args("*")
    :description("dead letters to " .. what .. ", as list shows them")
  parser:flag("--all"):description("every one of them")
end

function command.describe(parser)
  parser:description("A message whose submission can't be graded, or failed too often, is set aside with the reason: "
    .. "a dead letter.\n\nExample: submitter deadletters list")
  parser:command_target("action"):require_command(true)
  local list = options.common(parser:command("list"):summary("what was given up, and why")
    :description("Lists the dead letters, oldest first.\n\nExample: submitter deadletters list --format json"))
  list:option("--format"):argname("FORMAT"):choices({ "table", "json" }):default("table"):description "table or json"
  local show = options.common(parser:command("show"):summary("one of them, whole")
    :description("Shows one dead letter: the reason in full, its counts, and its body.\n\n"
      .. "Example: submitter deadletters show ID"))
  show:argument("ID"):target("one"):argname("ID"):description "the dead letter, as list shows it"
  chooses(options.common(parser:command("retry"):summary("queue them once more")
    :description("Puts dead letters back into the queue, with counts at zero.\n\n"
      .. "Example: submitter deadletters retry --all")),
    "queue once more")
  chooses(options.common(parser:command("drop"):summary("forget them")
    :description("Removes dead letters for ever.\n\nExample: submitter deadletters drop ID")), "forget")
end

local order = { "id", "message_id", "reason", "class", "receives", "failures", "sent", "died", "body" }

local function as_json(letter)
  return host.json.ordered(order, {
    id = letter.id, message_id = letter.message_id, body = letter.body, reason = letter.reason, class = letter.class,
    receives = letter.receives, failures = letter.failures, sent = host.clock.utc(letter.sent_ms),
    died = host.clock.utc(letter.died_ms),
  })
end

local actions = {}

function actions.list(_, letters, arguments)
  if arguments.format == "json" then
    local all = host.json.array {}
    for _, letter in ipairs(letters) do all[#all + 1] = as_json(letter) end
    io.stdout:write(host.json.encode(all, { indent = 2 }), "\n")
    return 0
  elseif #letters == 0 then
    io.stdout:write("no dead letters\n")
    return 0
  end
  local pen, room = terminal.pen(terminal.has_colour(1)), terminal.columns() - 4
  for _, letter in ipairs(letters) do
    io.stdout:write(pen("bold", terminal.escape(letter.id)), "  ", host.clock.utc(letter.died_ms), "  ",
      terminal.escape(letter.class), "\n    ", (terminal.fit(letter.reason, room)), "\n")
  end
  return 0
end

function actions.show(_, letters, arguments)
  for _, letter in ipairs(letters) do
    if letter.id == arguments.one then
      for _, line in ipairs {
        { "id", letter.id },
        { "given up", host.clock.utc(letter.died_ms) },
        { "sent", host.clock.utc(letter.sent_ms) },
        { "class", letter.class },
        { "reason", letter.reason },
        { "counts", ("received %d, failed %d"):format(letter.receives, letter.failures) },
        { "body", letter.body },
        -- Where letters are messages themselves: the one that it tells about, as the worker's log calls it.
        letter.message_id and { "message", letter.message_id },
      } do
        io.stdout:write(("%-9s"):format(line[1]), " ", terminal.escape(line[2]), "\n")
      end
      return 0
    end
  end
  return nil, ("no dead letter %s; see: submitter deadletters list"):format(arguments.one), "usage"
end

--- Those that the user named; naming one that isn't there changes nothing.
local function chosen(letters, arguments)
  if arguments.all then
    if #arguments.id > 0 then return nil, "name some, or --all, not both", "usage" end
    return letters
  elseif #arguments.id == 0 then
    return nil, "name the dead letters, or --all", "usage"
  end
  local by_id, found, seen = {}, {}, {}
  for _, letter in ipairs(letters) do by_id[letter.id] = letter end
  for _, id in ipairs(arguments.id) do
    if not by_id[id] then return nil, ("no dead letter %s; see: submitter deadletters list"):format(id), "usage" end
    if not seen[id] then found[#found + 1] = by_id[id] end
    seen[id] = true
  end
  return found
end

--- Does it to each that was chosen. One with which it can't be done doesn't keep the others from it.
local function each(letters, arguments, done, work)
  local found, message, code = chosen(letters, arguments)
  if not found then return nil, message, code end
  local failures = {}
  for _, letter in ipairs(found) do
    local worked, failure = work(letter)
    if worked then
      io.stdout:write(done, " ", letter.id, "\n")
    else
      failures[#failures + 1] = failure
    end
  end
  if #failures > 0 then return nil, table.concat(failures, "\n"), "environment" end
  if #found == 0 then io.stdout:write("no dead letters\n") end
  return 0
end

function actions.retry(queue, letters, arguments)
  return each(letters, arguments, "queued", function(letter) return queue:retry(letter) end)
end

function actions.drop(queue, letters, arguments)
  return each(letters, arguments, "dropped", function(letter) return queue:drop(letter) end)
end

function command.run(arguments)
  return options.with_services(arguments, { "queue" }, function(services)
    local letters, message = services.queue:dead_letters()
    if not letters then return nil, message, "environment" end
    if letters.is_cut then
      io.stderr:write(("these are the first %d dead letters; call again for more\n"):format(#letters))
    end
    return actions[arguments.action](services.queue, letters, arguments)
  end)
end

return command
