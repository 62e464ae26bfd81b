--- Where a bucket's objects are found: which names are buckets, and how name and key become a URL. Sources: S3's "Bucket
--- naming rules" and "Virtual hosting", and the SDKs' endpoint rules for S3.

local percent = require "submitter.percent"
local units = require "submitter.units"
local url = require "submitter.aws.url"

local s3_address = {}

--- Is this the name of a general purpose bucket? Names from before 2018 and of other servers may have capitals and "_".
---@param name any
---@return true|nil
---@return string|nil message
function s3_address.check_bucket(name)
  local example = 'expected the name of an S3 bucket, such as "my-submissions"'
  if type(name) ~= "string" then
    return nil, ("%s, found %s"):format(example, name == nil and "nothing" or "a " .. type(name))
  end
  local shown = units.format_text(name, 80)
  if name:find("^arn:") then
    return nil, ("%s, found the ARN %s: access points and the like are not supported, name the bucket itself"):format(
      example, shown)
  elseif name:find("^[sS]3://") then
    return nil, ("%s, found %s: leave out the s3:// and what follows the name"):format(example, shown)
  elseif name:find("%-%-x%-s3$") then
    return nil, ("%s is a directory bucket (S3 Express One Zone), which is not supported: use a general purpose bucket")
      :format(shown)
  elseif not name:find("^%w[%w._-]+%w$") or #name > 255 or name:find("..", 1, true) or url.is_address(name) then
    return nil, ("%s (3 to 63 lower-case letters, digits, hyphens and dots), found %s"):format(example, shown)
  end
  return true
end

-- Whether a bucket can be a host's first label, or labels.
local function is_hostable(bucket, allows_dots)
  if #bucket > 63 or (bucket:find(".", 1, true) and not allows_dots) then
    return false
  end
  for label in (bucket .. "."):gmatch("([^.]*)%.") do
    if not label:find("^[a-z0-9][a-z0-9-]*$") or label:find("%-$") then
      return false
    end
  end
  return true
end

--- Whether the bucket goes into the path rather than before the host: because nothing else works, because it was said so, or
--- because the endpoint is an address or this machine. A dot in a name would not fit the certificate of https.
---@param parts Url of the endpoint
---@param bucket string
---@param path_style boolean|nil what the operator says
---@return boolean
function s3_address.is_path_style(parts, bucket, path_style)
  if url.is_address(parts.host) or not is_hostable(bucket, parts.scheme == "http") then
    return true
  elseif path_style ~= nil then
    return path_style
  end
  return parts.host == "localhost" or parts.host:find("%.localhost$") ~= nil
end

--- The URL of an object or of the bucket.
---@param endpoint string "https://s3.eu-central-1.amazonaws.com", also with a path
---@param bucket string
---@param key string|nil nil: the bucket itself
---@param query string|nil encoded
---@param path_style boolean|nil
---@return string|nil url as it goes on the wire
---@return string|nil message
function s3_address.url(endpoint, bucket, key, query, path_style)
  local parts, message = url.parse(endpoint)
  if not parts then
    return nil, "the endpoint of S3: " .. message
  end
  local base, authority = parts.path:gsub("/+$", ""), parts.authority
  if s3_address.is_path_style(parts, bucket, path_style) then
    base = base .. "/" .. bucket
  else
    authority = bucket .. "." .. authority
  end
  local path = base
  if key then
    path = base .. "/" .. percent.encode_path(key)
  elseif path == "" then
    path = "/"
  end
  return parts.scheme .. "://" .. authority .. path .. (query and "?" .. query or "")
end

return s3_address
