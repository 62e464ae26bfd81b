--- What arrives: the submission document that the front end wrote, and the body of the message that announces it.
--- Everything that a student or a foreign program may have written is checked here once; the rest of the program may
--- rely on it.

local host = require "submitter.host"
local key = require "submitter.key"
local notify = require "submitter.notify"
local units = require "submitter.units"

local submission = {}

--- The largest document and the largest message body that are read, in bytes.
submission.document_limit_bytes = 64 << 10
submission.message_limit_bytes = 256 << 10

local byte_order_mark = "\xEF\xBB\xBF"

local function found(value)
  local kind = type(value)
  if value == nil then
    return "nothing"
  elseif value == host.json.null then
    return "null"
  elseif kind == "string" then
    return units.format_text(value, 80)
  elseif kind == "table" then
    return #value > 0 and "an array" or next(value) ~= nil and "an object" or "an empty array or object"
  end
  return ("the %s %s"):format(kind, tostring(value))
end

-- Decodes a text that has to hold one JSON object.
local function decode_object(text, what)
  if text:sub(1, #byte_order_mark) == byte_order_mark then
    text = text:sub(#byte_order_mark + 1)
  end
  local first = text:match("^%s*(%S)")
  if not first then
    return nil, what .. " is empty; expected a JSON object"
  end
  local value, message = host.json.decode(text)
  if value == nil then
    return nil, ("%s isn't JSON: %s"):format(what, message)
  end
  if first ~= "{" then
    return nil, ("%s must be a JSON object, found %s"):format(what, found(value))
  end
  return value
end

--- The identity of a group's submission to one assignment: MD5 over admin, event, assignment and the sorted tokens,
--- joined by newlines. The same students submitting the same assignment again have the same.
---@param parts {admin:string, event:string, assignment:string, tokens:string[]}
---@return string subid 32 lower-case hexadecimal digits
function submission.subid(parts)
  local lines = { parts.admin, parts.event, parts.assignment }
  local tokens = parts.tokens
  if #lines ~= 3 or type(tokens) ~= "table" then
    error("expected submission.subid{ admin =, event =, assignment =, tokens = { … } }", 2)
  end
  tokens = table.move(tokens, 1, #tokens, 1, {})
  table.sort(tokens)
  table.move(tokens, 1, #tokens, 4, lines)
  return host.digest.md5(table.concat(lines, "\n"))
end

-- One value that may stand under either of two names. Both may be given if they agree.
local function read_field(document, name, other_name)
  local value = document[name]
  local other = other_name and document[other_name]
  if value ~= nil and other ~= nil and value ~= other then
    return nil, ("%s and %s are two names of one field but differ: %s and %s"):format(name, other_name, found(value),
      found(other))
  end
  local used = value == nil and other ~= nil and other_name or name
  if value == nil then
    value = other
  end
  if value == nil then
    return nil, ("the field %s%s is missing"):format(name, other_name and " (or " .. other_name .. ")" or "")
  end
  if type(value) ~= "string" then
    return nil, ("the field %s must be a text, found %s"):format(used, found(value))
  end
  return value, used
end

local function agree(name, value, in_key)
  if value ~= in_key then
    return nil, ("the document's %s is %s but its key says %s"):format(name, units.format_text(value),
      units.format_text(in_key))
  end
  return true
end

--- Is this a token as the front end hands them out: 32 hexadecimal digits?
---@param value any
---@return boolean
function submission.is_token(value)
  return type(value) == "string" and #value == 32 and not value:find("%X")
end

local function read_tokens(tokens)
  if tokens == nil then
    return nil, "the field tokens is missing; expected an array of tokens"
  end
  if type(tokens) ~= "table" then
    return nil, ("the field tokens must be an array of tokens, found %s"):format(found(tokens))
  end
  local count = #tokens
  for index in pairs(tokens) do
    if math.type(index) ~= "integer" or index < 1 or index > count then
      return nil, "the field tokens must be an array of tokens, found an object"
    end
  end
  if count == 0 then
    return nil, "the field tokens is empty; expected at least one token"
  end
  for index, token in ipairs(tokens) do
    if not submission.is_token(token) then
      -- What a token holds never reaches a log: a slip of the pen may be a letter away from a real one.
      return nil, ("tokens[%d] must be 32 hexadecimal digits, found %s"):format(index,
        type(token) == "string" and ("a text of %d bytes"):format(#token) or found(token))
    end
  end
  return table.move(tokens, 1, count, 1, {})
end

---@class Document
---@field subid string
---@field admin string
---@field event string
---@field assignment string
---@field tokens string[] as written

--- Reads a submission document. Both spellings of two fields are understood: subid and submissionid, assignment and
--- problem. Fields that aren't known are ignored.
---@param text string the object's content
---@param location Location|nil the place it was read from, with which it has to agree
---@param limit_bytes integer|nil default 64 KiB
---@return Document|nil
---@return string|nil message
---@return "rejected"|nil code
function submission.parse(text, location, limit_bytes)
  limit_bytes = limit_bytes or submission.document_limit_bytes
  if #text > limit_bytes then
    return nil, ("the submission document has %d bytes; at most %d are read"):format(#text, limit_bytes), "rejected"
  end
  local object, message = decode_object(text, "the submission document")
  if not object then
    return nil, message, "rejected"
  end
  local document = {}
  local fields = { { "subid", "submissionid" }, { "admin" }, { "event" }, { "assignment", "problem" } }
  for _, names in ipairs(fields) do
    local value, used = read_field(object, names[1], names[2])
    if not value then
      return nil, used, "rejected"
    end
    if names[1] == "subid" and (#value ~= 32 or value:find("[^0-9a-f]")) then
      return nil, ("the field %s must be 32 lower-case hexadecimal digits, found %s"):format(used, found(value)),
        "rejected"
    end
    if location then
      local good, difference = agree(used, value, location[names[1]])
      if not good then
        return nil, difference, "rejected"
      end
    end
    document[names[1]] = value
  end
  document.tokens, message = read_tokens(object.tokens)
  if not document.tokens then
    return nil, message, "rejected"
  end
  return document
end

--- Writes a submission document as the front end does.
---@param document Document
---@return string
function submission.encode(document)
  return host.json.encode(host.json.ordered({ "subid", "admin", "event", "assignment", "tokens" }, {
    subid = document.subid,
    admin = document.admin,
    event = document.event,
    assignment = document.assignment,
    tokens = host.json.array(table.move(document.tokens, 1, #document.tokens, 1, {})),
  }), { indent = 2 }) .. "\n"
end

--- Writes the body of the message that announces a submission.
---@param request {key:string, mode:"test"|"grade"|nil, regrade:string|nil}
---@return string
function submission.message(request)
  return host.json.encode(host.json.ordered({ "subdata", "mode", "regrade" }, {
    subdata = request.key,
    mode = request.mode,
    regrade = request.regrade,
  }))
end

local function read_request(object)
  local document_key = object.subdata
  if type(document_key) ~= "string" then
    return nil, ("the message's field subdata must be the key of a submission document, found %s"):format(
      found(document_key))
  end
  local location, message = key.parse_document(document_key)
  if not location then
    return nil, "the message's field subdata: " .. message
  end
  local mode, regrade = object.mode, object.regrade
  if mode == nil or mode == host.json.null then
    mode = "test"
  end
  if mode ~= "test" and mode ~= "grade" then
    return nil, ('the message\'s field mode must be "test" or "grade", found %s'):format(found(mode))
  end
  if regrade == host.json.null then
    regrade = nil
  end
  if regrade ~= nil and (type(regrade) ~= "string" or not regrade:find("^[%w%.:_-]+$") or #regrade > 128) then
    return nil, ("the message's field regrade must be a name of 1 to 128 letters, digits and .:_-, found %s"):format(
      found(regrade))
  end
  return { key = document_key, mode = mode, regrade = regrade, location = location }
end

---@class Request
---@field key string
---@field mode "test"|"grade"
---@field regrade string|nil
---@field location Location

--- Reads a message's body: `{"subdata": "<key>"}` with mode and regrade, or a bucket's own event notification in any of
--- its wrappings, which may announce several submissions, or none.
---@param body string
---@return Request[]|nil
---@return string|{key:string, reason:string}[] message why it can't be read; or what a notification named besides
---@return "message"|nil code
function submission.parse_message(body)
  if #body > submission.message_limit_bytes then
    return nil, ("the message has %d bytes; at most %d are read"):format(#body, submission.message_limit_bytes),
      "message"
  end
  local object, message = decode_object(body, "the message")
  if not object then
    return nil, message, "message"
  end
  if object.subdata ~= nil or not notify.is_event(object) then
    local request, reason = read_request(object)
    if not request then
      return nil, reason, "message"
    end
    return { request }, {}
  end
  local bodies, skipped = notify.messages(object)
  if not bodies then
    return nil, skipped, "message"
  end
  local requests = {}
  for index, one in ipairs(bodies) do
    -- What notify builds it has checked; the same reader keeps the two from drifting apart.
    requests[index] = assert(read_request(host.json.decode(one)))
  end
  return requests, skipped
end

return submission
