--- Many submissions, two workers side by side: each is published exactly once, and nothing is left.
---
---     build/submitter run spec/integration/crowd.lua [SUBMISSIONS]
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local support = require "spec.integration.support"
local host = require "submitter.host"

local count = tonumber(arg[1] or "200")
local services = support.deployment "crowd"
local handed = support.hand_in(services, count, 3)

local began = host.clock.monotonic_ms()
local workers = { support.start_worker(services), support.start_worker(services) }
local logs, shares = {}, {}
for index, worker in ipairs(workers) do
  local log, ended = support.wait_worker(worker)
  logs[index] = log
  support.check(ended.exit_code == 0, ("worker %d exits 0"):format(index), log:sub(-2000))
end
print(("# %d submissions in %.1f s"):format(count, (host.clock.monotonic_ms() - began) / 1000))

local published = support.publications(logs)
local missing, doubled, unreadable, refused = {}, {}, {}, 0
for _, one in ipairs(handed) do
  local times = published[one.location.subid] or 0
  if times == 0 then missing[#missing + 1] = one.name end
  if times > 1 then doubled[#doubled + 1] = one.name end
  local text, why = support.published(services, one)
  if not text then
    unreadable[#unreadable + 1] = one.name .. ": " .. why
  elseif text:find('"verdict":"REJ"', 1, true) then
    refused = refused + 1
  end
end
for index, log in ipairs(logs) do shares[index] = select(2, log:gsub('"event":"submission_published"', "")) end
support.check(#missing == 0, "every submission was published", table.concat(missing, ", "))
support.check(#doubled == 0, "none was published twice", table.concat(doubled, ", "))
support.check(#unreadable == 0, "truth, result and CSV stand for every one", table.concat(unreadable, ", "))
support.check(shares[1] > 0 and shares[2] > 0, "both workers had a share", table.concat(shares, " and "))
local left = support.settle(services, refused)
support.check(#left == 0, "no message, job folder, process or control group is left", table.concat(left, "; "))
support.finish()
