--- What bucket and queue answer, for `submitter doctor`, by trying them. Each finding is
--- { state = "ok"|"warn"|"fail", name, text, remedy = text or nil }.
local host = require "submitter.host"
local services = require "submitter.services"

local reach = {}

local function finding(state, name, text, remedy)
  return { state = state, name = name, text = text, remedy = remedy }
end

local CONDITIONS_IGNORED = "it writes although the condition isn't met (If-None-Match, If-Match): of two workers one "
  .. "could put an older report over a newer one"

-- Is this bucket's word worth anything: does it refuse to write over what stands, or over something else than was read, and
-- write over what was read?
local function try_conditions(store, name)
  local first, message = store:put(name, "probe 1\n", { if_none_match = true })
  if not first then return nil, message end
  for _, condition in ipairs { { if_none_match = true }, { if_match = ("0"):rep(32) } } do
    local written, problem, code = store:put(name, "probe 2\n", condition)
    if written then return nil, CONDITIONS_IGNORED end
    if code ~= "conflict" then return nil, problem end
  end
  local second
  second, message = store:put(name, "probe 3\n", { if_match = first })
  if not second then return nil, message end
  return store:get(name)
end

--- Tries what the worker will do, whatever the bucket holds: listing it could take hours.
---@async
---@param opened Services with store
---@return table finding
function reach.bucket(opened)
  -- Not what an earlier one left that was killed.
  local name = ("doctor-%s"):format(host.digest.random(8))
  local done, message = try_conditions(opened.store, name)
  local deleted, problem = opened.store:delete(name)
  if done and not deleted then done, message = nil, problem end
  local settings = opened.configuration.bucket
  if message == CONDITIONS_IGNORED then
    return finding("fail", "bucket", message, "use a server that keeps conditions; or, with a single worker, set "
      .. "conditional_writes = false in s3 { … }")
  elseif not done then
    return finding("fail", "bucket", message, settings.kind == "directory" and "look at bucket/ below var"
      or "see bucket in the configuration, the credentials and their rights")
  elseif settings.conditional_writes == false then
    return finding("warn", "bucket", services.describe(settings) .. "; conditions are looked at before each write "
      .. "(conditional_writes = false)", "see that only one worker runs")
  end
  return finding("ok", "bucket", services.describe(settings) .. "; an object was put there, read and deleted; "
    .. "it keeps conditions")
end

-- What is wrong with the queue's redrive policy, the net below everything, and what to do: both nil where there need be none.
local function net(depth)
  if not depth.least_receives or (depth.max_receives or 0) >= depth.least_receives then return nil end
  local problem = depth.max_receives and ("its redrive policy takes messages away after %d receipts"):format(
    depth.max_receives) or "it has no redrive policy"
  return problem, ("give it one with a maxReceiveCount of %d or more"):format(depth.least_receives)
end

--- Asks the queue for its counts; so does `submitter status`.
---@async
---@param opened Services with queue
---@return table finding
function reach.queue(opened)
  local settings = opened.configuration.queue
  local depth, message = opened.queue:depth()
  if not depth then
    return finding("fail", "queue", message, settings.kind == "directory" and "look at queue/ below var"
      or "see queue in the configuration, the credentials and their rights")
  end
  local text = ("%s: %d ready, %d held"):format(services.describe(settings), depth.ready, depth.held)
  if depth.dead_problem then
    -- Who may only send to it can do all that a worker does.
    return finding("warn", "queue", ("%s; %s"):format(text, depth.dead_problem),
      "see dead_letter_url in the configuration: what is given up may have nowhere to go")
  elseif not depth.dead then
    return finding("warn", "queue", text .. ", no dead_letter_url in the configuration",
      "set it: without it what is given up comes again until the queue's redrive policy takes it, without a reason")
  end
  text = ("%s, %d dead"):format(text, depth.dead)
  if depth.dead > 0 then return finding("warn", "queue", text, "submitter deadletters list") end
  local problem, remedy = net(depth)
  if problem then return finding("warn", "queue", text .. "; " .. problem, remedy) end
  return finding("ok", "queue", text)
end

return reach
