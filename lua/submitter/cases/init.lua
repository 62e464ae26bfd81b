--- Case records, whatever they are made of. A record is plain data:
---
---     { number = 3, input = "1 2", expected = "3", form = "line" }                a line of each of two files
---     { number = 1, input = "…", expected = "…", form = "file", name = "large" }   a pair of files
---
--- Where what stands beside a case says so it has also `points`, what it is worth, and `visibility`, what its students see of it:
--- "visible", "hidden" or "after_due".
---
--- `cases.lines` and `cases.pairs` make them of texts. A source finds them: `source:read { location =, mode =, names = }` →
--- `{ cases, sha256, notice, source }` or `nil, message, code`; code "not_found" where something may still arrive, "instructor"
--- where somebody must mend it. `source` names where they were ("postgres", "bucket"), `notice` is a sentence for the log, or
--- nil; of lines in the bucket there are also `input_text` and `expected_text`, as they were read. What a source returns may be
--- shared: nobody writes into it.
local bucket = require "submitter.cases.bucket"
local first = require "submitter.cases.first"
local lines = require "submitter.cases.lines"
local pairing = require "submitter.cases.pairs"
local postgres = require "submitter.cases.postgres"

return {
  lines = lines.read,
  pairs = pairing.read,
  bucket_source = bucket.source,
  postgres_source = postgres.source,
  first = first.source,
}
