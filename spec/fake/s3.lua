--- S3 in memory, as far as a store asks it, behind host.http's interface: conditional writes, ranges, lists in pages, errors in
--- XML. `server.objects` are the texts by key; with `server.bare` it wants If-Match without quotes, as Ceph's does.
--- `server.fault(request, carry_out)` may return an answer of its own and do with the request as it likes.

local host = require "submitter.host"
local aws = require "spec.fake.aws"
local percent = require "submitter.percent"

local Server = {}
Server.__index = Server

local function header(request, name)
  for _, pair in ipairs(request.headers) do
    if pair[1]:lower() == name then return pair[2] end
  end
end

local function escape(text)
  return (text:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end

local function refuse(status, code, message)
  return { status, headers = { ["x-amz-request-id"] = "REQUEST1", ["x-amz-id-2"] = "HOST1" },
    body = ('<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>'):format(code,
      message or "said the server") }
end

local function etag_of(text)
  return '"' .. host.digest.md5(text) .. '"'
end

local function headers_of(text)
  return { etag = etag_of(text), ["content-length"] = ("%d"):format(#text), ["x-amz-checksum-crc32"] =
    host.digest.crc32(text, "base64"), ["last-modified"] = aws.http_date(1700000000), ["content-type"] = "text/plain" }
end

function Server:get(request, key)
  local text = self.objects[key]
  if not text then return refuse(404, "NoSuchKey", "The specified key does not exist.") end
  if header(request, "if-none-match") == etag_of(text) then return { 304, headers = { etag = etag_of(text) } } end
  local headers = headers_of(text)
  local first, last = (header(request, "range") or ""):match("^bytes=(%d+)-(%d+)$")
  if not first then return { 200, headers = headers, body = text } end
  if tonumber(first) >= #text then return refuse(416, "InvalidRange") end
  local part = text:sub(first + 1, last + 1)
  headers["content-range"] = ("bytes %d-%d/%d"):format(first, first + #part - 1, #text)
  headers["content-length"], headers["x-amz-checksum-crc32"] = ("%d"):format(#part), nil
  return { 206, headers = headers, body = part }
end

function Server:head(_, key)
  local text = self.objects[key]
  return text and { 200, headers = headers_of(text) } or { 404 }
end

function Server:put(request, key)
  local text, data = self.objects[key], request.body
  if header(request, "content-md5") ~= host.digest.md5(data, "base64") then return refuse(400, "BadDigest") end
  if header(request, "if-none-match") == "*" and text then return refuse(412, "PreconditionFailed") end
  local wanted = header(request, "if-match")
  if wanted and not text then return refuse(404, "NoSuchKey") end
  if wanted and wanted ~= (self.bare and host.digest.md5(text) or etag_of(text)) then
    return refuse(412, "PreconditionFailed")
  end
  self.objects[key] = data
  self.writes[#self.writes + 1] = { key = key, data = data }
  return { 200, headers = { etag = etag_of(data) } }
end

function Server:delete(_, key)
  self.objects[key] = nil
  return { 204 }
end

function Server:list(query)
  local parameters = {}
  for name, value in query:gmatch("([^&=]+)=([^&]*)") do parameters[name] = percent.decode_form(value) end
  local keys = {}
  for key in pairs(self.objects) do
    local after = parameters["continuation-token"] or parameters["start-after"] or ""
    if key:sub(1, #parameters.prefix) == parameters.prefix and key > after then keys[#keys + 1] = key end
  end
  table.sort(keys)
  local parts = {}
  local goes_on = #keys > self.page_size
  for index = 1, math.min(#keys, self.page_size) do
    local is_encoded = parameters["encoding-type"] == "url"
    local shown = is_encoded and percent.encode_path(keys[index]):gsub("%%20", "+") or keys[index]
    parts[index] = ("<Contents><Key>%s</Key><LastModified>2023-11-14T22:13:20.000Z</LastModified><ETag>&quot;%s&quot;"
      .. "</ETag><Size>%d</Size></Contents>"):format(escape(shown), host.digest.md5(self.objects[keys[index]]),
      #self.objects[keys[index]])
  end
  return { 200, body = ('<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/'
    .. '2006-03-01/"><Name>b</Name>%s<IsTruncated>%s</IsTruncated>%s%s</ListBucketResult>'):format(
    parameters["encoding-type"] == "url" and "<EncodingType>url</EncodingType>" or "", tostring(goes_on),
    goes_on and ("<NextContinuationToken>%s</NextContinuationToken>"):format(escape(keys[self.page_size])) or "",
    table.concat(parts)) }
end

-- Path style: https://host/bucket/key. Virtual hosts: https://bucket.host/key.
function Server:carry_out(request)
  local authority, target = request.url:match("^https?://([^/]+)(/.*)$")
  local path, query = target:match("^([^?]*)%??(.*)$")
  if authority:sub(1, #self.bucket + 1) ~= self.bucket .. "." then
    local bucket, rest = path:match("^/([^/]+)(.*)$")
    if bucket ~= self.bucket then return refuse(404, "NoSuchBucket") end
    path = rest
  end
  local key = assert(percent.decode_form((path:gsub("^/", "", 1):gsub("+", "%%2B"))))
  if key == "" then return self:list(query) end
  return self[request.method:lower()](self, request, key)
end

--- Answers a request: what `spec.fake.aws` takes for a script.
function Server:answer(request)
  local own = self.fault and self.fault(request, function() return self:carry_out(request) end)
  return own or self:carry_out(request)
end

return {
  new = function(bucket)
    return setmetatable({ bucket = bucket, objects = {}, writes = {}, page_size = 1000 }, Server)
  end,
  refuse = refuse,
}
