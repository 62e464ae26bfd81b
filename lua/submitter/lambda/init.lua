--- `submitter notify` as an AWS Lambda custom runtime: takes invocations one after the other, for as long as the
--- environment lives, with one queue whose connections and credentials outlive each of them.

local handler = require "submitter.lambda.handler"
local host = require "submitter.host"
local runtime = require "submitter.lambda.runtime"

local lambda = {}

-- Kept back of the time that a function has, for saying that it wasn't enough: a fifth, but no more than this.
local MOST_RESERVED_MS = 1000

--- How long an invocation may work before its failure has to be told.
---@param deadline_ms integer|nil when Lambda stops it, milliseconds since the epoch
---@param now_ms integer
---@return integer|nil milliseconds at least 1; nil without a deadline
function lambda.budget_ms(deadline_ms, now_ms)
  if not deadline_ms then
    return nil
  end
  local left_ms = deadline_ms - now_ms
  return math.max(1, left_ms - math.min(MOST_RESERVED_MS, left_ms // 5))
end

-- Tells Lambda what became of an invocation. What can't be told of this one doesn't end the next; an API that is gone does.
local function tell(api, invocation, result, failure)
  local told, message, code
  if result then
    told, message, code = api:respond(invocation.id, host.json.encode(result))
    if code == "too_large" then
      failure = { type = "Submitter.ResponseTooLarge", message = message }
    end
  end
  if failure then
    host.log.error("invocation_failed", { request_id = invocation.id, class = failure.type, reason = failure.message })
    told, message, code = api:fail(invocation.id, failure)
  end
  if told then
    return true
  elseif code == "refused" then
    host.log.error("invocation_not_answered", { request_id = invocation.id, reason = message })
    return true
  end
  return nil, message, code
end

--- Serves invocations. Returns only when the Runtime API is out of reach; the process should then end, and Lambda starts
--- another.
---@async
---@param api Runtime
---@param queue table
---@return nil
---@return string message
---@return string code
function lambda.serve(api, queue)
  host.log.info("function_started", {})
  while true do
    local invocation, message, code = api:next()
    if not invocation then
      return nil, message, code
    end
    local budget_ms = lambda.budget_ms(invocation.deadline_ms, host.clock.now_ms())
    local result, failure = handler.handle(queue, invocation, budget_ms)
    local told
    told, message, code = tell(api, invocation, result, failure)
    if not told then
      return nil, message, code
    end
  end
end

local function traced(problem)
  return debug.traceback(tostring(problem), 2)
end

--- Runs the function: `start` prepares it and calls what it is given with the queue. When that never happens, Lambda is
--- told why it can't start.
---@async
---@param options {address:string, http:table|nil} as for runtime.new
---@param start fun(serve:fun(queue:table):nil, string, string):integer|nil, string|nil, string|nil
---@return integer|nil
---@return string|nil message
---@return string|nil code
function lambda.run(options, start)
  local api = runtime.new(options)
  local started = false
  local finished, result, message, code = xpcall(start, traced, function(queue)
    started = true
    return lambda.serve(api, queue)
  end)
  if not started then
    local reason = finished and message or result
    host.log.error("function_not_started", { reason = reason })
    local told, problem = api:fail_to_start {
      type = finished and "Submitter.Configuration" or "Submitter.Internal", message = reason,
    }
    if not told then
      host.log.error("function_not_answered", { reason = problem })
    end
  end
  if not finished then
    error(result, 0)
  end
  return result, message, code
end

return lambda
