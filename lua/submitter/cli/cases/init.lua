--- `submitter cases`: what programs are run on. Each action is a file of this folder, with `describe` and `run` like a command.
local options = require "submitter.cli.options"

local command = { name = "cases", summary = "import, export, make or check cases" }

local actions = {
  require "submitter.cli.cases.import",
  require "submitter.cli.cases.export",
  require "submitter.cli.cases.make",
  (require "submitter.cli.cases.check"),
}

function command.describe(parser)
  parser:description("Cases are pairs of an input and an expected output, in two files of lines or in pairs of files. "
    .. "They are kept in the database, or in the bucket beside an assignment's submissions.\n\n"
    .. "Example: submitter cases import m.soltys/labs/sum --in test.in --out test.out")
  parser:command_target("action"):require_command(true)
  for _, action in ipairs(actions) do
    action.describe(options.common(parser:command(action.name):summary(action.summary)))
  end
end

---@async
---@param arguments table what argparse made
---@return integer|nil exit code
---@return string|nil message
---@return string|nil code
function command.run(arguments)
  for _, action in ipairs(actions) do
    if action.name == arguments.action then return action.run(arguments) end
  end
end

return command
