--- From a bucket's event to messages: which created objects are students' submission documents, and what is queued for
--- each. Pure: reads tables, returns tables.
---
--- Understood are S3's event notification 2.x (also as MinIO and Ceph write it), EventBridge's "Object Created", either
--- of them inside an SNS notification or inside the records that a function on an SNS topic or an SQS queue is called
--- with, and in all these places a message that announces one submission, `{"subdata": "<key>"}`.
---
--- An event may hold many records, and one that can't be read says nothing about the others: it is listed, and they are
--- handled.

local host = require "submitter.host"
local json_object = require "submitter.json_object"
local key = require "submitter.key"
local object_key = require "submitter.notify.object_key"
local request = require "submitter.notify.request"
local units = require "submitter.units"

local notify = {}

-- SNS inside SQS inside a function's records is the deepest that services build; more is an attack or a mistake.
local depth_limit = 4

-- So many records that can't be read are named in one reason.
local named_limit = 3

---@class Announcement what is queued for one submission document
---@field body string the message
---@field request Request what it says
---@field index integer|nil which of the event's Records it comes from; nil where the event has none

---@class Skipped something in an event that announces no submission
---@field key string the object's; "" when there is none
---@field reason string

---@class FailedRecord a record that can't be read
---@field index integer|nil which of the event's Records; nil where the event itself has none, but wraps one that has
---@field reason string names the record's place in the event

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

local function join(place, name)
  return place == "" and name or place .. "." .. name
end

-- A failure's reason, with where in the event it is.
local function at(place, reason)
  return place == "" and reason or place .. ": " .. reason
end

