local host = require "submitter.host"
local json = require "submitter.gradebook.json"

describe("the grade book as JSON", function()
  it("is an array of objects, with null where there is nothing", function()
    local text = json.render {
      { email = "ann@example.org", name = '=1"\u{2028}\xff', event = "labs", assignment = "sum", mode = "grade",
        verdict = "WA", points = 2.0, max_points = 3.5, attempt = 2, attempts = 4, submitted_ms = 1767225600000,
        late = false, subid = ("a"):rep(32), tokens = 2, note = "n" },
      { event = "labs", assignment = "sum", mode = "test", attempts = 0 },
    }
    local null = host.json.null
    assert.are.same({
      { email = "ann@example.org", name = '=1"\u{2028}\u{FFFD}', event = "labs", assignment = "sum", mode = "grade",
        verdict = "WA", points = 2, max_points = 3.5, attempt = 2, attempts = 4,
        submitted_at = "2026-01-01T00:00:00.000Z", late = false, subid = ("a"):rep(32), tokens = 2, note = "n" },
      { email = null, name = null, event = "labs", assignment = "sum", mode = "test", verdict = null, points = null,
        max_points = null, attempt = null, attempts = 0, submitted_at = null, late = null, subid = null, tokens = null,
        note = null },
    }, assert(host.json.decode(text)))
    assert.is_nil(text:find("2.0", 1, true))
    assert.is_true(text:find('"email"', 1, true) < text:find('"name"', 1, true))
  end)

  it("is an empty array without rows", function()
    assert.are.equal("[]", json.render {})
  end)
end)
