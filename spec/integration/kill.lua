--- kill -9 of the worker at random moments, each followed by a restart, ends in the same reports as an undisturbed run.
---
---     build/submitter run spec/integration/kill.lua [KILLS] [SUBMISSIONS] [SEED]
---
--- The seed is printed; with it the same moments are drawn again.
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local support = require "spec.integration.support"
local host = require "submitter.host"

local kills, count = tonumber(arg[1] or "20"), tonumber(arg[2] or "60")
local seed = tonumber(arg[3] or host.clock.now_ms() % 1000000)
print("# seed " .. seed)
math.randomseed(seed)

local settings = { visibility = '"2s"', retry_delay = '"50ms"' }

--- The reports of an undisturbed run, by name.
local function undisturbed()
  local services = support.deployment("kill-reference", settings)
  local handed = support.hand_in(services, count, 3)
  local began = host.clock.monotonic_ms()
  local log, ended = support.wait_worker(support.start_worker(services))
  support.check(ended.exit_code == 0, "the undisturbed worker exits 0", log:sub(-2000))
  local reports = {}
  for _, one in ipairs(handed) do reports[one.name] = support.published(services, one) end
  return reports, host.clock.monotonic_ms() - began
end

local reference, duration_ms = undisturbed()
print(("# undisturbed: %d submissions in %.1f s"):format(count, duration_ms / 1000))

local services = support.deployment("kill", settings)
local handed = support.hand_in(services, count, 3)
local killed = 0
-- Moments spread over the whole, so that the last kills still find work: what a kill undoes is done again.
local stretch_ms = math.max(60, duration_ms // (kills + 1))
while killed < kills do
  local worker = support.start_worker(services)
  local moment = math.random(20, 2 * stretch_ms)
  local ended = host.task.within(moment, function() return worker.child:wait() end)
  if ended then
    -- All was done before the last kills: the rest of them find an idle queue, which is no test.
    support.wait_worker(worker)
    break
  end
  worker.child:kill "KILL"
  support.wait_worker(worker)
  killed = killed + 1
end
print("# killed " .. killed .. " times")
support.check(killed >= math.min(kills, 3), "the kills found the worker at work", killed .. " kills")

local log, ended = support.wait_worker(support.start_worker(services))
support.check(ended.exit_code == 0, "the last worker exits 0", log:sub(-2000))

local different, refused = {}, 0
for _, one in ipairs(handed) do
  local text, why = support.published(services, one)
  if text ~= reference[one.name] then
    different[#different + 1] = one.name .. ": " .. (why or "it differs")
    if text and #different == 1 then
      io.stderr:write("expected ", tostring(reference[one.name]), "\ngot ", text, "\n")
    end
  end
  if text and text:find('"verdict":"REJ"', 1, true) then refused = refused + 1 end
end
support.check(#different == 0, "every report is that of the undisturbed run", table.concat(different, "; "))
local left = support.settle(services, refused)
support.check(#left == 0, "no message, job folder, process or control group is left", table.concat(left, "; "))
support.finish()