local function skip(state, name, reason)
  state.skipped[#state.skipped + 1] = { key = name, reason = reason }
  return true
end

local function announce(state, wanted, body)
  local identity = ("%s\0%s\0%s"):format(wanted.key, wanted.mode, wanted.regrade or "")
  if state.seen[identity] then
    return skip(state, wanted.key, "the event names it twice; one message is enough")
  end
  state.seen[identity] = true
  state.messages[#state.messages + 1] = { body = body, request = wanted, index = state.index }
  return true
end

local function created(state, name, place)
  local flaw = name:find("\0", 1, true) and "holds a NUL byte" or not utf8.len(name) and "isn't UTF-8"
  if flaw then
    return nil, at(place, ("the key %s %s, which no key of S3 can"):format(units.format_text(name, key.limit_bytes),
      flaw))
  end
  local location, message = key.parse_document(name)
  if not location then
    return skip(state, name, message)
  end
  return announce(state, { key = name, mode = "test", location = location }, request.encode { key = name })
end

local function not_created(state, name, kind)
  return skip(state, name, ("the event is %s; only created objects count"):format(units.format_text(kind, 60)))
end

local function is_creation(name)
  return name:find("^ObjectCreated:") ~= nil or name:find("^s3:ObjectCreated:") ~= nil
end

local function read_object_record(state, record, place)
  -- Within a major version fields are only added; another may mean anything by these names.
  local version = field(record, "eventVersion")
  if version ~= nil and not (type(version) == "string" and version:find("^2%.%d+$")) then
    return nil, at(place, ("the eventVersion is %s; only 2.x is understood"):format(json_object.found(version)))
  end
  local name, written = text_field(record, "eventName"), text_field(record, "s3", "object", "key")
  if not name or not written then
    return nil, ("%s has no eventName or no s3.object.key; expected an S3 event record"):format(place)
  end
  local read, message = object_key.read(written, text_field(record, "eventSource"))
  if not is_creation(name) then
    return not_created(state, read or written, name)
  elseif not read then
    return nil, at(place, message)
  end
  return created(state, read, place)
end

local read_event

-- A text inside an event that is an event itself.
local function read_wrapped(state, text, place, depth)
  local event, message = json_object.decode(text, place)
  if not event then
    return nil, message
  end
  return read_event(state, event, text, place, depth + 1)
end

-- What SNS delivers, to a queue or to a function.
local function read_envelope(state, envelope, place, depth)
  local kind, text = text_field(envelope, "Type"), text_field(envelope, "Message")
  if kind == "SubscriptionConfirmation" or kind == "UnsubscribeConfirmation" then
    return skip(state, "", ("SNS's %s: it announces nothing, and is confirmed where the subscription is made"):format(
      kind))
  elseif kind and kind ~= "Notification" then
    return nil, at(place, ("the SNS message's Type is %s; expected \"Notification\""):format(json_object.found(kind)))
  elseif not text then
    return nil, at(place, "the SNS notification has no text in Message")
  end
  return read_wrapped(state, text, join(place, "Message"), depth)
end

local function read_record(state, record, place, depth)
  local source = text_field(record, "eventSource") or text_field(record, "EventSource")
  if source == "aws:sns" then
    return read_envelope(state, record.Sns, join(place, "Sns"), depth)
  elseif source == "aws:sqs" then
    local text = text_field(record, "body")
    if not text then
      return nil, ("%s comes from SQS but has no text in body"):format(place)
    end
    return read_wrapped(state, text, join(place, "body"), depth)
  end
  return read_object_record(state, record, place)
end

local function read_records(state, records, place, depth)
  if #records == 0 and next(records) ~= nil then
    return nil, join(place, "Records") .. " must be an array, found an object"
  end
  for index, record in ipairs(records) do
    if depth == 1 then
      state.index = index
    end
    local good, message = read_record(state, record, join(place, ("Records[%d]"):format(index)), depth)
    if not good then
      state.failed[#state.failed + 1] = { index = state.index, reason = message }
    end
  end
  return true
end

local function read_bridge(state, event, place)
  local kind, name = event["detail-type"], text_field(event, "detail", "object", "key")
  if not name then
    return nil, at(place, "the EventBridge event has no detail.object.key")
  elseif kind ~= "Object Created" then
    return not_created(state, name, kind)
  end
  return created(state, name, place)
end

-- MinIO's event without its records: the key is written as it is, behind the bucket's name.
local function read_minio(state, event, place)
  local name = event.Key:match("^[^/]*/(.*)$") or ""
  if not is_creation(event.EventName) then
    return not_created(state, name, event.EventName)
  end
  return created(state, name, place)
end

local function read_message(state, event, text, place)
  local wanted, message = request.read(event)
  if not wanted then
    return nil, at(place, message)
  end
  -- As it was written, without what may stand around it.
  return announce(state, wanted, text and text:match("{.*}") or request.encode(wanted))
end

function read_event(state, event, text, place, depth)
  if depth > depth_limit then
    return nil, ("events are wrapped in each other more than %d deep"):format(depth_limit)
  elseif field(event, "subdata") ~= nil then
    return read_message(state, event, text, place)
  elseif type(field(event, "Records")) == "table" then
    return read_records(state, event.Records, place, depth)
  elseif text_field(event, "Event") == "s3:TestEvent" then
    return skip(state, "", "the test event that S3 sends when a notification is set up")
  elseif text_field(event, "detail-type") and type(field(event, "detail")) == "table" then
    return read_bridge(state, event, place)
  elseif text_field(event, "Type") and text_field(event, "Message") then
    return read_envelope(state, event, place, depth)
  elseif text_field(event, "EventName") and text_field(event, "Key") then
    return read_minio(state, event, place)
  end
  local _, message = request.read(type(event) == "table" and event or {})
  return nil, at(place, message .. '; nor is it a bucket\'s event, {"Records": […]} or one of EventBridge or SNS')
end

--- What to queue for an event: one message for each submission document that was created, in the event's order; what
--- announces nothing, and why; and the records that can't be read.
---@param event table decoded JSON
---@param text string|nil what it was decoded from: a message among the shapes is queued as it was written
---@return Announcement[]|nil messages nil: the event as a whole can't be read
---@return Skipped[]|string skipped, or what is wrong with the event
---@return FailedRecord[]|"message" failed, or the code
function notify.messages(event, text)
  local state = { messages = {}, skipped = {}, failed = {}, seen = {} }
  local good, message = read_event(state, event, text, "", 1)
  if not good then
    return nil, message, "message"
  end
  return state.messages, state.skipped, state.failed
end

--- What is wrong with an event some of whose records can't be read, in one line.
---@param failed {reason:string}[] at least one
---@return string
function notify.reason(failed)
  local reasons = {}
  for index = 1, math.min(#failed, named_limit) do
    reasons[index] = failed[index].reason
  end
  if #failed > named_limit then
    reasons[#reasons + 1] = ("and %d more"):format(#failed - named_limit)
  end
  return table.concat(reasons, "; ")
end

--- The event that a bucket would send for one created object.
---@param name string the object's key
---@param bucket string|nil its name, default "bucket"
---@return table
function notify.records(name, bucket)
  local record = {
    eventVersion = "2.1",
    eventSource = "aws:s3",
    eventName = "ObjectCreated:Put",
    s3 = {
      s3SchemaVersion = "1.0",
      bucket = { name = bucket or "bucket" },
      object = { key = object_key.encode(name) },
    },
  }
  return { Records = host.json.array { record } }
end

return notify
