--- How the keys of objects are written in events. Pure.
---
--- S3 writes them as an HTML form would: "+" for a space, %XX for most other bytes, "/" as it is
--- (docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html); MinIO does the same, with %2F
--- for "/". Ceph's gateway and EventBridge hand keys over as they are.

local key = require "submitter.key"
local percent = require "submitter.percent"
local units = require "submitter.units"

local object_key = {}

--- Undoes what S3 does to the keys in its event records.
---@param text string
---@return string|nil
---@return string|nil message
function object_key.decode(text)
  local decoded = percent.decode_form(text)
  if not decoded then
    return nil, ("the key %s isn't URL-encoded: a %% in it isn't followed by two hexadecimal digits"):format(
      units.format_text(text, key.limit_bytes))
  end
  return decoded
end

--- The reverse of decode, byte for byte as S3 does it.
---@param text string
---@return string
function object_key.encode(text)
  return (text:gsub("[^%w%-%._~/ *]", function(character)
    return ("%%%02X"):format(character:byte())
  end):gsub(" ", "+"))
end

--- The key that an event record means. Ceph (eventSource "ceph:s3") doesn't encode; should a version of it begin to, its
--- encoded keys are still recognised wherever only the decoded one can be a submission document's.
---@param text string as it stands in the record
---@param source string|nil the record's eventSource
---@return string|nil
---@return string|nil message
function object_key.read(text, source)
  local decoded, message = object_key.decode(text)
  if source == "ceph:s3" and (key.parse_document(text) or not key.parse_document(decoded)) then
    return text
  end
  return decoded, message
end

return object_key
