--- What each answer of a service tells in its headers.

local time = require "submitter.time"

local answer = {}

--- The first header of a name.
---@param response {headers:string[][]}
---@param name string in lower case
---@return string|nil
function answer.header(response, name)
  for _, pair in ipairs(response.headers) do
    if pair[1] == name then
      return pair[2]
    end
  end
  return nil
end

--- The id by which Amazon's support finds a request: S3's, or the other services'.
---@param response {headers:string[][]}
---@return string|nil
function answer.request_id(response)
  return answer.header(response, "x-amz-request-id") or answer.header(response, "x-amzn-requestid")
end

local months = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11,
  Dec = 12 }

--- Reads a time as HTTP writes it (RFC 9110, IMF-fixdate): `Sun, 06 Nov 1994 08:49:37 GMT`.
---@param text string|nil
---@return integer|nil seconds since the epoch; nil when it is no such time
function answer.http_date_s(text)
  local day, month, year, clock = (text or ""):match("^%a%a%a, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d:%d%d:%d%d) GMT$")
  if not months[month] then
    return nil
  end
  return time.parse(("%s-%02d-%sT%sZ"):format(year, months[month], day, clock))
end

--- The service's time when it answered; nil when it doesn't say or the answer comes from a cache (RFC 9111: `Age`).
---@param response {headers:string[][]}
---@return integer|nil seconds since the epoch
function answer.date_s(response)
  if (tonumber(answer.header(response, "age")) or 0) > 0 then
    return nil
  end
  return answer.http_date_s(answer.header(response, "date"))
end

return answer
