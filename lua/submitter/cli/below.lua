--- What the commands have in common that work on all submissions below a PATH.
local path = require "submitter.path"

local below = {}

--- Adds the argument PATH; `arguments.path` is then a Path.
---@param parser table argparse's
---@param description string what it chooses
function below.argument(parser, description)
  parser:argument("PATH"):target("path"):argname("PATH"):convert(function(value) return path.parse(value) end)
    :description("ADMIN[/EVENT[/ASSIGNMENT[/SUBID]]]: " .. description)
end

-- Failures of a bucket or a database that another PATH is the remedy for.
local of_the_path = { invalid_key = true, too_large = true, invalid = true }

--- The code of a failure, as the command line knows it.
---@param code string|nil
---@return string|nil
function below.code(code)
  return of_the_path[code] and "usage" or code
end

return below
