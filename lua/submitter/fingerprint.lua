--- What tells one thing that a student handed in from another: a hash over the document and the program as they were
--- graded. A result carries it as `source_sha256`.
local host = require "submitter.host"

local fingerprint = {}

--- The lengths go in too, so that no two pairs make the same bytes.
---@param document_text string
---@param source string why it couldn't be read, where it couldn't
---@return string sha256 in hexadecimal
function fingerprint.of(document_text, source)
  return host.digest.sha256(string.pack("<s8s8", document_text, source))
end

return fingerprint
