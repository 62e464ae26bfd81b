--- Case records, whatever they are made of. A record is plain data:
---
---     { number = 3, input = "1 2", expected = "3", form = "line" }                a line of each of two files
---     { number = 1, input = "…", expected = "…", form = "file", name = "large" }   a pair of files
---
--- Sources return `{ cases, sha256, notice }` or `nil, message, code`; code "not_found" where something may still
--- arrive, "instructor" where somebody must mend it. `notice` is a sentence for the log, or nil.
local bucket = require "submitter.cases.bucket"
local lines = require "submitter.cases.lines"
local pairing = require "submitter.cases.pairs"

return {
  lines = lines.read,
  pairs = pairing.read,
  bucket = bucket.read,
}
