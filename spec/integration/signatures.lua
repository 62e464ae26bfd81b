--- Our signatures against those of the AWS SDK for JavaScript, over generated requests (spec/support/signatures.mjs):
---
---     build/submitter run spec/integration/signatures.lua [REQUESTS [SEED]]
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local peers = require "spec.integration.peers"
local support = require "spec.integration.support"
local host = require "submitter.host"

local count, seed = tonumber(arg[1] or "10000"), arg[2] or "1"
local shown = 5

local function unhex(text)
  return (text:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function ours(request)
  request.body, request.body_hex = request.body_hex and unhex(request.body_hex), nil
  local good, signed = pcall(host.sigv4.sign, request)
  if not good then return nil, signed end
  return signed.signature, signed.canonical_request
end

local folder = peers.folder "signatures"
local path = folder:path() .. "/requests.jsonl"
peers.run("signatures.mjs", path, tostring(count), seed)

local total, presigned, differing = 0, 0, {}
for line in io.lines(path) do
  local case = support.must(host.json.decode(line))
  total = total + 1
  if case.request.expires_s then presigned = presigned + 1 end
  local signature, canonical = ours(case.request)
  if signature ~= case.signature then
    differing[#differing + 1] = line
    if #differing <= shown then print("# " .. line .. "\n# " .. tostring(canonical):gsub("\n", "\n#   ")) end
  end
end
support.check(total == count, ("%d requests were signed by the SDK, with seed %s"):format(count, seed), total)
support.check(presigned > total // 5 and presigned < total // 2, "about a third of them in the URL", presigned)
support.check(#differing == 0, "ours are the same", ("%d differ"):format(#differing))
if #differing == 0 then support.must(folder:remove "requests.jsonl") end
support.finish()
