--- End to end in the cloud, signatures and all: the AWS SDK hands in; the bucket's events become messages, straight into the
--- queue, through `submitter notify`, and through it as a function of AWS Lambda; two workers grade; the SDK reads. Each is
--- published once, and as the embedded default would have it.
---
---     build/submitter run spec/integration/cloud.lua [SUBMISSIONS]
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local cloud = require "spec.integration.cloud_support"
local support = require "spec.integration.support"
local host = require "submitter.host"

local count = tonumber(arg[1] or "100")
local cases = 3
local expected = cloud.reference(count, cases)
local deployment = cloud.open "cloud"

local handed = deployment:hand_in(count, { cases = cases })
-- And some whose keys the events have to encode.
for _, one in ipairs(deployment:hand_in(8, { cases = cases, quick = true, event = "été 2027 + 50% (a&b)" })) do
  handed[#handed + 1] = one
end
-- An equal share each way that an event can come.
local shares_of = { {}, {}, {}, {}, {} }
for index, one in ipairs(handed) do
  local share = shares_of[(index - 1) % #shares_of + 1]
  share[#share + 1] = one
end
for index, shape in ipairs { "s3", "eventbridge", "sns" } do deployment:announce(shares_of[index], shape) end
local queued = deployment:notify(shares_of[4], 6)
support.check(queued == #shares_of[4], "notify queues the documents, and nothing else", queued)
local succeeded, invocations = deployment:invoke(shares_of[5], 6)
support.check(succeeded == invocations, "so does the function of AWS Lambda", succeeded .. " of " .. invocations)

deployment.world:ask("calls", { reset = true })
local began = host.clock.monotonic_ms()
local workers = { deployment:start_worker(), deployment:start_worker() }
local logs, shares = {}, {}
for index, worker in ipairs(workers) do
  local log, ended = support.wait_worker(worker)
  logs[index] = log
  shares[index] = select(2, log:gsub('"event":"submission_published"', ""))
  support.check(ended.exit_code == 0, ("worker %d exits 0"):format(index), log:sub(-2000))
end
print(("# %d submissions in %.1f s"):format(count, (host.clock.monotonic_ms() - began) / 1000))
support.check(shares[1] > 0 and shares[2] > 0, "both workers had a share", table.concat(shares, " and "))
deployment:check_rights()
deployment:check_published(handed, "in the cloud", function(one, report)
  -- Those of another event have no counterpart; that they were graded is enough.
  local wanted = expected[one.name]
  if wanted and report ~= wanted then return report .. " instead of " .. wanted end
end)

local published, wrong = support.publications(logs), {}
for _, one in ipairs(handed) do
  if published[one.location.subid] ~= 1 then wrong[#wrong + 1] = one.name end
end
support.check(#wrong == 0, "the workers' logs tell of one publication each", table.concat(wrong, ", "))
local rejected = 0
for _, report in pairs(expected) do
  if report:find('"verdict":"REJ"', 1, true) then rejected = rejected + 1 end
end
deployment:check_left(rejected, "in the cloud")
deployment:close()
support.finish()
