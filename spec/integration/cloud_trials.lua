--- What goes wrong in the cloud once in a while, each with its right ending: an aborted long poll, a job longer than its
--- visibility, credentials that expire in the middle, clocks 20 minutes wrong, a queue that is deleted and made again, services
--- that accept and never answer; and TLS to the bucket's own host.
---
---     build/submitter run spec/integration/cloud_trials.lua [NAME]
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local cloud = require "spec.integration.cloud_support"
local support = require "spec.integration.support"
local host = require "submitter.host"

local check = support.check
-- How soon a worker ends that is told to while it only waits: it gives its last poll, of 20 s, five to bring something. And
-- a pause in which one that had gone hot would show.
local PROMPT_MS, PAUSE_MS, PAUSE_CALLS = 12000, 3000, 20
local MINUTES_MS = 60 * 1000

local function is_right(_, report)
  if not report:find('"verdict":"AC"', 1, true) then return report end
end

-- A program that is right, after so many seconds.
local function slow(seconds)
  return ("import sys, time\ntime.sleep(%s)\nprint(sum(int(word) for word in sys.argv[1:]))\n"):format(seconds)
end

local function allow_slow(deployment)
  support.must(deployment.folder:write("policy/default.lua", 'return { limits = { cpu = "1s", wall = "30s" } }\n'))
end

-- A few submissions, handed in and announced.
local function submit(deployment, count, source)
  local handed = deployment:hand_in(count, { cases = 1, quick = true, source = source })
  deployment:announce(handed, "s3")
  return handed
end

-- A worker until the queue is empty. Its log.
local function grade(deployment, title, environment)
  local log, ended = support.wait_worker(deployment:start_worker { environment = environment })
  check(ended.exit_code == 0, title .. ": the worker exits 0", log:sub(-2000))
  return log
end

-- Ends a worker that only waits.
local function stop(worker, title)
  local began = host.clock.monotonic_ms()
  worker.child:kill "TERM"
  local log, ended = support.wait_worker(worker)
  local took_ms = host.clock.monotonic_ms() - began
  check(ended.exit_code == 0, title .. ": the worker exits 0", log:sub(-2000))
  check(took_ms < PROMPT_MS, title .. ": it ends promptly", took_ms .. " ms")
end

local function says(worker, event)
  return table.concat(worker.log):find(('"event":"%s"'):format(event), 1, true) ~= nil
end

local function finish(deployment, handed, title, judge)
  deployment:check_published(handed, title, judge or cloud.has_verdict)
  deployment:check_left(0, title)
  deployment:close()
end

local trials = {}

trials[1] = { name = "aborted poll", run = function(title)
  local deployment = cloud.open("cloud-poll", { visibility = '"3s"' })
  local worker = deployment:start_worker { once = false }
  cloud.wait_until("the worker polls", function() return deployment:count("seen", "sqs ReceiveMessage") > 0 end)
  host.clock.sleep_ms(500)
  stop(worker, title)
  -- The queue may still give what comes now to the poll that nobody listens to any more; then it comes again.
  local handed = submit(deployment, 4)
  grade(deployment, title)
  finish(deployment, handed, title)
end }

trials[2] = { name = "long job", run = function(title)
  local deployment = cloud.open("cloud-long", { visibility = '"2s"' })
  allow_slow(deployment)
  local handed = submit(deployment, 1, slow(7))
  local log = grade(deployment, title)
  check(support.publications({ log })[handed[1].location.subid] == 1, title .. ": it was graded once", log:sub(-2000))
  local extensions = deployment:count("status 200", "sqs ChangeMessageVisibilityBatch")
  check(extensions >= 3, title .. ": its message was kept hidden", extensions)
  check(not log:find('"event":"lease_lost"', 1, true), title .. ": it was never lost", log:sub(-2000))
  finish(deployment, handed, title, is_right)
end }

-- Credentials of a stand-in's: they live for lifetime_ms, and all that were issued before are refused in the middle.
local function expiring(title, name, lifetime_ms, environment)
  local deployment = cloud.open(name, { slots = "2" })
  allow_slow(deployment)
  deployment.world:ask("lifetime", { ms = lifetime_ms })
  local handed = submit(deployment, 12, slow(1.5))
  local worker = deployment:start_worker { environment = environment(deployment.world.ready) }
  cloud.wait_until("something is published", function() return says(worker, "submission_published") end)
  deployment.world:ask "expire"
  local log, ended = support.wait_worker(worker)
  check(ended.exit_code == 0, title .. ": the worker exits 0", log:sub(-2000))
  local asked = deployment.world:ask "metadata"
  print(("# %s: %d sets of credentials in %d requests"):format(title, asked.issued, asked.requests))
  check(asked.issued >= 2, title .. ": credentials were fetched anew", asked.issued)
  check(deployment:count "refused expired" > 0, title .. ": some were refused as expired")
  finish(deployment, handed, title, is_right)
end

trials[3] = { name = "expiring credentials of a container", run = function(title)
  expiring(title, "cloud-container", 8000, function(ready)
    return { AWS_CONTAINER_CREDENTIALS_FULL_URI = ready.container_uri,
      AWS_CONTAINER_AUTHORIZATION_TOKEN = ready.container_token }
  end)
end }

