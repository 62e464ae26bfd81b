--- What a configuration comes to where it is read by the worker, as JSON, for spec/support/manifests.mjs:
---
---     build/submitter run spec/integration/pod_configuration.lua FILE POLICY…
---
--- `configuration`: the file's, loaded with no environment variable set; `variables`: the names of all that the product
--- reads of its own; `policies`: the limits of each policy directory that was named. Ends with 3 and a message when
--- something can't be loaded.
local configuration = require "submitter.configuration"
local host = require "submitter.host"
local policy = require "submitter.policy"

local function fail(message)
  io.stderr:write(message, "\n")
  os.exit(3)
end

local variables = { SUBMITTER_CONFIG = true }

-- The description's fields name the variables that set them, at any depth.
local function collect(value)
  if type(value) ~= "table" then return end
  for _, key in ipairs { "environment", "chosen_by" } do
    if type(value[key]) == "string" then variables[value[key]] = true end
  end
  for _, element in pairs(value) do collect(element) end
end
collect(configuration.description)

local loaded, message = configuration.load { path = arg[1], getenv = function() return nil end }
if not loaded then fail(message) end

local policies = host.json.array {}
for index = 2, #arg do
  local directory, problem = host.file.directory(arg[index])
  if not directory then fail(problem) end
  local one, complaint = policy.load { directory = directory, ceilings = loaded.policy.limits }
  if not one then fail(("%s: %s"):format(arg[index], complaint)) end
  policies[#policies + 1] = { name = one.name, limits = one.limits }
end

local names = host.json.array {}
for name in pairs(variables) do names[#names + 1] = name end
table.sort(names)
print(host.json.encode { configuration = loaded, variables = names, policies = policies })
