--- A signer that signs with plain text, so that specs can read who signed for what. Its credentials show nothing, as the real
--- ones.
local sigv4 = {}

local known = setmetatable({}, { __mode = "k" })

function sigv4.credentials(options)
  assert(type(options.access_key_id) == "string" and type(options.secret_access_key) == "string")
  local keys = setmetatable({}, { __tostring = function() return "credentials" end })
  known[keys] = options
  return keys
end

--- What a spec wants to look at: the options that credentials were made from.
function sigv4.reveal(keys)
  return known[keys]
end

function sigv4.sign(request)
  local keys = assert(known[request.credentials], "no credentials of this signer")
  local headers = table.move(request.headers, 1, #request.headers, 1, {})
  local authorization = ("FAKE %s %s %s"):format(keys.access_key_id, request.region, request.service)
  headers[#headers + 1] = { "Authorization", authorization }
  if keys.session_token then headers[#headers + 1] = { "X-Amz-Security-Token", keys.session_token } end
  return { headers = headers, url = request.url }
end

return sigv4