trials[4] = { name = "expiring credentials of an instance", run = function(title)
  expiring(title, "cloud-instance", 900000, function(ready)
    return { AWS_EC2_METADATA_DISABLED = "false", AWS_EC2_METADATA_SERVICE_ENDPOINT = ready.metadata_endpoint }
  end)
end }

trials[5] = { name = "wrong clock", run = function(title)
  local deployment = cloud.open "cloud-clock"
  for index, minutes in ipairs { 20, -20 } do
    local one = ("%s (%+d minutes)"):format(title, minutes)
    local handed = deployment:hand_in(8, { cases = 1, quick = true, from = 8 * index })
    deployment:announce(handed, "s3")
    deployment.world:ask("calls", { reset = true })
    deployment.world:ask("clock", { offset_ms = minutes * MINUTES_MS })
    local log = grade(deployment, one)
    local refused, seen = deployment:count "refused skewed", deployment:count "seen"
    deployment.world:ask("clock", { offset_ms = 0 })
    print(("# %s: %d of %d calls were refused"):format(one, refused, seen))
    -- Each service is learned once, by whatever calls are under way at that moment.
    check(refused >= 2 and refused <= 8, one .. ": the clock is corrected once, not for each call", log:sub(-2000))
    deployment:check_published(handed, one, cloud.has_verdict)
    deployment:check_left(0, one)
  end
  deployment:close()
end }

trials[6] = { name = "deleted queue", run = function(title)
  local deployment = cloud.open "cloud-deleted"
  local queue = { name = deployment.world.ready.queue }
  local worker = deployment:start_worker { once = false }
  cloud.wait_until("the worker polls", function() return deployment:count("seen", "sqs ReceiveMessage") > 0 end)
  deployment.world:ask("delete_queue", queue)
  cloud.wait_until("the worker misses the queue", function() return says(worker, "queue_unavailable") end)
  deployment.world:ask("calls", { reset = true })
  host.clock.sleep_ms(PAUSE_MS)
  local calls = deployment:count("seen", "sqs ReceiveMessage")
  check(calls <= PAUSE_CALLS, title .. ": the worker doesn't run hot", calls .. " polls")
  deployment.world:ask("create_queue", queue)
  local handed = submit(deployment, 4)
  cloud.wait_until("all is graded", function()
    local depth = deployment.queue.depth()
    return depth.ready + depth.held == 0
  end)
  stop(worker, title)
  finish(deployment, handed, title)
end }

trials[7] = { name = "no answer", run = function(title)
  local deployment = cloud.open "cloud-silent"
  local handed = submit(deployment, 4)
  local rules = {}
  for index, operation in ipairs { "GetObject", "PutObject", "ReceiveMessage", "DeleteMessageBatch" } do
    rules[index] = { fault = "hang", operation = operation, limit = 1 }
  end
  deployment.world:ask("faults", { rules = host.json.array(rules) })
  grade(deployment, title)
  local hung = deployment:count "hang"
  check(hung == #rules, title .. ": each call was once left without an answer", hung)
  deployment:check_published(handed, title, cloud.has_verdict)

  deployment.world:ask("faults", { rules = host.json.array { { fault = "hang", service = "sqs" } } })
  deployment.world:ask("calls", { reset = true })
  local worker = deployment:start_worker { once = false }
  cloud.wait_until("the worker polls", function() return deployment:count("seen", "sqs ReceiveMessage") > 0 end)
  host.clock.sleep_ms(500)
  stop(worker, title .. " (a poll)")
  deployment.world:ask "faults"
  deployment:check_left(0, title)
  deployment:close()
end }

trials[8] = { name = "TLS and the bucket's own host", run = function(title)
  -- Straight to Ceph, which checks signature and conditions itself.
  local deployment = cloud.open("cloud-tls", { bucket = function(ready)
    return ("s3 { name = %q, region = %q, endpoint = %q, path_style = false }"):format(ready.bucket, ready.region,
      ready.secure.endpoint)
  end })
  local handed = submit(deployment, 8)
  local environment = deployment:keys()
  local doubting = deployment:run({ "doctor" }, nil, environment).stdout
  check(doubting:find("fail bucket", 1, true) and doubting:find("can't be trusted", 1, true),
    title .. ": an authority that nobody named isn't trusted", doubting)
  environment.AWS_CA_BUNDLE = deployment.world.ready.secure.ca_file
  local trusting = deployment:run({ "doctor" }, nil, environment).stdout
  check(trusting:find("ok   bucket", 1, true), title .. ": one that is named is", trusting)
  deployment.world:ask("calls", { reset = true })
  grade(deployment, title, environment)
  check(deployment:count("seen", "s3 GetObject") == 0, title .. ": the proxy saw none of it")
  finish(deployment, handed, title)
end }

local only = arg[1]
for _, trial in ipairs(trials) do
  if not only or trial.name:find(only, 1, true) then
    local began = host.clock.monotonic_ms()
    local good, problem = xpcall(trial.run, debug.traceback, trial.name)
    check(good, trial.name .. ": it came to its end", problem)
    print(("# %s: %.1f s"):format(trial.name, (host.clock.monotonic_ms() - began) / 1000))
  end
end
support.finish()
