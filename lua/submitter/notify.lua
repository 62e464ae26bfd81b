--- From a bucket's event to messages: which created objects are students' submission documents, and what is queued for
--- each. Pure: reads tables, returns texts.
---
--- Understood are S3's event notification (also as MinIO writes it), EventBridge's "Object Created", and either of them
--- inside an SNS notification or inside the records that a function on an SNS topic or an SQS queue is called with.

local host = require "submitter.host"
local key = require "submitter.key"
local units = require "submitter.units"

local notify = {}

-- SNS inside SQS inside a function's records is the deepest that services build; more is an attack or a mistake.
local depth_limit = 4

-- Fields of what was decoded from JSON; nil where the shape is another.
local function field(value, ...)
  for _, name in ipairs { ... } do
    if type(value) ~= "table" then
      return nil
    end
    value = value[name]
  end
  return value
end

local function text_field(value, ...)
  local result = field(value, ...)
  return type(result) == "string" and result or nil
end

--- S3 writes the keys in its event records as an HTML form would: "+" for a space, %XX for most other bytes.
---@param text string
---@return string
function notify.decode_key(text)
  return (text:gsub("%+", " "):gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

--- The reverse of decode_key, byte for byte as S3 does it ("/" stays).
---@param text string
---@return string
function notify.encode_key(text)
  return (text:gsub("[^%w%-%._~/ *]", function(character)
    return ("%%%02X"):format(character:byte())
  end):gsub(" ", "+"))
end

--- Has this the outer shape of an event that notify.messages reads?
---@param event any decoded JSON
---@return boolean
function notify.is_event(event)
  return type(field(event, "Records")) == "table"
    or text_field(event, "Event") == "s3:TestEvent"
    or (text_field(event, "Type") ~= nil and text_field(event, "Message") ~= nil)
    or (text_field(event, "detail-type") ~= nil and type(field(event, "detail")) == "table")
end

local read_event

local function skip(state, object_key, reason)
  state.skipped[#state.skipped + 1] = { key = object_key, reason = reason }
end

local function created(state, object_key)
  local location, message = key.parse_document(object_key)
  if not location then
    return skip(state, object_key, message)
  end
  if state.seen[object_key] then
    return skip(state, object_key, "the event names it twice; one message is enough")
  end
  state.seen[object_key] = true
  state.bodies[#state.bodies + 1] = host.json.encode { subdata = object_key }
end

-- A text inside an event that is an event itself.
local function read_wrapped(state, text, what, depth)
  local event, message = host.json.decode(text)
  if event == nil then
    return nil, ("%s isn't JSON: %s"):format(what, message)
  end
  return read_event(state, event, depth + 1)
end

local function read_record(state, record, index, depth)
  local source = text_field(record, "eventSource") or text_field(record, "EventSource") or ""
  if source == "aws:sns" then
    local text = text_field(record, "Sns", "Message")
    if not text then
      return nil, ("Records[%d] comes from SNS but has no text in Sns.Message"):format(index)
    end
    return read_wrapped(state, text, ("Records[%d].Sns.Message"):format(index), depth)
  elseif source == "aws:sqs" then
    local text = text_field(record, "body")
    if not text then
      return nil, ("Records[%d] comes from SQS but has no text in body"):format(index)
    end
    return read_wrapped(state, text, ("Records[%d].body"):format(index), depth)
  end
  local name = text_field(record, "eventName")
  local object_key = text_field(record, "s3", "object", "key")
  if not name or not object_key then
    return nil, ("Records[%d] has no eventName and s3.object.key; expected an S3 event record"):format(index)
  end
  object_key = notify.decode_key(object_key)
  if not name:find("^ObjectCreated:") and not name:find("^s3:ObjectCreated:") then
    skip(state, object_key, ("the event is %s; only created objects count"):format(units.format_text(name, 60)))
  else
    created(state, object_key)
  end
  return true
end

local function read_records(state, records, depth)
  if #records == 0 and next(records) ~= nil then
    return nil, "Records must be an array, found an object"
  end
  for index, record in ipairs(records) do
    local good, message = read_record(state, record, index, depth)
    if not good then
      return nil, message
    end
  end
  return true
end

local function read_bridge(state, event)
  local kind = event["detail-type"]
  local object_key = text_field(event, "detail", "object", "key")
  if not object_key then
    return nil, "the EventBridge event has no detail.object.key"
  end
  -- EventBridge, unlike S3's own records, hands keys over as they are.
  if kind ~= "Object Created" then
    skip(state, object_key, ("the event is %s; only created objects count"):format(units.format_text(kind, 60)))
  else
    created(state, object_key)
  end
  return true
end

function read_event(state, event, depth)
  if depth > depth_limit then
    return nil, ("events are wrapped in each other more than %d deep"):format(depth_limit)
  end
  if type(field(event, "Records")) == "table" then
    return read_records(state, event.Records, depth)
  elseif text_field(event, "Event") == "s3:TestEvent" then
    skip(state, "", "the test event that S3 sends when a notification is set up")
    return true
  elseif text_field(event, "detail-type") and type(field(event, "detail")) == "table" then
    return read_bridge(state, event)
  elseif text_field(event, "Type") and text_field(event, "Message") then
    return read_wrapped(state, event.Message, "the SNS notification's Message", depth)
  end
  return nil, 'expected a bucket\'s event: {"Records": […]}, an EventBridge event or an SNS notification'
end

--- The messages to queue for an event, one for each submission document that was created, and what was left out and
--- why.
---@param event table decoded JSON
---@return string[]|nil bodies
---@return {key:string, reason:string}[]|string skipped or message
---@return "message"|nil code
function notify.messages(event)
  local state = { bodies = {}, skipped = {}, seen = {} }
  local good, message = read_event(state, event, 1)
  if not good then
    return nil, message, "message"
  end
  return state.bodies, state.skipped
end

--- The event that a bucket would send for one created object.
---@param object_key string
---@param bucket string|nil its name, default "bucket"
---@return table
function notify.records(object_key, bucket)
  local record = {
    eventVersion = "2.1",
    eventSource = "aws:s3",
    eventName = "ObjectCreated:Put",
    s3 = {
      s3SchemaVersion = "1.0",
      bucket = { name = bucket or "bucket" },
      object = { key = notify.encode_key(object_key) },
    },
  }
  return { Records = host.json.array { record } }
end

return notify
