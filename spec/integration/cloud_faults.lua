--- The cloud with everything going wrong: the proxy breaks one call in ten. First a crowd with all kinds of faults mixed, then
--- a few submissions for each kind alone. Each still ends published, once, as the embedded default would have it.
---
---     build/submitter run spec/integration/cloud_faults.lua [SUBMISSIONS [FOR_EACH_KIND [SEED]]]
---
--- The seed is printed; with it the proxy draws the same.
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local cloud = require "spec.integration.cloud_support"
local support = require "spec.integration.support"
local host = require "submitter.host"

local crowd, few = tonumber(arg[1] or "300"), tonumber(arg[2] or "24")
local seed = tonumber(arg[3] or host.clock.now_ms() % 1000000)
local RATE, CASES = 0.1, 1
print("# seed " .. seed)

-- Each kind of fault, and what the service is made to say or do.
local kinds = {
  { fault = "error", status = 500, code = "InternalError" },
  { fault = "error", status = 503, code = "ServiceUnavailable" },
  { fault = "throttled" },
  { fault = "garbage", status = 502 },
  { fault = "delay", ms = 1500 },
  { fault = "cut_before" },
  { fault = "cut_after" },
  { fault = "cut_body" },
  { fault = "truncate" },
  { fault = "wrong_byte" },
  { fault = "wrong_md5" },
  { fault = "wrong_etag" },
  { fault = "batch_entry" },
  { fault = "expired_token" },
  { fault = "skewed" },
  -- Each costs as long as the client has patience: a few are enough.
  { fault = "hang", limit = 3 },
}

local deployment = cloud.open("cloud-faults", { visibility = '"5s"', slots = "4", failure_limit = "8" })
local handed_before = 0
-- What is published for a program without faults, by its name; and how often a kind of fault hit an operation, by both.
local undisturbed, hits = {}, {}

local function program_of(one)
  return one.name:match "^(.*) %d+$"
end

-- A report without what differs between two students: the verdict and the table of cases.
local function essence(report)
  local truth, table_of_cases = report:match "^([^\n]*)\n[^\n]*\n(.*)$"
  return truth:match '"verdict":"%u+"' .. " " .. table_of_cases
end

local function judge(one, report)
  local found, wanted = essence(report), undisturbed[program_of(one)]
  if found ~= wanted then return ("%s instead of %s"):format(found, wanted) end
end

local function add_hits()
  for operation, counts in pairs(deployment.world:ask("calls").calls) do
    for _, kind in ipairs(kinds) do
      local name = kind.fault .. " of " .. operation
      hits[name] = (hits[name] or 0) + (counts[kind.fault] or 0)
    end
  end
end

-- Grades `count` submissions by two workers while the rules hold, and checks what came of it.
local function trial(title, count, rules, check)
  local handed = deployment:hand_in(count, { cases = CASES, from = handed_before, quick = true })
  handed_before = handed_before + count
  deployment:announce(handed, "s3")
  deployment.world:ask("calls", { reset = true })
  deployment.world:ask("faults", { seed = seed, rules = host.json.array(rules) })
  local began = host.clock.monotonic_ms()
  local workers = { deployment:start_worker(), deployment:start_worker() }
  for index, worker in ipairs(workers) do
    local log, ended = support.wait_worker(worker)
    support.check(ended.exit_code == 0, ("%s: worker %d exits 0"):format(title, index), log:sub(-2000))
  end
  deployment.world:ask "faults"
  add_hits()
  print(("# %s: %d submissions in %.1f s, %d calls"):format(title, count, (host.clock.monotonic_ms() - began) / 1000,
    deployment:count "seen"))
  deployment:check_published(handed, title, check)
end

local function with_rate(kind, rate, even)
  local rule = { rate = rate, even = even }
  for name, value in pairs(kind) do rule[name] = value end
  return rule
end

-- One rule after the other is asked, so the rates of the later ones are of what the earlier ones left.
local function mixed()
  local rules, left = {}, 1
  for index, kind in ipairs(kinds) do
    rules[index] = with_rate(kind, RATE / #kinds / left, false)
    left = left - RATE / #kinds
  end
  return rules
end

trial("without faults", 40, {}, function(one, report) undisturbed[program_of(one)] = essence(report) end)
trial("all kinds", crowd, mixed(), judge)
for _, kind in ipairs(kinds) do
  trial(kind.fault .. (kind.status and " " .. kind.status or ""), few, { with_rate(kind, RATE, true) }, judge)
end

-- Every call that a worker makes for a submission, and every fault but those of which there are only a few.
local function check_hits()
  local absent, counted = {}, {}
  for _, operation in ipairs { "s3 GetObject", "s3 PutObject", "sqs ReceiveMessage", "sqs DeleteMessageBatch",
    "sqs GetQueueAttributes" } do
    local service, name = operation:match "^(%S+) (%S+)$"
    for _, kind in ipairs(kinds) do
      local hit = kind.fault .. " of " .. operation
      local question = { fault = kind.fault, service = service, operation = name }
      counted[#counted + 1] = ("%s: %d"):format(hit, hits[hit] or 0)
      if not kind.limit and (hits[hit] or 0) == 0 and deployment.world:ask("possible", question).possible then
        absent[#absent + 1] = hit
      end
    end
  end
  print("# " .. table.concat(counted, "; "))
  support.check(#absent == 0, "each kind of fault hit each call that can show it", table.concat(absent, ", "))
end

check_hits()
deployment:check_left(nil, "after all faults")
deployment:close()
support.finish()
