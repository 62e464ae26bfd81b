--- `submitter database`: the schema of the grade book.
local host = require "submitter.host"
local migrations = require "submitter.database.migrations"
local options = require "submitter.cli.options"
local terminal = require "submitter.cli.terminal"
local units = require "submitter.units"

local command = { name = "database", summary = "bring the grade book's tables up to date" }

function command.describe(parser)
  parser:description("The grade book is in the database that the configuration names, or SUBMITTER_DATABASE_URL, in "
    .. "the schema \"submitter\".\n\nExample: submitter database migrate")
  parser:command_target("action"):require_command(true)
  options.common(parser:command("migrate"):summary("make or change the tables, and grant the rights")
    :description("Applies the migrations that the database lacks, each whole or not at all, and gives the roles "
      .. "submitter_worker and submitter_instructor their rights. May be run again, and at any time. It is the owner "
      .. "of the schema who migrates, not the user as whom workers log in.\n\n"
      .. "Example: submitter database migrate --dry-run\n"
      .. "as the owner: SUBMITTER_DATABASE_URL=postgresql:///grades submitter database migrate"))
    :flag("--dry-run"):description "show what is applied and what would be, and change nothing"
end

local function say(...) io.stdout:write(...) end

local function show_roles(missing)
  if #missing == 0 then return end
  io.stdout:flush()
  io.stderr:write("submitter database: this user may not make roles. An administrator of the server runs:\n    ",
    migrations.role_statements(missing), "\nand submitter database migrate, once more, gives them their rights\n")
end

local function migrate(where)
  function where.tell(event, name)
    if event == "waiting" then
      io.stderr:write("submitter database: another migrate is at work in this database; waiting for it to end\n")
    else
      say("applied   ", terminal.escape(name), "\n")
    end
  end
  local result, message, code = migrations.apply(where)
  if not result then return nil, message, code end
  say("database  ", terminal.escape(result.database), ": ", units.count(result.total, "migration"),
    #result.applied == 0 and ", all applied before" or ", all applied", "\n")
  show_roles(result.missing_roles)
  return 0
end

local function show_state(where)
  local state, message, code = migrations.state(where)
  if not state then return nil, message, code end
  for _, row in ipairs(state.applied) do
    say("applied   ", terminal.escape(row.name), "  ", host.clock.utc(row.applied_at), "\n")
  end
  for _, name in ipairs(state.pending) do say("pending   ", terminal.escape(name), "\n") end
  for _, name in ipairs(state.missing_roles) do say("no role   ", terminal.escape(name), "\n") end
  say("database  ", terminal.escape(state.database), ": ", units.count(#state.pending, "migration"), " to apply\n")
  return 0
end

function command.run(arguments)
  local settings, message, code = options.configuration(arguments)
  if not settings then return nil, message, code end
  if not settings.database then
    return nil, "no database is configured: set SUBMITTER_DATABASE_URL, or database = postgres { url = … } in the "
      .. "configuration", "environment"
  end
  local where = { url = settings.database.url, connect_timeout_ms = settings.database.connect_timeout_ms }
  if arguments.dry_run then return show_state(where) end
  return migrate(where)
end

return command
