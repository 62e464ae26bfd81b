--- Addresses of mail, as this program takes them: what every server takes as it stands, and nothing that could end a command or a
--- header and begin another.
local address = {}

-- RFC 5321, section 4.5.3.1.3, without the brackets.
local LONGEST = 254

--- What is wrong with an address, in words that don't repeat it; nil when it is fine.
---@param text any
---@return string|nil problem
function address.problem(text)
  if type(text) ~= "string" or text == "" then return "there is none" end
  if #text > LONGEST then return ("it is longer than %d bytes"):format(LONGEST) end
  if text:find "[%c ]" then return "it holds white space or a control character" end
  if text:find "[\128-\255]" then
    return "it holds letters beyond ASCII, which many servers refuse; write the host as xn--…"
  end
  if text:find '[<>"(),:;\\%[%]]' then return "it holds one of < > \" ( ) , : ; \\ [ ]" end
  if not text:find "^[^@]+@[^@]+$" then return "it isn't of the form name@host" end
  return nil
end

--- The part behind the @.
---@param text string an address without a problem
---@return string
function address.host(text)
  return text:match "@(.*)$"
end

return address
