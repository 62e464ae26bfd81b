--- What arrives: the submission document that the front end wrote, and the body of the message that announces it.
--- Everything that a student or a foreign program may have written is checked here once; the rest of the program may
--- rely on it.

local host = require "submitter.host"
local json_object = require "submitter.json_object"
local notify = require "submitter.notify"
local request = require "submitter.notify.request"
local units = require "submitter.units"

local submission = {}

--- The largest document and the largest message body that are read, in bytes.
submission.document_limit_bytes = 64 << 10
submission.message_limit_bytes = 256 << 10

local found = json_object.found

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
  local object, message = json_object.decode(text, "the submission document")
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
---@type fun(parts:{key:string, mode:"test"|"grade"|nil, regrade:string|nil}):string
submission.message = request.encode

--- Reads a message's body: `{"subdata": "<key>"}` with mode and regrade, or a bucket's own event notification in any of
--- its wrappings, which may announce several submissions, or none.
---@param body string
---@return Request[]|nil
---@return Skipped[]|string skipped what a notification named besides; or why the message can't be read
---@return FailedRecord[]|"message" failed the notification's records that can't be read; or the code
function submission.parse_message(body)
  if #body > submission.message_limit_bytes then
    return nil, ("the message has %d bytes; at most %d are read"):format(#body, submission.message_limit_bytes),
      "message"
  end
  local object, problem = json_object.decode(body, "the message")
  if not object then
    return nil, problem, "message"
  end
  local messages, skipped, failed = notify.messages(object, body)
  if not messages then
    return nil, skipped, failed
  end
  local requests = {}
  for index, one in ipairs(messages) do
    requests[index] = one.request
  end
  return requests, skipped, failed
end

return submission
