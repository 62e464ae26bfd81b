--- The client of the Lambda Runtime API: what a custom runtime asks and answers, as AWS publishes it in "Using the Lambda
--- runtime API for custom runtimes" (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).

local answer = require "submitter.aws.answer"
local host = require "submitter.host"
local schema = require "submitter.schema"
local units = require "submitter.units"

local runtime = {}

-- The environment is frozen between two invocations, for hours: "do not set a timeout on the GET request". The longest
-- that every timer takes.
local NEVER_MS = (1 << 31) - 1
-- An answer goes to the same machine.
local ANSWER_MS = 10000
local ANSWER_LIMIT_BYTES = 64 << 10
-- An invocation's payload is 6 MB at most.
local EVENT_LIMIT_BYTES = 16 << 20

---@class Invocation
---@field id string
---@field deadline_ms integer|nil when the function is stopped, milliseconds since the epoch
---@field event string the payload

---@class Failure what Lambda shows of an error
---@field type string "Category.Reason"
---@field message string
---@field trace string[]|nil

---@class Runtime
local Runtime = {}
Runtime.__index = Runtime

local function request(self, method, path, options)
  options.method, options.url = method, self.base .. path
  -- The API lives in the same machine whatever proxy leads out of it.
  options.proxy = false
  options.headers = options.headers or {}
  table.insert(options.headers, 1, { "User-Agent", "submitter/" .. host.system.version() })
  local response, message, code = self.http.request(options)
  if not response then
    return nil, ("the Lambda Runtime API doesn't answer %s %s: %s"):format(method, path, message), code
  end
  return response
end

-- 500 is the API's "container error": AWS asks a runtime to exit promptly.
local codes = { [400] = "refused", [403] = "refused", [413] = "too_large" }

local function refused(method, path, response)
  return nil, ("the Lambda Runtime API answers %s %s with %d: %s"):format(method, path, response.status,
    units.format_text(response.body, 200)), codes[response.status] or "unavailable"
end

local function post(self, path, body, headers)
  local response, message, code = request(self, "POST", path, {
    body = body, headers = headers, timeout_ms = ANSWER_MS, limit_bytes = ANSWER_LIMIT_BYTES,
  })
  if not response then
    return nil, message, code
  elseif response.status ~= 202 then
    return refused("POST", path, response)
  end
  return true
end

local function post_failure(self, path, failure)
  local body = host.json.encode(host.json.ordered({ "errorMessage", "errorType", "stackTrace" }, {
    errorMessage = failure.message, errorType = failure.type, stackTrace = host.json.array(failure.trace or {}),
  }))
  return post(self, path, body, {
    { "Content-Type", "application/vnd.aws.lambda.error+json" },
    { "Lambda-Runtime-Function-Error-Type", failure.type },
  })
end

--- Waits for the next invocation, however long.
---@async
---@return Invocation|nil
---@return string|nil message
---@return string|nil code
function Runtime:next()
  local path = "/invocation/next"
  local response, message, code = request(self, "GET", path, {
    timeout_ms = NEVER_MS, stall_ms = NEVER_MS, limit_bytes = EVENT_LIMIT_BYTES,
  })
  if not response then
    return nil, message, code
  elseif response.status ~= 200 then
    return refused("GET", path, response)
  end
  local id = answer.header(response, "lambda-runtime-aws-request-id")
  -- It becomes part of a path.
  if not id or not id:find("^[%w._-]+$") then
    return nil, "the Lambda Runtime API sent an invocation whose Lambda-Runtime-Aws-Request-Id is missing or no name",
      "unavailable"
  end
  local deadline = answer.header(response, "lambda-runtime-deadline-ms")
  return { id = id, deadline_ms = deadline and math.tointeger(tonumber(deadline)), event = response.body }
end

--- Hands an invocation's result in.
---@async
---@param id string the invocation's
---@param body string JSON
---@return true|nil
---@return string|nil message
---@return "refused"|"too_large"|"unavailable"|string|nil code "refused": this invocation can't be answered any more;
--- "unavailable" and every code of host.http: nothing can
function Runtime:respond(id, body)
  return post(self, ("/invocation/%s/response"):format(id), body, { { "Content-Type", "application/json" } })
end

--- Reports that an invocation failed; Lambda does with it what the function's event source says.
---@async
---@param id string the invocation's
---@param failure Failure
---@return true|nil
---@return string|nil message
---@return string|nil code as respond
function Runtime:fail(id, failure)
  return post_failure(self, ("/invocation/%s/error"):format(id), failure)
end

--- Reports that the function can't start. The process has to end afterwards, with an exit code that isn't 0.
---@async
---@param failure Failure
---@return true|nil
---@return string|nil message
---@return string|nil code as respond
function Runtime:fail_to_start(failure)
  return post_failure(self, "/init/error", failure)
end

--- A client of the Runtime API.
---@param options {address:string, http:table|nil} address: AWS_LAMBDA_RUNTIME_API, host and port; http: stands in for
--- host.http
---@return Runtime
function runtime.new(options)
  schema.check_options(options, { address = true, http = true }, "runtime.new{ address = \"host:port\" }")
  if type(options) ~= "table" or type(options.address) ~= "string" then
    error("expected runtime.new{ address = \"host:port\" }", 2)
  end
  return setmetatable({
    base = ("http://%s/2018-06-01/runtime"):format(options.address), http = options.http or host.http,
  }, Runtime)
end

return runtime
