--- Messages as somebody else reads them: the parser of Python's library.
local host = require "submitter.host"

local python = {}

local PROGRAM = [[
import email, email.policy, json, sys
message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
def told(part):
    content = part.get_payload(decode=True)
    return {"type": part.get_content_type(), "charset": part.get_content_charset() or "",
            "name": part.get_filename() or "", "disposition": part.get_content_disposition() or "",
            "hex": (content or b"").hex()}
print(json.dumps({
    "fields": [[name, str(value)] for name, value in message.items()],
    "defects": [type(defect).__name__ for part in message.walk() for defect in part.defects]
      + [type(defect).__name__ for value in message.values() for defect in value.defects],
    "to": [[one.display_name, one.addr_spec] for one in message["To"].addresses],
    "from": [[one.display_name, one.addr_spec] for one in message["From"].addresses],
    "date": message["Date"].datetime.isoformat(),
    "parts": [told(part) for part in message.walk() if not part.is_multipart()],
}))
]]

--- What a message holds: fields (in order), field(name), defects, to and from (lists of { name, address }), date, parts (type,
--- charset, name, disposition, data).
---@async
---@param text string
---@return table
function python.read(text)
  local result = assert(host.child.run {
    program = "/usr/bin/python3", arguments = { "-I", "-c", PROGRAM }, input = text,
    environment = { PATH = "/usr/bin:/bin", LC_ALL = "C.UTF-8" }, limit_bytes = 64 << 20,
  })
  assert(result.exit_code == 0, result.stderr)
  local read = assert(host.json.decode(result.stdout))
  function read.field(name)
    for _, pair in ipairs(read.fields) do
      if pair[1]:lower() == name:lower() then return pair[2] end
    end
  end
  for _, part in ipairs(read.parts) do
    part.data = part.hex:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)
  end
  return read
end

return python
